import { describe, expect, onTestFinished, test } from 'vitest';
import { newPepper, Peppers } from '../../src/domain/peppers.js';
import { hashWithPepper } from '../../src/domain/secret-hash.js';
import { copyStore } from '../../src/keyring/copy.js';
import { openStore } from '../../src/store/open.js';
import { receiver } from '../support/keyrings.js';
import {
  change,
  ENGINES,
  freshStore,
  keyringOver,
  newKey,
  options,
  rawDatabase,
  realKey,
  START,
} from '../support/stores.js';

const pepper = newPepper();
const peppers = Peppers.parse(pepper.line, 'here');
const SCHEME = `hmac-sha256:${pepper.id}` as const;

describe.each(ENGINES)('the hash scheme, on %s', (engine) => {
  test('is bcrypt at first, is set with an audit row, and set again changes nothing', async () => {
    const store = await freshStore(engine);
    expect(await store.hashScheme()).toBe('bcrypt');
    expect(await store.setHashScheme(SCHEME, change())).toEqual({ scheme: SCHEME, changed: true });
    expect(await store.setHashScheme(SCHEME, change())).toEqual({ scheme: SCHEME, changed: false });
    expect(await store.hashScheme()).toBe(SCHEME);
    expect((await store.prospect([], null)).scheme).toBe(SCHEME);
    const events = await store.auditEvents({ action: 'store.hash' });
    expect(events).toMatchObject([{ before: { scheme: 'bcrypt' }, after: { scheme: SCHEME } }]);
    expect((await keyringOver(store).auditVerify()).problems).toEqual([]);
  });

  test('that was changed behind the audit log is found', async () => {
    const store = await freshStore(engine);
    await store.setHashScheme(SCHEME, change());
    await (await rawDatabase(store.location, engine)).exec("update store_settings set value = 'bcrypt'");
    expect((await keyringOver(store).auditVerify()).problems).toEqual([
      `the hash scheme is bcrypt, and by the audit log ${SCHEME}`,
    ]);
  });

  test('that this tool does not know stops whoever would hash by it', async () => {
    const store = await freshStore(engine);
    await (await rawDatabase(store.location, engine)).exec("insert into store_settings values ('hash', 'rot13')");
    await expect(store.prospect([], null)).rejects.toMatchObject({ code: 'store_corrupt' });
  });

  test('a hash is moved by compare and set, each with its audit row; the sums follow', async () => {
    const store = await freshStore(engine);
    const [a, b] = [await realKey('a'), await realKey('b')];
    await store.create([a.row, b.row], change());
    await store.setHashScheme(SCHEME, change());
    expect(await store.credential(a.row.id)).toMatchObject({ outdated: true, scheme: SCHEME });
    const to = hashWithPepper('body of a', pepper.id, peppers);
    const moves = [
      { id: a.row.id, from: a.row.hash, to },
      { id: b.row.id, from: b.row.hash.replace(/.$/, (last) => (last === '.' ? '/' : '.')), to }, // somebody was quicker
      { id: 'zzzzzzzzzzzz', from: a.row.hash, to },
    ];
    expect(await store.rehash(moves, change())).toEqual([a.row.id]);
    expect(await store.rehash(moves, change())).toEqual([]);
    expect(await store.credential(a.row.id)).toMatchObject({ hash: to, outdated: false });
    expect((await store.credential(b.row.id))?.hash).toBe(b.row.hash);
    expect(new Map((await store.hashKinds()).map(({ kind, keys }) => [kind, keys]))).toEqual(
      new Map([
        ['$2b$04$', 1],
        [`$hmac-sha256$v=1,k=${pepper.id}$`, 1],
      ]),
    );
    expect(await store.auditEvents({ action: 'key.rehash' })).toMatchObject([{ keyId: a.row.id }]);
    expect((await keyringOver(store).auditVerify()).problems).toEqual([]);
  });

  test('is copied with the store', async () => {
    const store = await freshStore(engine);
    await store.create([newKey('a')], change());
    await store.setHashScheme(SCHEME, change());
    const target = await receiver(engine);
    await copyStore(store, target.store);
    expect(await target.store.hashScheme()).toBe(SCHEME);
    expect((await target.auditVerify()).problems).toEqual([]);
  });
});

describe.each(ENGINES)('rate limits counted in the store, on %s', (engine) => {
  const LIMIT = { limit: 10, windowSeconds: 3600 };

  test('let exactly the limit through, whoever asks, and say when to try again', async () => {
    const store = await freshStore(engine);
    const key = newKey('a', { rateLimit: LIMIT });
    await store.create([key, newKey('b')], change());
    const others = await Promise.all(
      Array.from({ length: 3 }, async () => {
        const other = await openStore(store.location, options(engine, { create: false, durable: false }));
        onTestFinished(() => other.close().catch(() => {}));
        return other;
      }),
    );
    const decisions = await Promise.all(
      Array.from({ length: 30 }, (_, i) => (others[i % 3] ?? store).admit(key.id, LIMIT)),
    );
    const admitted = decisions.filter((each) => each.admitted);
    expect(admitted).toHaveLength(10);
    expect(admitted.map(({ rate }) => rate.remaining).sort((x, y) => x - y)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    for (const each of decisions) {
      if (each.admitted) continue;
      expect(each.retryAfterMs).toBeGreaterThan(0);
      expect(each.retryAfterMs).toBeLessThanOrEqual(360_000);
      expect(each.rate).toMatchObject({ ...LIMIT, remaining: 0 });
    }
    expect(await store.admit((await store.candidates({ name: 'b', limit: 1 }))[0]?.id ?? '', LIMIT)).toMatchObject({
      admitted: true,
      rate: { remaining: 9 },
    });
  });

  test('start anew where the clock was set back, and where the time has passed', async () => {
    const store = await freshStore(engine);
    const key = newKey('a');
    await store.create([key], change());
    const db = await rawDatabase(store.location, engine);
    for (let i = 0; i < 10; i++) await store.admit(key.id, LIMIT);
    expect((await store.admit(key.id, LIMIT)).admitted).toBe(false);
    await db.exec('update key_rates set whole_at = whole_at + 8000000');
    expect(await store.admit(key.id, LIMIT)).toMatchObject({ admitted: true, rate: { remaining: 9 } });
    await db.exec('update key_rates set whole_at = 5');
    expect(await store.admit(key.id, LIMIT)).toMatchObject({ admitted: true, rate: { remaining: 9 } });
  });

  test('leave no audit row, go with their key, and follow an edited limit', async () => {
    const store = await freshStore(engine);
    const key = newKey('a');
    await store.create([key], change());
    const head = await store.auditHead();
    for (let i = 0; i < 3; i++) await store.admit(key.id, LIMIT);
    expect(await store.auditHead()).toEqual(head);
    expect(await store.admit(key.id, { limit: 2, windowSeconds: 3600 })).toMatchObject({ admitted: true });
    expect(await store.admit(key.id, { limit: 2, windowSeconds: 3600 })).toMatchObject({ admitted: false });
    await store.delete(key.id, change(START));
    const db = await rawDatabase(store.location, engine);
    expect(await db.all('select * from key_rates')).toEqual([]);
    await expect(store.admit(key.id, LIMIT)).rejects.toMatchObject({ code: 'store_unavailable' });
  });
});
