import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ROOT } from '../support/built-tool.js';

/** A user id that no password entry names, as a container may have. */
const UNKNOWN = 54_321;

test('the library and the tool work under a uid without a password entry', () => {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'unlockos-keys-test-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  chownSync(dir, UNKNOWN, UNKNOWN);
  chmodSync(dir, 0o700);
  const as = (...args: string[]) =>
    spawnSync(process.execPath, args, {
      uid: UNKNOWN,
      gid: UNKNOWN,
      cwd: dir,
      env: { PATH: process.env.PATH, HOME: dir },
      encoding: 'utf8',
    });
  const program = `import { openKeyring } from ${JSON.stringify(path.join(ROOT, 'dist/index.js'))};
    const keyring = await openKeyring({ store: './keys.db' });
    await keyring.create([{ name: 'library', mode: 'test', scopes: ['plan:read'] }]);
    console.log((await keyring.auditList()).at(-1).osUser);
    await keyring.close();`;
  expect(as('--input-type=module', '-e', program)).toMatchObject({ status: 0, stdout: `uid ${UNKNOWN}\n` });
  const tool = path.join(ROOT, 'bin/unlockos-keys.js');
  expect(as(tool, 'list', '--store', './keys.db', '--fields', 'name', '-o', 'value')).toMatchObject({
    status: 0,
    stdout: 'library\n',
  });
});
