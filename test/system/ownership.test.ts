import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
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

test.each([
  'file',
  'directory',
] as const)('a link of another user to a %s of ours is no configuration of ours', async (what) => {
  const { place, directory } = configured();
  const shared = place.file('shared');
  mkdirSync(shared);
  chmodSync(shared, 0o1777);
  const link = path.join(shared, what === 'file' ? 'config.yaml' : 'unlockos-keys');
  symlinkSync(what === 'file' ? path.join(directory, 'config.yaml') : directory, link);
  lchownSync(link, 4711, 4711);
  const env = { [what === 'file' ? 'UNLOCKOS_KEYS_CONFIG_DIR' : 'XDG_CONFIG_HOME']: shared };
  const where = what === 'file' ? env : { ...env, UNLOCKOS_KEYS_CONFIG_DIR: undefined };
  const result = await place.tool(['profile', 'list'], { env: where });
  expect(result).toMatchObject({ exitCode: 6, stdout: '', stderr: expect.stringMatching(/another user \(uid 4711\)/) });
});

test('a directory that cannot be looked into is named, and stands for no missing file', async () => {
  const place = new Place({ UNLOCKOS_KEYS_STORE: './mine/keys.db' });
  chmodSync(place.dir, 0o755);
  for (const name of ['mine', 'locked']) {
    mkdirSync(place.file(name));
    chownSync(place.file(name), NOBODY, NOBODY);
  }
  const as = { uid: NOBODY, env: { HOME: place.file('mine'), XDG_STATE_HOME: place.file('locked/state') } };
  const manifest = 'version: 1\nname: team\nkeys:\n  - { name: a, mode: test, scopes: [plan:read] }\n';
  writeFileSync(place.file('manifest.yaml'), manifest);
  const made = await place.tool(['create', 'one', '--test-mode', '-s', 'plan:read', '-o', 'value'], as);
  expect(made).toMatchObject({ exitCode: 0 });
  chmodSync(place.file('locked'), 0o000);
  const locked = place.file('locked', 'keys.db');
  for (const [exitCode, ...argv] of [
    [8, '--store', locked, 'store', 'restore', './mine/keys.db', '--yes'],
    [8, 'store', 'copy', locked, './mine/keys.db', '--yes'],
    [8, 'store', 'copy', './mine/keys.db', locked],
    [2, 'apply', '-f', 'manifest.yaml', '--yes', '--key-dir', './locked'],
    [2, 'create', 'two', '--test-mode', '-s', 'plan:read', '--key-file', './locked/key'],
    [2, 'store', 'backup', './locked/keys.db'],
    [0, 'audit', 'verify'], // what was seen before is in there: a remark of doctor, and no error
    [0, 'create', 'three', '--test-mode', '-s', 'plan:read', '-o', 'value'],
  ] as const) {
    const { exitCode: code, stderr } = await place.tool([...argv], as);
    const says = code === 0 ? '' : expect.stringMatching(/permission/);
    expect({ argv, code, stderr: code === 0 ? '' : stderr }).toEqual({ argv, code: exitCode, stderr: says });
  }
  const doctor = await place.tool(['doctor'], as);
  expect(doctor.stdout).toContain('the end of the log is not remembered: permission denied');
});

test('a configuration of root is read by others, who cannot change it', async () => {
  const { place, directory, env } = configured();
  const list = await place.tool(['profile', 'list', '-o', 'value'], { env, uid: NOBODY });
  expect(list).toMatchObject({ exitCode: 0, stdout: 'here\n' });
  const add = await place.tool(['profile', 'add', 'new', '--store', './new.db'], { env, uid: NOBODY });
  expect(add).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/cannot write .*permission denied/) });
  expect(readdirSync(directory)).toEqual(['config.yaml']);
});

test('a dotenv file of another user is refused with the reason, because a new file in its place would be ours', async () => {
  const place = new Place({ UNLOCKOS_KEYS_STORE: './mine/keys.db' });
  chmodSync(place.dir, 0o755);
  mkdirSync(place.file('mine'));
  chownSync(place.file('mine'), NOBODY, NOBODY);
  const file = place.file('mine/.env');
  writeFileSync(file, 'A=1\n');
  chownSync(file, 4711, 4711);
  chmodSync(file, 0o666);
  const argv = ['create', 'first', '--test-mode', '-s', 'plan:read', '--dotenv', file];
  const { exitCode, stderr } = await place.tool(argv, { uid: NOBODY });
  expect(exitCode).toBe(2);
  expect(stderr).toContain(`cannot write --dotenv "${file}": it belongs to another user or group`);
  expect((await place.tool(['list', '-o', 'value'], { uid: NOBODY })).stdout).toBe('');
  expect(statSync(file)).toMatchObject({ uid: 4711, gid: 4711, mode: 0o100666, size: 4 });
});
