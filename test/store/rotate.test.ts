import { describe, expect, test } from 'vitest';
import type { ApiKey } from '../../src/domain/api-key.js';
import type { KeyStore, NewKey } from '../../src/domain/key-store.js';
import { change, ENGINES, freshStore, keyringOver, newKey, rawDatabase, START, snapshot } from '../support/stores.js';

const HOUR = 3_600_000;
const at = (hours: number) => new Date(START.getTime() + hours * HOUR);

async function oneKey(store: KeyStore, fields: Partial<NewKey> = {}): Promise<ApiKey> {
  const [made] = await store.create([newKey('ci', fields)], change());
  if (!made) throw new Error('nothing was made');
  return made.key;
}

const retiring = (seen: ApiKey, hours = 24) => ({ name: `ci (old ${seen.id})`, expiresAt: at(hours), seen });

describe.each(ENGINES)('rotation in the store, on %s', (engine) => {
  test('is one write: the new key has the name, the old one another and an end, each is linked to the other', async () => {
    const store = await freshStore(engine);
    const old = await oneKey(store, { labels: { team: 'a' } });
    const successor = newKey('ci', { labels: { team: 'a' } });
    const { seq } = await store.audit.head();
    const { key, retired } = await store.rotate(old.id, successor, retiring(old), {
      ...change(at(1)),
      op: 'rotation-1',
    });
    expect(retired).toEqual({
      ...old,
      name: `ci (old ${old.id})`,
      expiresAt: at(24),
      rotatedTo: key.id,
      updatedAt: at(1),
    });
    expect(key).toMatchObject({ id: successor.id, name: 'ci', rotatedFrom: old.id, rotatedTo: null, createdAt: at(1) });
    expect((await store.list({ now: START, sort: 'created' })).keys).toEqual([retired, key]);
    const events = await store.audit.operation('rotation-1');
    expect((await store.audit.head()).seq).toBe(seq + 2);
    expect(events).toMatchObject([
      {
        op: 'rotation-1',
        action: 'key.rotate',
        keyId: old.id,
        before: { name: 'ci', expiresAt: null, rotatedTo: null },
        after: { name: retired.name, expiresAt: at(24).toISOString(), rotatedTo: key.id },
      },
      { op: 'rotation-1/1', action: 'key.create', keyId: key.id, after: { name: 'ci', rotatedFrom: old.id } },
    ]);
    expect((await keyringOver(store).auditVerify()).problems).toEqual([]);
    expect((await store.list({ now: START, labels: { team: 'a' } })).keys).toHaveLength(2);
    expect((await store.list({ now: START, search: '(old' })).keys).toEqual([retired]);
  });

  test('is refused as a whole', async () => {
    const store = await freshStore(engine);
    const old = await oneKey(store);
    const [other] = await store.create([newKey('other')], change());
    const taken = { ...retiring(old), name: 'Other' };
    const renamed = { ...retiring(old), seen: { ...old, name: 'before' } };
    const stale = { ...retiring(old), seen: { ...old, updatedAt: at(-1) } };
    const before = await snapshot(await rawDatabase(store.location, engine));
    for (const [code, run] of [
      ['name_taken', () => store.rotate(old.id, newKey('ci'), taken, change())],
      ['conflict', () => store.rotate(old.id, newKey('ci'), renamed, change())],
      ['conflict', () => store.rotate(old.id, newKey('ci'), stale, change())],
      ['conflict', () => store.rotate(old.id, newKey('ci', { id: other?.key.id ?? '' }), retiring(old), change())],
      ['name_taken', () => store.rotate(old.id, newKey('other'), retiring(old), change())],
      ['not_found', () => store.rotate('zzzzzzzzzzzz', newKey('ci'), retiring(old), change())],
    ] as const)
      await expect(run()).rejects.toMatchObject({ code });
    expect(await snapshot(await rawDatabase(store.location, engine))).toEqual(before);
  });

  test('is done once for one operation id, and by one of two at once', async () => {
    const store = await freshStore(engine);
    const old = await oneKey(store);
    const runs = await Promise.allSettled(
      [at(1), at(2)].map((time) => store.rotate(old.id, newKey('ci'), retiring(old), { ...change(time), op: 'once' })),
    );
    expect(runs.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const others = await Promise.allSettled([
      store.rotate(old.id, newKey('ci'), retiring(old), change(at(3))),
      store.rotate(old.id, newKey('ci'), retiring(old), { ...change(at(3)), op: 'once' }),
    ]);
    for (const other of others) expect(other).toMatchObject({ reason: { code: 'conflict' } });
    expect((await store.list({ now: START })).keys).toHaveLength(2);
  });

  test('expire ends a life at once, a second time not, and never later than it was to end', async () => {
    const store = await freshStore(engine);
    const { id } = await oneKey(store, { expiresAt: at(10) });
    const first = { ...change(at(2)), op: 'finish-it' };
    expect(await store.expire(id, first)).toMatchObject({ changed: true, key: { expiresAt: at(2), updatedAt: at(2) } });
    const head = await store.audit.head();
    expect(await store.expire(id, first)).toMatchObject({ changed: false, key: { expiresAt: at(2) } });
    expect(await store.expire(id, change(at(5)))).toMatchObject({ changed: false, key: { expiresAt: at(2) } });
    expect(await store.audit.head()).toEqual(head);
    expect((await store.audit.events({ action: 'key.expire' })).map(({ before, after }) => [before, after])).toEqual([
      [{ expiresAt: at(10).toISOString() }, { expiresAt: at(2).toISOString() }],
    ]);
    await expect(store.expire('zzzzzzzzzzzz', change())).rejects.toMatchObject({ code: 'not_found' });
    expect((await keyringOver(store).auditVerify()).problems).toEqual([]);
  });

  test.each([
    ['a later end', 'update api_keys set expires_at = expires_at + 1'],
    ['no end', 'update api_keys set expires_at = null where expires_at is not null'],
    ['another successor', "update api_keys set rotated_to = 'zzzzzzzzzzzz' where rotated_to is not null"],
    ['no successor', 'update api_keys set rotated_to = null'],
    ['another predecessor', "update api_keys set rotated_from = 'zzzzzzzzzzzz'"],
  ])('the database itself refuses %s, and a life that is not to be lengthened by a rotation', async (_, attack) => {
    const store = await freshStore(engine);
    const old = await oneKey(store, { expiresAt: at(2) });
    await expect(store.rotate(old.id, newKey('ci'), retiring(old, 3), change())).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('fixed when a key is created'),
    });
    await store.rotate(old.id, newKey('ci'), retiring(old, 1), change());
    const db = await rawDatabase(store.location, engine);
    const before = await snapshot(db);
    await expect(db.exec(attack)).rejects.toThrow('unlk:immutable');
    expect(await snapshot(db)).toEqual(before);
  });

  test('list finds what is in an overlap, by pages and with other filters', async () => {
    const store = await freshStore(engine);
    const olds: string[] = [];
    for (const [i, name] of ['a', 'b', 'c'].entries()) {
      const [made] = await store.create([newKey(name, { mode: i === 0 ? 'live' : 'test' })], change());
      if (!made) throw new Error('nothing was made');
      const expiresAt = at(i + 1);
      const retirement = { name: `${name} (old)`, expiresAt, seen: made.key };
      await store.rotate(made.key.id, newKey(name, { mode: made.key.mode }), retirement, change());
      olds.push(made.key.id);
    }
    const found = async (hours: number, more: object = {}) =>
      (await store.list({ rotating: true, now: at(hours), sort: 'created', ...more })).keys.map(({ id }) => id);
    expect(await found(0)).toEqual(olds);
    expect(await found(1)).toEqual(olds.slice(1));
    expect(await found(0, { mode: 'live' })).toEqual(olds.slice(0, 1));
    expect(await found(0, { search: 'b (old' })).toEqual(olds.slice(1, 2));
    expect(await found(3)).toEqual([]);
    const first = await store.list({ rotating: true, now: at(0), limit: 2, sort: 'expires' });
    const rest = await store.list({ rotating: true, now: at(0), limit: 2, sort: 'expires', cursor: first.next ?? '' });
    expect([...first.keys, ...rest.keys].map(({ id }) => id)).toEqual(olds);
    expect(rest.next).toBeNull();
  });
});
