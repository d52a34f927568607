import { chownSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { Place } from '../support/built-tool.js';

// Needs root: to give files away, and to run as somebody else.

const NOBODY = 65_534;
const CONFIG = 'profiles:\n  here: { store: ./here.db }\n';

function configured() {
  const place = new Place({ UNLOCKOS_KEYS_STORE: '' });
  const directory = place.file('config');
  mkdirSync(directory, { mode: 0o755 });
  const file = path.join(directory, 'config.yaml');
  writeFileSync(file, CONFIG, { mode: 0o644 });
  return { place, directory, file, env: { UNLOCKOS_KEYS_CONFIG_DIR: directory } };
}

test.each([
  'file',
  'directory',
] as const)('a configuration whose %s belongs to another user is refused', async (what) => {
  const scene = configured();
  chownSync(scene[what], 4711, 4711);
  const result = await scene.place.tool(['profile', 'list'], { env: scene.env });
  expect(result).toMatchObject({ exitCode: 6, stdout: '', stderr: expect.stringMatching(/another user \(uid 4711\)/) });
});

test('a configuration of root is read by others, who cannot change it', async () => {
  const { place, directory, env } = configured();
  const list = await place.tool(['profile', 'list', '-o', 'value'], { env, uid: NOBODY });
  expect(list).toMatchObject({ exitCode: 0, stdout: 'here\n' });
  const add = await place.tool(['profile', 'add', 'new', '--store', './new.db'], { env, uid: NOBODY });
  expect(add).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/cannot write .*EACCES/) });
  expect(readdirSync(directory)).toEqual(['config.yaml']);
});
