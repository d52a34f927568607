import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { openStore } from '../../src/store/open.js';
import {
  change,
  freshStore,
  keyringOver,
  LOCAL_ENGINES,
  newKey,
  options,
  rawDatabase,
  realKey,
  START,
  scratch,
} from '../support/stores.js';

describe.each(LOCAL_ENGINES)('damage, copies and the check, on %s', (binding) => {
  const open = (file: string, more: Parameters<typeof options>[1] = {}) => openStore(file, options(binding, more));

  async function damaged(spoil: (file: string) => void): Promise<string> {
    const store = await freshStore(binding);
    await store.create(
      Array.from({ length: 50 }, (_, i) => newKey(`key ${i}`, { description: 'x'.repeat(400) })),
      change(),
    );
    await store.close();
    spoil(store.location);
    return store.location;
  }
  const overwrite = (file: string, at: number, text: string) => {
    const descriptor = openSync(file, 'r+');
    writeSync(descriptor, text, at);
    closeSync(descriptor);
  };

  test('a damaged header is named so', async () => {
    await expect(open(await damaged((file) => overwrite(file, 0, 'no database now')))).rejects.toMatchObject({
      code: 'store_corrupt',
      hint: expect.stringContaining('store restore FILE'),
    });
  });

  test.each<[string, (file: string) => void]>([
    ['cut to half', (file) => truncateSync(file, Math.floor(statSync(file).size / 8192) * 4096)],
    ['overwritten in its middle', (file) => overwrite(file, 4096 * 8, 'x'.repeat(4096 * 4))],
  ])('a file %s is found by the check or refused, never taken for good', async (_, spoil) => {
    const file = await damaged(spoil);
    const outcome = await open(file)
      .then(async (store) => {
        const findings = await store.check().finally(() => store.close());
        return findings.some(({ status }) => status === 'failed') ? 'found' : 'missed';
      })
      .catch((error: { code: string }) => error.code);
    expect(['found', 'store_corrupt']).toContain(outcome);
  });

  test('a backup is whole, for the owner alone, a store of its own on either binding, and overwrites nothing', async () => {
    const store = await freshStore(binding);
    const { row, keyString } = await realKey('a');
    await store.create([row], change());
    const copy = path.join(scratch(), 'copy.db');
    await store.backup(copy);
    expect(statSync(copy).mode & 0o777).toBe(0o600);
    await expect(store.backup(copy)).rejects.toMatchObject({ code: 'conflict' });
    await expect(store.backup('/nonexistent/copy.db')).rejects.toMatchObject({ code: 'usage' });
    for (const other of LOCAL_ENGINES) {
      const opened = await openStore(copy, options(other, { create: false }));
      expect((await keyringOver(opened).verify(keyString)).verdict).toBe('valid');
      expect((await keyringOver(opened).auditVerify()).sound).toBe(true);
      await opened.close();
    }
  });

  test('a backup of a damaged store is refused, and leaves no file', async () => {
    const file = await damaged((each) => overwrite(each, 4096 * 8, 'x'.repeat(4096 * 4)));
    const store = await open(file);
    const copy = path.join(scratch(), 'copy.db');
    await expect(store.backup(copy)).rejects.toMatchObject({ code: 'store_corrupt' });
    expect(existsSync(copy)).toBe(false);
    await store.close();
  });

  test('a backup goes through no link, and into no directory that is not there', async () => {
    const store = await freshStore(binding);
    const folder = scratch();
    const [link, target] = [path.join(folder, 'link.db'), path.join(folder, 'target.db')];
    symlinkSync(target, link);
    await expect(store.backup(link)).rejects.toMatchObject({ code: 'conflict' });
    await expect(store.backup(store.location)).rejects.toMatchObject({ code: 'conflict' });
    expect([existsSync(target), (await store.list({ now: START })).keys]).toEqual([false, []]);
  });

  test('a sound store has nothing but good findings', async () => {
    const folder = path.join(scratch(), 'own');
    mkdirSync(folder, { mode: 0o700 });
    const store = await freshStore(binding, path.join(folder, 'keys.db'));
    const findings = await store.check();
    expect(findings.map(({ status }) => status)).toEqual(findings.map(() => 'ok'));
    expect(findings.map(({ check }) => check)).toEqual([
      'engine',
      'schema',
      'file mode',
      'writable',
      'directory mode',
      'integrity',
      'references',
      'triggers',
      'tables',
      'last-used times',
      'keys',
      'use of keys',
    ]);
    chmodSync(store.location, 0o640);
    expect((await store.check()).find(({ check }) => check === 'file mode')).toMatchObject({ status: 'warning' });
  });

  test('a directory that a group can write to, and a row that refers to nothing, are reported', async () => {
    const folder = path.join(scratch(), 'own');
    mkdirSync(folder, { mode: 0o700 });
    const store = await freshStore(binding, path.join(folder, 'keys.db'));
    chmodSync(folder, 0o770);
    const db = await rawDatabase(store.location, binding);
    await db.exec('pragma foreign_keys = off', 'insert into key_usage (key_seq) values (99)');
    const found = (await store.check()).filter(({ status }) => status !== 'ok');
    expect(found.map(({ check, status }) => [check, status])).toEqual([
      ['directory mode', 'warning'],
      ['references', 'failed'],
    ]);
  });
});
