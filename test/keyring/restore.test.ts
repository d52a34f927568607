import { chmodSync, copyFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Keyring } from '../../src/keyring/keyring.js';
import { openStore } from '../../src/store/open.js';
import { Verifier } from '../../src/verifier/verifier.js';
import { input, make } from '../support/keyrings.js';
import { keyringOver, LOCAL_ENGINES, options, scratch } from '../support/stores.js';

describe.each(LOCAL_ENGINES)('restoring a backup, on %s', (engine) => {
  async function keyringAt(file: string, more: Parameters<typeof options>[1] = {}): Promise<Keyring> {
    const store = await openStore(file, options(engine, { create: false, ...more }));
    onTestFinished(() => store.close().catch(() => {}));
    return keyringOver(store);
  }

  /** A store whose key `a` was disabled after the backup, and that has a key `later`. */
  async function scene() {
    const file = path.join(scratch(), 'keys.db');
    const keyring = await keyringAt(file, { create: true });
    const { keyString } = await make(keyring, 'a');
    const copy = path.join(path.dirname(file), 'backup.db');
    await keyring.storeBackup(copy);
    await keyring.disable('a');
    await make(keyring, 'later');
    return { file, keyring, keyString, backup: await keyringAt(copy), copy };
  }

  const names = async (keyring: Keyring) => (await keyring.list({ sort: 'created' })).keys.map(({ name }) => name);

  test('puts its keys back, says so in the log, and keeps what was there', async () => {
    const { file, keyring, backup } = await scene();
    const before = await keyring.auditHead();
    await keyring.close();
    const { head, kept } = await backup.storeRestore(file);
    const restored = await keyringAt(file);
    expect(await names(restored)).toEqual(['a']);
    expect((await restored.auditVerify()).problems).toEqual([]);
    expect(await restored.auditHead()).toEqual(head);
    expect((await restored.auditList()).at(-1)).toMatchObject({
      action: 'store.restore',
      before,
      after: await backup.auditHead(),
    });
    const old = await keyringAt(kept ?? '');
    expect(await names(old)).toEqual(['a', 'later']);
    expect(await old.auditHead()).toEqual(before);
    await make(restored, 'after');
    expect((await restored.storeCheck()).filter(({ status }) => status === 'failed')).toEqual([]);
  });

  test('removes the copies of restores that were killed, which doctor names, and nothing else', async () => {
    const { file, keyring, backup, copy } = await scene();
    const [left, journal] = [`${file}.restoring-0123abcd`, `${file}.restoring-0123abcd-journal`];
    const others = [`${file}.restoring-mine`, `${path.dirname(file)}/other.db.restoring-0123abcd`];
    for (const each of [left, journal, ...others]) copyFileSync(copy, each);
    mkdirSync(`${file}.restoring-00000000`);
    const found = async () => (await keyring.storeCheck()).filter(({ check }) => check === 'copies');
    expect(await found()).toEqual([
      {
        check: 'copies',
        status: 'warning',
        detail: `a restore was cut off, and left a copy of a store: ${left}, ${journal}`,
        hint: `the next store restore removes it; or, unless one is running: rm ${left} ${journal}`,
      },
    ]);
    await backup.storeRestore(file);
    expect(
      readdirSync(path.dirname(file))
        .filter((name) => name.includes('restoring-'))
        .sort(),
    ).toEqual(['keys.db.restoring-00000000', 'keys.db.restoring-mine', 'other.db.restoring-0123abcd']);
  });

  test('while a server and another tool have the store open', async () => {
    const { file, keyring, keyString, backup } = await scene();
    const store = await openStore(file, options(engine, { create: false, follow: true, durable: false }));
    const verifier = new Verifier(store, { environment: 'test' });
    onTestFinished(() => verifier.close());
    expect((await verifier.verify(keyString)).verdict).toBe('inactive');
    const { kept } = await backup.storeRestore(file);
    await expect.poll(async () => (await verifier.verify(keyString)).verdict).toBe('valid');
    await expect(keyring.create([input('lost')])).rejects.toMatchObject({ code: 'store_unavailable' });
    const restored = await keyringAt(file);
    await restored.disable('a');
    expect((await verifier.verify(keyString)).verdict).toBe('inactive');
    expect((await restored.auditVerify()).problems).toEqual([]);
    expect(await names(await keyringAt(kept ?? ''))).toEqual(['a', 'later']);
  });

  test('while another tool never stops writing: each of its changes is in one of the two stores, or failed', async () => {
    const { file, backup } = await scene();
    let writing = true;
    const made: string[] = [];
    const writer = (async () => {
      for (let i = 0; writing && i < 200; i++) {
        const keyring = await keyringAt(file);
        const done = await keyring.create([input(`w${i}`)]).catch((error) => {
          if (error.code !== 'store_unavailable') throw error;
        });
        if (done) made.push(`w${i}`);
        await keyring.close();
      }
    })();
    await expect.poll(() => made.length).toBeGreaterThan(3);
    const { kept } = await backup.storeRestore(file);
    const reached = made.length;
    await expect.poll(() => made.length).toBeGreaterThan(reached + 3);
    writing = false;
    await writer;
    const [old, restored] = [await keyringAt(kept ?? ''), await keyringAt(file)];
    const all = [...(await names(old)), ...(await names(restored))];
    expect(made.filter((name) => !all.includes(name))).toEqual([]);
    for (const each of [old, restored]) expect((await each.auditVerify()).problems).toEqual([]);
  });

  test.each<[string, (file: string) => void]>([
    ['is damaged', (file) => writeFileSync(file, 'no database '.repeat(1000), { mode: 0o600 })],
    ['is empty', (file) => writeFileSync(file, '')],
    ['is missing', (file) => rmSync(file)],
    [
      'was overwritten by a backup, under the log of the store that was there',
      (file) => copyFileSync(path.join(path.dirname(file), 'backup.db'), file),
    ],
  ])('where the store %s', async (_, happen) => {
    const { file, backup } = await scene();
    happen(file);
    await backup.storeRestore(file);
    const restored = await keyringAt(file);
    expect(await names(restored)).toEqual(['a']);
    await make(restored, 'after');
    expect((await restored.auditVerify()).problems).toEqual([]);
  });

  test('a backup that was changed behind its log is refused, and nothing is left of the attempt', async () => {
    const { file, keyring, copy } = await scene();
    const changed = path.join(path.dirname(copy), 'changed.db');
    copyFileSync(copy, changed);
    const { openRaw } = await import('../support/raw-database.js');
    const raw = openRaw(changed, engine);
    raw.exec("update api_keys set status = 'inactive'");
    raw.close();
    const before = readdirSync(path.dirname(file)).length;
    await expect((await keyringAt(changed)).storeRestore(file)).rejects.toMatchObject({ code: 'store_corrupt' });
    expect(await names(keyring)).toEqual(['a', 'later']);
    expect(readdirSync(path.dirname(file)).length).toBe(before);
  });

  test.each([
    ["update api_keys set status = 'inactive'", /do not agree: key .* was changed without an audit row: status/],
    ['drop trigger api_keys_immutable', /is not sound \(triggers: .*api_keys_immutable/],
  ])('a backup after %j says what is wrong with it', async (sql, says) => {
    const { file, copy } = await scene();
    const { openRaw } = await import('../support/raw-database.js');
    const raw = openRaw(copy, engine);
    raw.exec(sql);
    raw.close();
    await expect((await keyringAt(copy)).storeRestore(file)).rejects.toMatchObject({
      code: 'store_corrupt',
      message: expect.stringMatching(says),
      hint: expect.stringMatching(/nothing (more )?was (changed|copied)/),
    });
  });

  test('a backup that others can read becomes a store that they cannot', async () => {
    const { file, keyring, backup, copy } = await scene();
    await keyring.close();
    chmodSync(copy, 0o644);
    const loose = (await backup.storeCheck()).filter(({ status }) => status !== 'ok');
    expect(loose.map(({ check }) => check)).toContain('file mode');
    await backup.storeRestore(file);
    const restored = await keyringAt(file);
    expect(await names(restored)).toEqual(['a']);
    expect((await restored.storeCheck()).find(({ check }) => check === 'file mode')).toMatchObject({ status: 'ok' });
  });
});
