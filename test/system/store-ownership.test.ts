import { type ChildProcess, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { surroundingsOf } from '../../src/store/local/directories.js';
import { openStore } from '../../src/store/open.js';
import { Place } from '../support/built-tool.js';
import { change, LOCAL_ENGINES, newKey, options, START, scratch } from '../support/stores.js';

// Needs root: to give files away, and to attack a store as somebody else.

const NOBODY = 65_534;
/** A group that no account of a fresh system is in, and that no file knows. */
const UNKNOWN_GROUP = 54_321;

function directory(mode: number, { uid = 0, gid = 0 } = {}): string {
  const top = scratch();
  chmodSync(top, 0o755);
  const folder = path.join(top, 'place');
  mkdirSync(folder);
  chownSync(folder, uid, gid);
  chmodSync(folder, mode);
  return folder;
}

test('a directory of a group with others in it is exposed, one of a group of our own is not', () => {
  expect(surroundingsOf(directory(0o775, { gid: UNKNOWN_GROUP })).exposed).toMatchObject({
    why: expect.stringContaining(`gid ${UNKNOWN_GROUP}`),
    hint: expect.stringContaining('chmod g-w'),
  });
  expect(surroundingsOf(directory(0o775, { gid: 0 })).exposed).toBeNull();
  expect(surroundingsOf(directory(0o1775, { gid: UNKNOWN_GROUP }))).toEqual({ exposed: null, shared: true });
});

test('a directory of another user is exposed, with or without the sticky bit, and so is all below it', () => {
  for (const mode of [0o755, 0o700, 0o1777]) {
    const folder = directory(mode, { uid: NOBODY });
    const below = path.join(folder, 'below');
    mkdirSync(below, { mode: 0o700 });
    for (const each of [folder, below])
      expect(surroundingsOf(each).exposed).toMatchObject({ why: expect.stringContaining('another user (uid 65534)') });
  }
});

test("another user's link in a shared directory is exposed", () => {
  const [shared, own] = [directory(0o1777), directory(0o700)];
  const link = path.join(shared, 'link');
  symlinkSync(own, link);
  expect(surroundingsOf(link).exposed).toBeNull();
  lchownSync(link, NOBODY, NOBODY);
  expect(surroundingsOf(link).exposed).toMatchObject({ why: expect.stringContaining('symbolic link of another user') });
});

/** A hot journal that plays `page` (from 1) back into a database, as SQLite itself would write it. */
function journalOf(page: number, bytes: Buffer, pages: number): Buffer {
  const header = Buffer.alloc(512);
  Buffer.from('d9d505f920a163d7', 'hex').copy(header);
  for (const [i, value] of [1, 7, pages, 512, bytes.length].entries()) header.writeUInt32BE(value, 8 + 4 * i);
  let sum = 7;
  for (let at = bytes.length - 200; at > 0; at -= 200) sum = (sum + (bytes[at] as number)) >>> 0;
  const [before, after] = [Buffer.alloc(4), Buffer.alloc(4)];
  before.writeUInt32BE(page);
  after.writeUInt32BE(sum);
  return Buffer.concat([header, before, bytes, after]);
}

/** A journal that renames the key `mine` of a store, for whoever could read a copy of it. */
function forgery(file: string): Buffer {
  const database = readFileSync(file);
  const size = database.readUInt16BE(16);
  const at = database.indexOf('mine');
  const page = Math.floor(at / size);
  const bytes = Buffer.from(database.subarray(page * size, (page + 1) * size));
  for (let i = bytes.indexOf('mine'); i >= 0; i = bytes.indexOf('mine')) bytes.write('evil', i);
  return journalOf(page + 1, bytes, database.length / size);
}

describe.each(LOCAL_ENGINES)('on %s', (engine) => {
  const open = (file: string) => openStore(file, options(engine, { create: false }));

  async function storeIn(folder: string): Promise<string> {
    const file = path.join(folder, 'keys.db');
    const store = await openStore(file, options(engine));
    await store.create([newKey('mine')], change());
    await store.close();
    return file;
  }

  test('the forged journal of this test works where nobody looks at it', async () => {
    const file = await storeIn(directory(0o700));
    const copy = path.join(directory(0o700), 'keys.db');
    copyFileSync(file, copy);
    writeFileSync(`${copy}-journal`, forgery(file), { mode: 0o600 });
    const store = await open(copy); // all of it is ours, so SQLite plays it back, as after a crash
    expect((await store.list({ now: START })).keys.map(({ name }) => name)).toEqual(['evil']);
    await store.close();
  });

  test.each(['-journal', '-wal', '-shm'])("another user's %s in a shared directory is never read", async (suffix) => {
    const folder = directory(0o1777);
    const file = path.join(folder, 'keys.db');
    const planted = file + suffix;
    await asNobody(`require('fs').writeFileSync(process.argv[1], 'x', {mode: 0o600})`, planted).ended;
    await expect(openStore(file, options(engine))).rejects.toMatchObject({ code: 'unsafe_path' });
    expect(readFileSync(planted, 'utf8')).toBe('x');
  });

  test('an attacker who tries all the time changes no key', async () => {
    const folder = directory(0o1777);
    const file = await storeIn(folder);
    const journal = path.join(directory(0o755), 'journal');
    writeFileSync(journal, forgery(file), { mode: 0o644 });
    const attacker = asNobody(
      `const fs = require('fs'); const [, file, journal] = process.argv; const bytes = fs.readFileSync(journal);
       for (;;) for (const suffix of ['-journal', '-wal', '-shm']) {
         try { fs.writeFileSync(file + suffix, bytes, { flag: 'wx', mode: 0o666 }); } catch {}
         try { fs.unlinkSync(file + suffix); } catch {}
       }`,
      file,
      journal,
    );
    let refused = 0;
    for (let round = 0; round < 150; round++) {
      try {
        const store = await open(file);
        expect((await store.list({ now: START })).keys.map(({ name }) => name)).toEqual(['mine']);
        await store.close();
      } catch (error) {
        if ((error as { code?: string }).code !== 'unsafe_path') throw error;
        refused += 1;
      }
    }
    attacker.child.kill('SIGKILL');
    await attacker.ended;
    for (const suffix of ['-journal', '-wal', '-shm']) {
      const left = lstatSync(file + suffix, { throwIfNoEntry: false }); // it may have been killed between planting and removing
      if (left?.uid === NOBODY) rmSync(file + suffix);
    }
    const store = await open(file);
    expect((await store.list({ now: START })).keys.map(({ name }) => name)).toEqual(['mine']);
    await store.close();
    expect(refused).toBeLessThan(150);
  });

  test('nor does one who waits for the copy of a restore', async () => {
    const folder = directory(0o1777);
    const backup = path.join(directory(0o700), 'backup.db');
    const store = await open(await storeIn(folder));
    await store.backup(backup);
    const journal = path.join(directory(0o755), 'journal');
    writeFileSync(journal, forgery(backup), { mode: 0o644 });
    const attacker = asNobody(
      `const fs = require('fs'); const [, folder, journal] = process.argv; const bytes = fs.readFileSync(journal);
       for (;;) for (const name of fs.readdirSync(folder)) {
         if (!/restoring-[0-9a-f]+$/.test(name)) continue;
         try { fs.writeFileSync(folder + '/' + name + '-journal', bytes, { flag: 'wx', mode: 0o666 }); } catch {}
       }`,
      folder,
      journal,
    );
    for (let round = 0; round < 15; round++) {
      const target = path.join(folder, `restored-${round}.db`);
      const from = await open(backup);
      await from.replace(target, change()).catch((error) => {
        if (error.code !== 'unsafe_path') throw error;
      });
      await from.close();
      if (lstatSync(target, { throwIfNoEntry: false })) {
        const restored = await open(target);
        expect((await restored.list({ now: START })).keys.map(({ name }) => name)).toEqual(['mine']);
        await restored.close();
      }
    }
    attacker.child.kill('SIGKILL');
    await store.close();
  });
});

function asNobody(script: string, ...args: string[]): { child: ChildProcess; ended: Promise<void> } {
  const child = spawn(process.execPath, ['-e', script, ...args], { uid: NOBODY, gid: NOBODY, stdio: 'inherit' });
  onTestFinished(() => void child.kill('SIGKILL'));
  return { child, ended: new Promise((resolve) => child.on('exit', () => resolve())) };
}

test("a default store in a directory of root's making is an error for its user, and not an empty list", async () => {
  const place = new Place({ UNLOCKOS_KEYS_STORE: '' });
  const data = place.file('data', 'unlockos-keys');
  mkdirSync(data, { recursive: true });
  chmodSync(place.dir, 0o755);
  chmodSync(place.file('data'), 0o755);
  chmodSync(data, 0o700);
  const env = { XDG_DATA_HOME: place.file('data') };
  for (const argv of [['list'], ['store', 'path']])
    expect({ argv, ...(await place.tool(argv, { env, uid: NOBODY })) }).toMatchObject({
      exitCode: 8,
      stdout: '',
      stderr: expect.stringContaining('belongs to uid 0'),
    });
  expect(await place.tool(['doctor'], { env, uid: NOBODY })).toMatchObject({
    exitCode: 7,
    stdout: expect.stringContaining('uid 0'),
  });
});
