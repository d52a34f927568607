import { copyFileSync, mkdirSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { isKeysError } from '../../src/domain/errors.js';
import type { Keyring } from '../../src/keyring/keyring.js';
import { openStore } from '../../src/store/open.js';
import { Verifier } from '../../src/verifier/verifier.js';
import { localDatabase, openRaw } from '../support/raw-database.js';
import { keyringOver, LOCAL_ENGINES, options, scratch } from '../support/stores.js';

// A verifier that stays open while something happens to the file of its store. The answer must be about what the path names now, or
// there must be none.

describe.each(LOCAL_ENGINES)('on %s', (engine) => {
  async function keyringAt(file: string, create = false): Promise<Keyring> {
    const store = await openStore(file, options(engine, { create }));
    onTestFinished(() => store.close().catch(() => {}));
    return keyringOver(store);
  }

  async function verifierAt(file: string, markUsed = true): Promise<Verifier> {
    const store = await openStore(file, options(engine, { create: false, follow: true, durable: false }));
    const verifier = new Verifier(store, { environment: 'test', markUsed });
    onTestFinished(() => verifier.close().catch(() => {}));
    return verifier;
  }

  /** A store with one key that a verifier knows, and a copy of it in which the key is disabled. */
  async function scene({ markUsed = true } = {}) {
    const folder = scratch();
    const file = path.join(folder, 'keys.db');
    const keyring = await keyringAt(file, true);
    const [made] = await keyring.create([{ name: 'a', mode: 'test', scopes: ['checkin:read'] }]);
    const copy = path.join(folder, 'copy.db');
    await keyring.storeBackup(copy);
    const changed = await keyringAt(copy);
    await changed.disable('a');
    await changed.close();
    const verifier = await verifierAt(file, markUsed);
    const answerOf = (asked: Verifier) => async () => {
      try {
        return (await asked.verify(made?.keyString)).verdict;
      } catch (error) {
        if (!isKeysError(error)) throw error;
        return error.code;
      }
    };
    const answer = answerOf(verifier);
    expect(await answer()).toBe('valid');
    return { folder, file, copy, keyring, verifier, answer, answerOf };
  }

  /** After a while, and then for good. */
  async function expectSoon(answer: () => Promise<string>, wanted: string) {
    await expect.poll(answer).toBe(wanted);
    expect(await answer()).toBe(wanted);
  }

  test('a store that is moved away and back', async () => {
    const { file, answer } = await scene();
    renameSync(file, `${file}.moved`);
    await expectSoon(answer, 'store_missing');
    renameSync(`${file}.moved`, file);
    await expectSoon(answer, 'valid');
  });

  test('a store that is deleted, side files and all', async () => {
    const { file, answer } = await scene();
    for (const suffix of ['', '-wal', '-shm']) rmSync(file + suffix, { force: true });
    await expectSoon(answer, 'store_missing');
  });

  test('a copy that is moved into the place of a store that nobody else has open', async () => {
    const { file, copy, keyring, answer } = await scene();
    await keyring.close();
    renameSync(copy, file);
    await expectSoon(answer, 'inactive');
    const now = await keyringAt(file);
    await now.enable('a');
    expect(await answer()).toBe('valid');
    await now.disable('a');
    expect(await answer()).toBe('inactive');
    expect((await now.auditVerify()).problems).toEqual([]);
  });

  test('a copy that is moved into the place of a store whose last changes are in its log', async () => {
    const { folder, file, copy, keyring, answer } = await scene();
    await keyring.create([{ name: 'in the log', mode: 'test', scopes: ['checkin:read'] }]);
    expect(statSync(`${file}-wal`).size).toBeGreaterThan(0);
    renameSync(file, path.join(folder, 'before.db'));
    renameSync(copy, file);
    await expectSoon(answer, 'inactive');
    const now = await keyringAt(file);
    expect((await now.auditVerify()).problems).toEqual([]);
    const before = await keyringAt(path.join(folder, 'before.db'));
    expect((await before.list()).keys.map(({ name }) => name)).toEqual(['in the log', 'a']);
  });

  test.each([
    'the verifier itself',
    'another program',
  ])('a copy that is moved into the place of a store whose log %s began after the store was opened', async (who) => {
    const { folder, file, copy, keyring, verifier: first, answerOf } = await scene();
    await keyring.close();
    await first.close();
    const other = await keyringAt(file);
    const store = await openStore(file, options(engine, { create: false, follow: true, durable: false }));
    expect(statSync(`${file}-wal`).size).toBe(0);
    const own = who === 'the verifier itself';
    const verifier = own
      ? await Verifier.open(store, { environment: 'test' })
      : new Verifier(store, { environment: 'test' });
    onTestFinished(() => verifier.close().catch(() => {}));
    const answer = answerOf(verifier);
    expect(await answer()).toBe('valid');
    if (!own) await other.create([{ name: 'b', mode: 'test', scopes: ['plan:read'] }]);
    expect(statSync(`${file}-wal`).size).toBeGreaterThan(0);
    const before = path.join(folder, 'before.db');
    renameSync(file, before);
    renameSync(copy, file);
    await expectSoon(answer, 'inactive');
    const now = await keyringAt(file);
    await now.enable('a');
    expect(await answer()).toBe('valid');
    expect((await now.auditVerify()).problems).toEqual([]);
    for (const each of [verifier, now, other]) await each.close();
    for (const each of [file, before]) expect((await (await keyringAt(each)).auditVerify()).problems).toEqual([]);
  });

  test('nobody makes a store, or changes a backup, over the log that a server still has of the store before', async () => {
    // It looks at its file before each report of use, too, five seconds after a use: that would let the old log go in between.
    const { folder, file, keyring, answer } = await scene({ markUsed: false });
    const [moved, backup] = [path.join(folder, 'moved.db'), path.join(folder, 'backup.db')];
    await keyring.storeBackup(backup);
    await keyring.close();
    renameSync(file, moved);
    await expect(keyringAt(file, true)).rejects.toMatchObject({
      code: 'store_unavailable',
      message: `another database was at ${file} before, and a program has it open, or was killed`,
    });
    rmSync(file, { force: true }); // an empty file: nothing was written to it
    await expectSoon(answer, 'store_missing');
    const fresh = await keyringAt(file, true);
    await fresh.create([{ name: 'fresh', mode: 'test', scopes: ['plan:read'] }]);
    await expectSoon(answer, 'invalid');
    expect((await (await keyringAt(moved)).list()).keys.map(({ name }) => name)).toEqual(['a']);
    expect((await fresh.list()).keys.map(({ name }) => name)).toEqual(['fresh']);
    await fresh.close();
    await expectSoon(answer, 'invalid');
    renameSync(backup, file);
    await expect(keyringAt(file)).rejects.toMatchObject({ code: 'store_unavailable' });
    await expectSoon(answer, 'valid');
    const restored = await keyringAt(file);
    await restored.disable('a');
    await expectSoon(answer, 'inactive');
    expect((await restored.auditVerify()).problems).toEqual([]);
  });

  test.each([
    'with',
    'without',
  ])('a store that is moved %s the log of its last changes, opened by its new name in the same process', async (log) => {
    const folder = scratch();
    const [file, moved] = [path.join(folder, 'keys.db'), path.join(folder, 'moved.db')];
    await (await keyringAt(file, true)).close();
    const keyring = await keyringAt(file);
    const names = Array.from({ length: 20 }, (_, i) => `key ${i}`);
    for (const name of names) await keyring.create([{ name, mode: 'test', scopes: ['checkin:read'] }]);
    renameSync(file, moved);
    const tooEarly = keyringAt(moved).then((other) => other.list({ limit: 50 }));
    await expect(tooEarly).rejects.toMatchObject({
      code: 'store_unavailable',
      message: `${moved} was moved there, and this process still has it open as ${file}`,
      hint: 'close the store that was opened by the old name, then open this one',
    });
    await keyring.close();
    if (log === 'with') renameSync(`${file}-wal`, `${moved}-wal`);
    const now = await keyringAt(moved);
    const found = (await now.list({ limit: 50 })).keys.map(({ name }) => name);
    expect(found).toEqual(log === 'with' ? names.toReversed() : []);
    expect((await now.auditVerify()).problems).toEqual([]);
  });

  test('a store that is moved and overwritten is damaged, though its old name is in use', async () => {
    const folder = scratch();
    const [file, moved] = [path.join(folder, 'keys.db'), path.join(folder, 'moved.db')];
    await (await keyringAt(file, true)).close();
    const keyring = await keyringAt(file);
    await keyring.list();
    renameSync(file, moved);
    writeFileSync(moved, 'no database '.repeat(1000));
    const opened = keyringAt(moved).then((other) => other.list());
    await expect(opened).rejects.toMatchObject({ code: 'store_corrupt', message: expect.stringContaining(moved) });
  });

  test('a copy that is moved into the place of a store whose log somebody still reads', async () => {
    const { folder, file, copy, keyring, answer } = await scene();
    const reader = await localDatabase(file, engine);
    await keyring.create([{ name: 'b', mode: 'test', scopes: ['plan:read'] }]);
    await reader.exec('BEGIN');
    await reader.all('SELECT count(*) FROM api_keys');
    renameSync(file, path.join(folder, 'before.db'));
    renameSync(copy, file);
    await expectSoon(answer, 'store_unavailable');
    await reader.exec('COMMIT');
    await expectSoon(answer, 'inactive');
    const now = await keyringAt(file);
    expect((await now.auditVerify()).problems).toEqual([]);
  });

  test('a copy that is written over the file', async () => {
    const { file, copy, keyring, answer } = await scene();
    await keyring.close();
    copyFileSync(copy, file);
    await expectSoon(answer, 'inactive');
  });

  /** Leaves something in the log of a store that somebody else has open as well. */
  function changeInLog(file: string) {
    const db = openRaw(file, engine);
    db.exec('UPDATE key_usage SET last_used_at = last_used_at + 1');
    db.close();
    expect(statSync(`${file}-wal`).size).toBeGreaterThan(0);
  }
  const removeLog = (file: string) => {
    for (const suffix of ['-wal', '-shm']) rmSync(file + suffix);
  };

  describe('a backup that is written over the file alone, while the log has the row of the key', () => {
    async function overwritten() {
      const { folder, file, copy, keyring, ...more } = await scene();
      const backup = path.join(folder, 'backup.db');
      const changed = await keyringAt(copy);
      await changed.storeBackup(backup);
      const looked = await keyringAt(backup);
      expect((await looked.list()).keys).toHaveLength(1); // who only looks at a backup leaves it one
      await looked.close();
      await keyring.edit('a', { description: 'in the log' });
      expect(statSync(`${file}-wal`).size).toBeGreaterThan(0);
      copyFileSync(backup, file);
      await expectSoon(more.answer, 'store_unavailable');
      return { file, backup, keyring, ...more };
    }
    const failures = async (file: string) =>
      (await (await keyringAt(file)).storeCheck()).filter(({ status }) => status === 'failed');

    test('gives no answer about both, until it is restored', async () => {
      const { file, backup, keyring, verifier, answer } = await overwritten();
      await expect(keyring.enable('a')).rejects.toMatchObject({ code: 'store_unavailable' });
      await (await keyringAt(backup)).storeRestore(file);
      await expectSoon(answer, 'inactive');
      for (const each of [keyring, verifier]) await each.close();
      expect(await failures(file)).toEqual([]);
    });

    test('is not mixed with the log when the processes end, and refused until it is restored', async () => {
      const { file, backup, keyring, verifier, answerOf } = await overwritten();
      for (const each of [keyring, verifier]) await each.close();
      await expect(verifierAt(file)).rejects.toMatchObject({ code: 'store_unavailable' });
      await (await keyringAt(backup)).storeRestore(file);
      await expectSoon(answerOf(await verifierAt(file)), 'inactive');
      expect(await failures(file)).toEqual([]);
    });
  });

  test('a copy that is written over the file after its log was taken away', async () => {
    const { file, copy, keyring, verifier, answer } = await scene();
    await keyring.close();
    changeInLog(file);
    removeLog(file);
    copyFileSync(copy, file);
    await expectSoon(answer, 'inactive');
    const now = await keyringAt(file);
    await now.create([{ name: 'b', mode: 'test', scopes: ['plan:read'] }]);
    for (const each of [verifier, now]) await each.close();
    const later = await keyringAt(file);
    expect((await later.list()).keys.map(({ name }) => name)).toEqual(['b', 'a']);
    expect((await later.auditVerify()).problems).toEqual([]);
  });

  test('a log that is taken away, and nothing else', async () => {
    const { file, keyring, verifier: first, answerOf } = await scene();
    for (const each of [keyring, first]) await each.close();
    const verifier = await verifierAt(file);
    expect(await answerOf(verifier)()).toBe('valid');
    changeInLog(file);
    removeLog(file);
    await expectSoon(answerOf(verifier), 'valid');
    await verifier.close();
    const later = await keyringAt(file);
    expect((await later.show('a')).lastUsedAt).not.toBeNull();
    expect((await later.storeCheck()).filter(({ status }) => status === 'failed')).toEqual([]);
  });

  test('a store and its log that are written over both, without the index', async () => {
    const { file, copy, keyring, answer } = await scene();
    await keyring.close();
    const other = await keyringAt(copy);
    await other.enable('a');
    await other.disable('a');
    expect(statSync(`${copy}-wal`).size).toBeGreaterThan(0);
    for (const suffix of ['', '-wal']) copyFileSync(copy + suffix, file + suffix);
    rmSync(`${file}-shm`);
    await expectSoon(answer, 'store_unavailable');
  });

  test('a keyring that is open while another store and no log are put in its place', async () => {
    const { file, copy, keyring, verifier } = await scene();
    await verifier.close();
    await keyring.edit('a', { description: 'in the log' });
    expect(statSync(`${file}-wal`).size).toBeGreaterThan(0);
    removeLog(file);
    copyFileSync(copy, file);
    await expect(keyring.edit('a', { description: 'lost' })).rejects.toMatchObject({ code: 'store_unavailable' });
    await expect(keyring.list()).rejects.toMatchObject({
      code: 'store_unavailable',
      hint: expect.stringContaining('store restore FILE'),
    });
    await keyring.close();
    const later = await keyringAt(file);
    expect(await later.show('a')).toMatchObject({ description: null, status: 'inactive' });
    expect((await later.auditVerify()).problems).toEqual([]);
  });

  test('a file of another program in its place', async () => {
    const { folder, file, answer } = await scene();
    renameSync(file, path.join(folder, 'before.db'));
    symlinkSync('/etc/passwd', file);
    await expectSoon(answer, 'store_unavailable');
  });

  test('a directory above it that is exchanged', async () => {
    const { folder, copy, file } = await scene();
    const [one, two, link] = ['one', 'two', 'link'].map((name) => path.join(folder, name)) as [string, string, string];
    for (const each of [one, two]) mkdirSync(each, { mode: 0o700 });
    const keyring = await keyringAt(file);
    await keyring.storeBackup(path.join(one, 'keys.db'));
    copyFileSync(copy, path.join(two, 'keys.db'));
    symlinkSync(one, link);
    const verifier = await verifierAt(path.join(link, 'keys.db'));
    const known = await keyringAt(path.join(link, 'keys.db'));
    const [made] = await known.create([{ name: 'only in one', mode: 'test', scopes: ['checkin:read'] }]);
    const answer = async () => (await verifier.verify(made?.keyString)).verdict;
    expect(await answer()).toBe('valid');
    rmSync(link);
    symlinkSync(two, link);
    await expectSoon(answer, 'invalid');
  });
});
