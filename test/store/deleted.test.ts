import { describe, expect, test } from 'vitest';
import { Keyring } from '../../src/keyring/keyring.js';
import { another, freshKeyring, input, make, receiver } from '../support/keyrings.js';
import { BY, ENGINES, type EngineName, markUsed, rawDatabase, START, storeOf } from '../support/stores.js';
import { unguarded } from '../support/unguarded.js';

const LAST_YEAR = START.getTime() - 365 * 86_400_000;

const sound = async (keyring: Keyring) => (await keyring.auditVerify()).problems;

/** A keyring with one key, `partner`, which was used and has labels. */
async function scene(engine: EngineName) {
  const keyring = await freshKeyring(engine);
  const made = await make(keyring, 'partner', {
    mode: 'live',
    labels: { team: 'x' },
    scopes: ['plan:read', 'checkin:read'],
  });
  await markUsed(storeOf(keyring), [{ id: made.key.id, at: START }]);
  return { keyring, ...made, key: await keyring.show('partner'), db: await rawDatabase(keyring.location, engine) };
}

describe.each(ENGINES)('a deleted key, on %s', (engine) => {
  test('is refused at once, is out of reach, and comes back as it was, inactive', async () => {
    const { keyring, key, keyString, db } = await scene(engine);
    const other = await another(keyring, engine);
    const verifier = await other.verifier({ environment: 'live', markUsed: false });
    expect((await verifier.verify(keyString)).verdict).toBe('valid');
    const { keptUntil, ...was } = await keyring.delete('partner', { reason: 'left' });
    expect(was).toEqual(key);
    expect((await verifier.verify(keyString)).verdict).toBe('invalid');
    expect((await keyring.verify(keyString)).verdict).toBe('invalid');
    expect((await keyring.list()).keys).toEqual([]);
    expect(await db.all('select * from key_scopes')).toEqual([]);
    const [deletion] = await keyring.deletions();
    expect(deletion).toEqual({
      key,
      keptUntil,
      deletedAt: START,
      deletedBy: { actor: null, osUser: BY.osUser },
      reason: 'left',
      leaked: false,
    });
    const kept = (keptUntil?.getTime() ?? 0) - Date.now();
    expect(kept / 86_400_000).toBeCloseTo(7, 1);
    expect(await sound(keyring)).toEqual([]);

    const back = await keyring.restore('partner');
    expect(back).toEqual({ ...key, status: 'inactive', updatedAt: START });
    expect(await keyring.show(key.id)).toEqual(back);
    expect((await keyring.verify(keyString)).verdict).toBe('inactive');
    expect((await keyring.list({ labels: { team: 'x' }, scopes: ['plan:read'] })).keys).toEqual([back]);
    await keyring.enable('partner');
    expect((await keyring.verify(keyString)).verdict).toBe('valid');
    expect(await keyring.deletions()).toEqual([]);
    expect(await sound(keyring)).toEqual([]);
    await verifier.close();
  });

  test('gives its name away at once, and never its id', async () => {
    const { keyring, key } = await scene(engine);
    await keyring.delete('partner');
    const { key: next } = await make(keyring, 'Partner');
    expect(next.id).not.toBe(key.id);
    await expect(keyring.restore(key.id)).rejects.toMatchObject({
      code: 'name_taken',
      hint: expect.stringContaining(`restore ${key.id} --name`),
    });
    await expect(keyring.restore('partner', { name: 'Partner' })).rejects.toMatchObject({ code: 'name_taken' });
    expect((await keyring.restore('partner', { name: 'partner-1' })).id).toBe(key.id);
    await expect(keyring.restore('partner')).rejects.toMatchObject({ code: 'conflict' });
    await keyring.delete(key.id);
    await keyring.delete('partner');
    await expect(keyring.restore('no-such')).rejects.toMatchObject({ code: 'not_found' });
    expect((await keyring.deletions()).map(({ key: { name } }) => name)).toEqual(['Partner', 'partner-1']);
    await make(keyring, 'partner').then(() => keyring.delete('partner'));
    await expect(keyring.restore('partner')).rejects.toMatchObject({ code: 'ambiguous' });
    expect((await keyring.restore(key.id.slice(0, 6))).name).toBe('partner-1');
    expect(await sound(keyring)).toEqual([]);
  });

  test('a restore that is sent again is done once', async () => {
    const { keyring, key } = await scene(engine);
    await keyring.delete('partner');
    const first = await keyring.restore(key.id, {}, { operationId: 'restore-1' });
    expect(await keyring.restore(key.id, {}, { operationId: 'restore-1' })).toEqual(first);
    expect(await keyring.auditList({ action: 'key.restore' })).toHaveLength(1);
  });

  test('is dropped with the first change after its time, and cannot be restored from then on', async () => {
    const { keyring, key, db } = await scene(engine);
    await keyring.delete('partner');
    const age = `update deleted_keys set kept_until = ${LAST_YEAR}`;
    await db.exec(age);
    expect(await keyring.deletions()).toEqual([]);
    await expect(keyring.restore(key.id)).rejects.toMatchObject({ code: 'not_found' });
    await make(keyring, 'other');
    expect(await db.all('select * from deleted_keys')).toEqual([]);
    await keyring.delete('other');
    await db.exec(age);
    await keyring.dropPast();
    expect(await db.all('select * from deleted_keys')).toEqual([]);
    expect(await sound(keyring)).toEqual([]);
  });

  test('is gone at once where nobody wants it or could use it', async () => {
    const { keyring, key } = await scene(engine);
    expect((await keyring.delete('partner', { purge: true, leaked: true })).keptUntil).toBeNull();
    const plan = await keyring.plan([input('unfinished')]);
    await keyring.make(plan, { toDeliver: true });
    expect((await keyring.list({ undelivered: true })).keys.map(({ name }) => name)).toEqual(['unfinished']);
    expect((await keyring.review()).find(({ check }) => check === 'undelivered')?.count).toBe(1);
    expect((await keyring.delete('unfinished')).keptUntil).toBeNull();
    await make(keyring, 'kept');
    await keyring.delete('kept', { leaked: true });
    expect(await keyring.deletions()).toMatchObject([{ key: { name: 'kept' }, leaked: true }]);
    await keyring.purge('kept');
    await expect(keyring.purge('kept')).rejects.toMatchObject({ code: 'not_found' });
    await keyring.setStorePolicy({ keepDeleted: '0' });
    await make(keyring, 'now');
    expect((await keyring.delete('now')).keptUntil).toBeNull();
    await keyring.setStorePolicy({ keepDeleted: '365d' });
    await make(keyring, 'long');
    expect((await keyring.delete('long')).keptUntil?.getTime()).toBeGreaterThan(Date.now() + 364 * 86_400_000);
    expect((await keyring.deletions()).map(({ key: { name } }) => name)).toEqual(['long']);
    expect(await sound(keyring)).toEqual([]);
    expect((await keyring.auditList({ keyId: key.id })).at(-1)).toMatchObject({ after: { leaked: true } });
  });

  test('that was changed behind the log is found, and is not restored', async () => {
    const { keyring, key, db } = await scene(engine);
    const { key: spare } = await make(keyring, 'spare');
    await keyring.delete('partner');
    const record = (change: string) => `update deleted_keys set record = json_set(record, ${change})`;
    for (const attack of [
      "update deleted_keys set id = 'zzzzzzzzzzzz'",
      record("'$.guard', 'x'"),
      "insert into deleted_keys select seq + 9, 'zzzzzzzzzzzz', name_key, 0.5, record from deleted_keys",
      'insert or replace into deleted_keys select seq + 9, id, name_key, kept_until, record from deleted_keys',
    ])
      await expect(db.exec(attack), attack).rejects.toThrow(/unlk:|constraint|UNIQUE/i);
    await db.exec(record("'$.hash', 'another', '$.scopes', '[\"plan:create\"]'"));
    expect(await sound(keyring)).toEqual([
      `deleted key ${key.id} was changed without an audit row: scopes, credential`,
    ]);
    await expect(keyring.restore(key.id)).rejects.toMatchObject({ code: 'store_corrupt' });
    await unguarded(db, engine, `update deleted_keys set id = '${spare.id}'`);
    expect(await sound(keyring)).toEqual([`key ${spare.id} can be restored, but the audit log does not say so`]);
    await expect(keyring.restore(spare.id)).rejects.toThrow();
  });

  test('only a key that was put away comes back, and with no longer life', async () => {
    const { keyring, db } = await scene(engine);
    await keyring.delete('partner');
    const [row] = await db.all('select * from deleted_keys');
    const { id, seq, record } = row as { id: string; seq: number; record: string };
    const { guard, createdAt, scopes } = JSON.parse(record);
    const insert = (more: { guard?: string; scopes?: string; seq?: number; mode?: string }) =>
      `insert into api_keys (seq, id, name, name_key, mode, scopes, status, rate_limit, rate_window_seconds, created_at, updated_at, hash, guard, search_text)
        values (${more.seq ?? seq}, '${id}', 'x', 'x', '${more.mode ?? 'live'}', '${more.scopes ?? scopes}', 'active', 1, 1, ${createdAt}, 1, 'h', '${more.guard ?? guard}', 's')`;
    for (const other of [{ guard: 'g' }, { scopes: '["plan:create"]' }, { seq: 99 }, { mode: 'test' }])
      await expect(db.exec(insert(other))).rejects.toThrow('unlk:id-taken');
    await keyring.purge('partner');
    await expect(db.exec(insert({}))).rejects.toThrow('unlk:id-taken');
  });

  test('comes along in a copy, and so does what becomes of it later', async () => {
    const { keyring, key, keyString } = await scene(engine);
    await make(keyring, 'b');
    const target = await receiver(engine);
    await keyring.delete('partner');
    await keyring.storeCopy(target);
    expect(await target.deletions()).toEqual(await keyring.deletions());
    await keyring.restore('partner', { name: 'again' });
    await keyring.delete('b');
    await keyring.storeCopy(target);
    expect((await target.verify(keyString)).verdict).toBe('inactive');
    expect(await target.deletions()).toEqual(await keyring.deletions());
    await keyring.edit('again', { description: 'changed' });
    await keyring.delete('again');
    await keyring.purge('b');
    await keyring.storeCopy(target);
    expect(await target.deletions()).toEqual(await keyring.deletions());
    await keyring.restore(key.id);
    await keyring.enable(key.id);
    await keyring.delete(key.id);
    await keyring.storeCopy(target);
    expect(await target.deletions()).toEqual(await keyring.deletions());
    await target.restore(key.id);
    expect(await sound(target)).toEqual([]);
  });

  test('a test-only keyring neither restores nor purges a live key', async () => {
    const { keyring } = await scene(engine);
    await keyring.delete('partner');
    const testOnly = new Keyring(storeOf(keyring), { by: () => BY, now: () => START, testOnly: true });
    await expect(testOnly.restore('partner')).rejects.toMatchObject({ code: 'guarded' });
    await expect(testOnly.purge('partner')).rejects.toMatchObject({ code: 'guarded' });
  });

  test('the name and the id of a deleted key say when, and by whom', async () => {
    const { keyring, key } = await scene(engine);
    expect(await keyring.creators([key.id, 'zzzzzzzzzzzz'])).toEqual(
      new Map([[key.id, { actor: null, osUser: 'ops' }]]),
    );
    await keyring.delete('partner');
    for (const ref of ['PARTNER', key.id])
      await expect(keyring.show(ref)).rejects.toMatchObject({
        code: 'not_found',
        message: `key "partner" (${key.id}) was deleted just now by ops`,
        hint: expect.stringContaining(`unlockos-keys restore ${key.id}`),
      });
    await keyring.purge('partner');
    await expect(keyring.show('partner')).rejects.toMatchObject({
      message: `key "partner" (${key.id}) was deleted just now by ops`,
      hint: expect.stringContaining('audit list'),
    });
    await expect(keyring.show('never')).rejects.toMatchObject({ message: 'no key "never"' });
  });
});
