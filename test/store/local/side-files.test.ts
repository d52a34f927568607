import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { openStore } from '../../../src/store/open.js';
import {
  change,
  freshStore,
  LOCAL_ENGINES,
  newKey,
  options,
  rawDatabase,
  START,
  scratch,
} from '../../support/stores.js';

const SUFFIXES = ['-journal', '-wal', '-shm'];
const ROOT = process.getuid?.() === 0;

/** Files that are not plainly ours. */
const KINDS: [string, (file: string) => void][] = [
  ['a symbolic link', (file) => symlinkSync('/etc/passwd', file)],
  ['a link to nothing', (file) => symlinkSync(`${file}.none`, file)],
  ['a directory', (file) => mkdirSync(file)],
  ['a FIFO', (file) => execFileSync('mkfifo', [file])],
  [
    'a file with two names',
    (file) => {
      writeFileSync(file, '', { mode: 0o600 });
      linkSync(file, `${file}.other`);
    },
  ],
  [
    'a file that a group can write',
    (file) => {
      writeFileSync(file, '');
      chmodSync(file, 0o660);
    },
  ],
  [
    'a file that everybody can write',
    (file) => {
      writeFileSync(file, '');
      chmodSync(file, 0o602);
    },
  ],
  ...(ROOT
    ? [
        [
          'a file of another user',
          (file: string) => {
            writeFileSync(file, '', { mode: 0o600 });
            chownSync(file, 65_534, 65_534);
          },
        ] as [string, (file: string) => void],
      ]
    : []),
];
describe.each(LOCAL_ENGINES)('what lies beside a store, on %s', (engine) => {
  const open = (file: string, more: Parameters<typeof options>[1] = {}) => openStore(file, options(engine, more));

  async function closedStore(): Promise<string> {
    const store = await freshStore(engine);
    await store.create([newKey('mine')], change());
    await store.close();
    for (const suffix of SUFFIXES) rmSync(store.location + suffix, { force: true }); // libsql leaves them until it is collected
    return store.location;
  }

  /** Plants each kind of file, one after the other, has it looked at, and takes it away again. */
  async function withEach(file: string, look: () => Promise<void>): Promise<void> {
    for (const suffix of SUFFIXES)
      for (const [kind, plant] of KINDS) {
        plant(file + suffix);
        await expect(look(), `${kind} at ${suffix}`).rejects.toMatchObject({ code: 'unsafe_path' });
        for (const each of [file + suffix, `${file}${suffix}.other`]) rmSync(each, { force: true, recursive: true });
      }
  }

  test('whatever is not plainly ours is refused, and the store stays as it was', async () => {
    const file = await closedStore();
    const before = readFileSync(file);
    for (const more of [{}, { create: false }, { inspect: true }])
      await withEach(file, async () => {
        await open(file, more);
      });
    expect(readFileSync(file)).toEqual(before);
  });

  test('it is refused for a store that does not exist yet', async () => {
    const file = path.join(scratch(), 'keys.db');
    await withEach(file, async () => {
      await open(file);
    });
    expect(existsSync(file)).toBe(false);
  });

  test('it is refused for a backup, of which nothing is left', async () => {
    const store = await freshStore(engine);
    const copy = path.join(scratch(), 'copy.db');
    await withEach(copy, () => store.backup(copy));
    expect(existsSync(copy)).toBe(false);
  });

  test('a journal that names another file is refused', async () => {
    const file = await closedStore();
    writeFileSync(`${file}-journal`, Buffer.concat([Buffer.alloc(600), Buffer.from('d9d505f920a163d7', 'hex')]), {
      mode: 0o600,
    });
    await expect(open(file)).rejects.toMatchObject({
      code: 'unsafe_path',
      message: expect.stringContaining('a further file'),
    });
  });

  test('what somebody planted while the store is open is found by the connection that reads back', async () => {
    const store = await freshStore(engine);
    symlinkSync('/etc/passwd', `${store.location}-journal`);
    await expect(store.create([newKey('b')], change())).rejects.toMatchObject({ code: 'unsafe_path' });
  });

  test('a backup that was put under the log of another store is refused, not mixed with it', async () => {
    const store = await freshStore(engine);
    const copy = path.join(scratch(), 'copy.db');
    await store.backup(copy);
    await store.create([newKey('after the backup')], change()); // in the write-ahead log, and nowhere else
    renameSync(store.location, `${store.location}.old`);
    copyFileSync(copy, store.location);
    chmodSync(store.location, 0o600);
    const before = readFileSync(store.location);
    await expect(open(store.location)).rejects.toMatchObject({
      code: 'store_corrupt',
      hint: expect.stringContaining('store restore'),
    });
    expect(readFileSync(store.location)).toEqual(before);
  });

  test.each([
    true,
    false,
  ])('a log whose store was moved away is named, and nothing is made over it (create: %s)', async (create) => {
    const store = await freshStore(engine);
    await store.create([newKey('a')], change());
    renameSync(store.location, `${store.location}.moved`);
    const { size } = statSync(`${store.location}-wal`);
    await expect(openStore(store.location, options(engine, { create }))).rejects.toMatchObject({
      code: 'store_missing',
      message: expect.stringContaining(`${store.location}-wal is still there`),
      hint: expect.stringContaining('its last changes are in that log'),
    });
    expect(statSync(`${store.location}-wal`).size).toBe(size);
  });

  test('looking at a backup does not write to it', async () => {
    const store = await freshStore(engine);
    await store.create([newKey('a')], change());
    const copy = path.join(scratch(), 'copy.db');
    await store.backup(copy);
    const before = readFileSync(copy);
    const looking = await open(copy, { create: false });
    expect((await looking.list({ now: START })).keys).toHaveLength(1);
    await looking.close();
    expect(readFileSync(copy)).toEqual(before);
    const changing = await open(copy, { create: false });
    await changing.create([newKey('b')], change());
    await changing.close();
    expect(await (await rawDatabase(copy, engine)).rows('pragma journal_mode')).toEqual([['wal']]);
  });

  test('where others can make files, ours are there first', async () => {
    const folder = path.join(scratch(), 'shared');
    mkdirSync(folder);
    chmodSync(folder, 0o1777);
    const file = path.join(folder, 'keys.db');
    const store = await open(file);
    await store.create([newKey('a')], change());
    for (const suffix of SUFFIXES) expect(existsSync(file + suffix), suffix).toBe(true);
    const copy = path.join(folder, 'copy.db');
    await store.backup(copy);
    expect(SUFFIXES.filter((suffix) => existsSync(copy + suffix))).toEqual([]);
    await store.close();
    const again = await open(file, { create: false });
    await again.delete((await again.list({ now: START })).keys[0]?.id ?? '', change());
    await again.close();
  });
});
