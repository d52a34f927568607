import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { endUse, noteUse } from '../../../src/store/local/in-use.js';
import { openStore } from '../../../src/store/open.js';
import { change, LOCAL_ENGINES, newKey, options, rawDatabase, scratch } from '../../support/stores.js';

describe.each(LOCAL_ENGINES)('where a store may be, on %s', (binding) => {
  const open = (file: string, more: Parameters<typeof options>[1] = {}) => openStore(file, options(binding, more));

  /** Somebody's file or directory in the place of a store, and what it holds. */
  const places: [string, string, (file: string) => void][] = [
    [
      'a symbolic link',
      'unsafe_path',
      (file) => {
        writeFileSync(`${file}.real`, 'precious');
        symlinkSync(`${file}.real`, file);
      },
    ],
    ['a link to nothing', 'unsafe_path', (file) => symlinkSync(`${file}.real`, file)],
    ['a loop of links', 'unsafe_path', (file) => symlinkSync(file, file)],
    [
      'a file with two names',
      'unsafe_path',
      (file) => {
        writeFileSync(`${file}.real`, '', { mode: 0o600 });
        linkSync(`${file}.real`, file);
      },
    ],
    ['a directory', 'unsafe_path', (file) => mkdirSync(file)],
    ['a FIFO', 'unsafe_path', (file) => execFileSync('mkfifo', [file])],
    [
      'a file that others can write',
      'unsafe_path',
      (file) => {
        writeFileSync(file, '');
        chmodSync(file, 0o666);
      },
    ],
    [
      'a file that a group can write',
      'unsafe_path',
      (file) => {
        writeFileSync(file, '');
        chmodSync(file, 0o660);
      },
    ],
    [
      'a link to a store',
      'unsafe_path',
      (file) => {
        writeFileSync(`${file}.real`, '', { mode: 0o600 });
        symlinkSync(path.basename(`${file}.real`), file);
      },
    ],
    [
      'text',
      'store_corrupt',
      (file) => writeFileSync(file, 'precious text, not a database\n'.repeat(100), { mode: 0o600 }),
    ],
  ];

  test.each(places)('%s is refused, and left as it was', async (_, code, plant) => {
    const file = path.join(scratch(), 'keys.db');
    plant(file);
    const look = () =>
      [`${file}.real`, file].map((each) =>
        existsSync(each) && statSync(each).isFile() ? readFileSync(each, 'utf8') : existsSync(each),
      );
    const before = look();
    await expect(open(file)).rejects.toMatchObject({ code });
    expect(look()).toEqual(before);
  });

  test.each([
    ['a device', '/dev/null', 'unsafe_path'],
    ['a path through a file', '/etc/passwd/keys.db', 'usage'],
    ['4,096 characters', `/tmp/${'x'.repeat(4096)}`, 'usage'],
    ['a name that leaves no room for that of a log', path.join(tmpdir(), 'x'.repeat(252)), 'usage'],
    ['a directory that is not there', '/nonexistent/keys.db', 'store_missing'],
  ])('%s is refused', async (_, file, code) => {
    await expect(open(file)).rejects.toMatchObject({ code });
  });

  test('a directory that everybody can write to is refused', async () => {
    const folder = path.join(scratch(), 'open');
    mkdirSync(folder);
    chmodSync(folder, 0o777);
    await expect(open(path.join(folder, 'keys.db'))).rejects.toMatchObject({ code: 'unsafe_path' });
    chmodSync(folder, 0o1777); // sticky, as /tmp: others can make files, but not take ours away
    await (await open(path.join(folder, 'keys.db'))).close();
    chmodSync(folder, 0o777);
    await expect(open(path.join(folder, 'keys.db'))).rejects.toMatchObject({ code: 'unsafe_path' });
  });

  test.each([
    ['with a table', 'create table bookmarks (url text)'],
    ['with its own mark', 'pragma application_id = 252006675; create table t (x)'],
    ['that is empty but for its own version', 'pragma user_version = 7'],
  ])("another program's database %s is refused, byte for byte unchanged, for looking, too", async (_, sql) => {
    const file = path.join(scratch(), 'keys.db');
    await (await rawDatabase(file, binding)).exec(sql);
    chmodSync(file, 0o600);
    const before = readFileSync(file);
    for (const more of [{}, { create: false }, { inspect: true }])
      await expect(open(file, more)).rejects.toMatchObject({ code: 'store_foreign' });
    expect(readFileSync(file)).toEqual(before);
  });

  test("another user's file is refused", async () => {
    const file = process.getuid?.() === 0 ? path.join(scratch(), 'keys.db') : '/etc/passwd';
    if (process.getuid?.() === 0) {
      writeFileSync(file, '', { mode: 0o600 });
      chownSync(file, 65_534, 65_534);
    }
    await expect(open(file)).rejects.toMatchObject({
      code: 'unsafe_path',
      message: expect.stringContaining('another user'),
    });
    expect(statSync(file).uid).not.toBe(process.getuid?.());
  });

  test('a file is not taken for one that had its number, was in use, and is gone', async () => {
    const folder = scratch();
    const file = path.join(folder, 'keys.db');
    writeFileSync(file, '', { mode: 0o600 });
    const { dev, ino, birthtimeMs } = statSync(file);
    const gone = { dev, ino, born: birthtimeMs - 1 }; // a store that was dropped without being closed
    noteUse(gone, path.join(folder, 'gone.db'));
    await expect(open(file, { create: false })).rejects.toMatchObject({ code: 'store_missing' });
    endUse(gone, path.join(folder, 'gone.db'));
  });

  test('without leave to make it, a missing or empty file stays what it is', async () => {
    const folder = scratch();
    const [missing, empty] = [path.join(folder, 'missing.db'), path.join(folder, 'empty.db')];
    writeFileSync(empty, '', { mode: 0o600 });
    for (const file of [missing, empty])
      await expect(open(file, { create: false })).rejects.toMatchObject({ code: 'store_missing' });
    expect([existsSync(missing), statSync(empty).size]).toEqual([false, 0]);
    await (await open(empty)).close();
    expect(statSync(empty).size).toBeGreaterThan(0);
  });

  test('the file and its side files are for the owner alone, and the default directory, too', async () => {
    const umask = process.umask(0o022);
    try {
      const file = path.join(scratch(), 'share', 'unlockos-keys', 'keys.db');
      const store = await open(file, { makeParent: true });
      await store.create([newKey('a')], change());
      expect(
        [file, `${file}-wal`, `${file}-shm`, path.dirname(file)].map((each) =>
          (statSync(each).mode & 0o777).toString(8),
        ),
      ).toEqual(['600', '600', '600', '700']);
      await store.close();
    } finally {
      process.umask(umask);
    }
  });
});
