import { describe, expect, test } from 'vitest';
import { newPepper, Peppers } from '../../src/domain/peppers.js';
import { hashWithPepper } from '../../src/domain/secret-hash.js';
import { copyStore } from '../../src/keyring/copy.js';
import { receiver } from '../support/keyrings.js';
import { change, ENGINES, freshStore, keyringOver, newKey, rawDatabase, realKey, storeOf } from '../support/stores.js';
import { unguarded } from '../support/unguarded.js';

const pepper = newPepper();
const peppers = Peppers.parse(pepper.line, 'here');
const SCHEME = `hmac-sha256:${pepper.id}` as const;

describe.each(ENGINES)('the hash scheme, on %s', (engine) => {
  test('is bcrypt at first, is set with an audit row, and set again changes nothing', async () => {
    const store = await freshStore(engine);
    expect(await store.settings.hashScheme()).toBe('bcrypt');
    expect(await store.settings.setHashScheme(SCHEME, change())).toEqual({ scheme: SCHEME, changed: true });
    expect(await store.settings.setHashScheme(SCHEME, change())).toEqual({ scheme: SCHEME, changed: false });
    expect(await store.settings.hashScheme()).toBe(SCHEME);
    expect((await store.prospect([], null)).scheme).toBe(SCHEME);
    const events = await store.audit.events({ action: 'store.hash' });
    expect(events).toMatchObject([{ before: { scheme: 'bcrypt' }, after: { scheme: SCHEME } }]);
    expect((await keyringOver(store).auditVerify()).problems).toEqual([]);
  });

  test('that was changed without an audit row is found', async () => {
    const store = await freshStore(engine);
    await store.settings.setHashScheme(SCHEME, change());
    await (await rawDatabase(store.location, engine)).exec("update store_settings set value = 'bcrypt'");
    expect((await keyringOver(store).auditVerify()).problems).toEqual([
      `the hash scheme is bcrypt, but the audit log says ${SCHEME}`,
    ]);
  });

  test('that this tool does not know stops whoever would hash by it', async () => {
    const store = await freshStore(engine);
    const db = await rawDatabase(store.location, engine);
    const attack = "insert into store_settings values ('hash', 'rot13')";
    await expect(db.exec(attack)).rejects.toThrow('unlk:unreadable');
    await unguarded(db, engine, attack);
    await expect(store.prospect([], null)).rejects.toMatchObject({ code: 'store_corrupt' });
  });

  test('a hash is moved by compare and set, each with its audit row; the sums follow', async () => {
    const store = await freshStore(engine);
    const [a, b] = [await realKey('a'), await realKey('b')];
    await store.create([a.row, b.row], change());
    await store.settings.setHashScheme(SCHEME, change());
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
    expect(new Map((await store.settings.hashKinds()).map(({ kind, keys }) => [kind, keys]))).toEqual(
      new Map([
        ['$2b$04$', 1],
        [`$hmac-sha256$v=1,k=${pepper.id}$`, 1],
      ]),
    );
    expect(await store.audit.events({ action: 'key.rehash' })).toMatchObject([{ keyId: a.row.id }]);
    expect((await keyringOver(store).auditVerify()).problems).toEqual([]);
  });

  test('is copied with the store', async () => {
    const store = await freshStore(engine);
    await store.create([newKey('a')], change());
    await store.settings.setHashScheme(SCHEME, change());
    const target = await receiver(engine);
    await copyStore(store, storeOf(target));
    expect(await storeOf(target).settings.hashScheme()).toBe(SCHEME);
    expect((await target.auditVerify()).problems).toEqual([]);
  });
});
