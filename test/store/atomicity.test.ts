import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Change, KeyStore } from '../../src/domain/key-store.js';
import { LocalDatabase } from '../../src/store/local/local-database.js';
import { SqliteKeyStore } from '../../src/store/sqlite-key-store.js';
import {
  BINDINGS,
  type BindingName,
  change,
  freshStore,
  newKey,
  options,
  rawDatabase,
  snapshot,
} from '../support/stores.js';

const LATER = new Date('2026-11-24T10:00:00.000Z');

/** Every way to change a store, on the key with this id. */
const CHANGES: [verb: string, (store: KeyStore, id: string, by: Change) => Promise<unknown>][] = [
  ['create', (store, _, by) => store.create([newKey('new'), newKey('newer')], by)],
  [
    'edit',
    (store, id, by) =>
      store.edit(id, { name: 'renamed', description: 'x', rateLimit: { limit: 1, windowSeconds: 1 } }, by),
  ],
  ['disable', (store, id, by) => store.setStatus(id, 'inactive', by)],
  ['delete', (store, id, by) => store.delete(id, by)],
  ['add a scope', (store, _, by) => store.addScope('plan:purge', null, by)],
  ['retire a scope', (store, _, by) => store.retireScope('plan:read', by)],
];

async function threeKeys(binding: BindingName) {
  const store = await freshStore(binding);
  const before = change();
  const made = await store.create(
    ['a', 'b', 'c'].map((name) => newKey(name)),
    before,
  );
  return {
    store,
    ids: made.map(({ id }) => id),
    id: made[1]?.id ?? '',
    before,
    db: await rawDatabase(store.location, binding),
  };
}

describe.each(BINDINGS)('a change is whole or nothing, on %s', (binding) => {
  test.each(CHANGES)('%s writes with its audit row', async (_, apply) => {
    const { store, id } = await threeKeys(binding);
    const { seq } = await store.auditHead();
    await apply(store, id, change(LATER));
    expect((await store.auditHead()).seq).toBeGreaterThan(seq);
  });

  test.each(
    CHANGES,
  )('%s leaves nothing where its audit row is refused: an operation is carried out once', async (_, apply) => {
    const { store, id, before, db } = await threeKeys(binding);
    const held = snapshot(db);
    await expect(apply(store, id, before)).rejects.toMatchObject({ code: 'conflict' });
    expect(snapshot(db)).toEqual(held);
    await apply(store, id, change(LATER)); // and the store is not stuck
    expect(snapshot(db)).not.toEqual(held);
  });

  test.each(CHANGES)('%s is undone where it would touch another number of rows than it must', async (_, apply) => {
    const { store, id, db } = await threeKeys(binding);
    for (const table of ['api_keys', 'scopes'])
      for (const event of ['insert', 'update', 'delete'])
        db.exec(`create trigger lost_${table}_${event} before ${event} on ${table} begin select raise(ignore); end`);
    const held = snapshot(db);
    await expect(apply(store, id, change(LATER))).rejects.toMatchObject({ code: 'conflict' });
    expect(snapshot(db)).toEqual(held);
  });

  test.each([
    [
      'no room',
      'store_full',
      (local: LocalDatabase, pages: number) => local.read([{ sql: `pragma max_page_count = ${pages}`, params: [] }]),
    ],
    [
      'a store that cannot be written',
      'store_read_only',
      (local: LocalDatabase) =>
        local.write([], () => ({ writes: [{ sql: 'pragma query_only = on', params: [], rows: 0 }], result: [] })),
    ],
  ])('%s undoes all of many keys', async (_, code, afflict) => {
    const { store: other, db } = await threeKeys(binding);
    const local = await LocalDatabase.open(other.location, options(binding));
    const store = new SqliteKeyStore(local);
    const [pages] = db.prepare('pragma page_count').raw().get() as [number];
    await afflict(local, pages);
    const held = snapshot(db);
    const many = Array.from({ length: 200 }, (_, i) => newKey(`many ${i}`, { description: 'x'.repeat(400) }));
    await expect(store.create(many, change())).rejects.toMatchObject({ code });
    expect(snapshot(db)).toEqual(held);
    await store.close();
  });

  test.each([
    ['an id twice', (id: string) => [newKey('x'), newKey('y', { id }), newKey('z', { id })], 'conflict'],
    ['an id that exists', (_: string, known: string) => [newKey('x'), newKey('y', { id: known })], 'conflict'],
    ['a name twice', () => [newKey('x'), newKey('X')], 'name_taken'],
    ['a name that exists', () => [newKey('x'), newKey('a')], 'name_taken'],
    ['a name that exists in another case', () => [newKey('x'), newKey('A')], 'name_taken'],
    ['a wildcard scope', () => [newKey('x'), newKey('y', { scopes: ['plan:*'] })], 'conflict'],
    ['no scope', () => [newKey('x'), newKey('y', { scopes: [] })], 'conflict'],
  ])('of several keys none is made when one has %s', async (_, keys, code) => {
    const { store, ids, db } = await threeKeys(binding);
    const held = snapshot(db);
    await expect(store.create(keys(newKey('any').id, ids[0] ?? ''), change())).rejects.toMatchObject({ code });
    expect(snapshot(db)).toEqual(held);
  });

  test('nobody writes between what a change reads and what it writes', async () => {
    const { store, db } = await threeKeys(binding);
    const local = await LocalDatabase.open(store.location, options(binding));
    db.exec('pragma busy_timeout = 0');
    const read = [{ sql: 'select count(*) from api_keys', params: [] }];
    const seen = await local.write(read, ([rows]) => {
      expect(() => db.exec('begin immediate')).toThrow(expect.objectContaining({ code: 'SQLITE_BUSY' }));
      return { writes: [], result: rows };
    });
    expect(seen).toEqual([[3]]);
    db.exec('begin immediate; rollback'); // and afterwards the lock is given back
    await local.close();
  });

  test('changing one key leaves every other row byte for byte as it was', async () => {
    const ofOneKey = fc.constantFrom(...CHANGES.filter(([verb]) => ['edit', 'disable', 'delete'].includes(verb)));
    await fc.assert(
      fc.asyncProperty(
        fc.nat(2),
        fc.uniqueArray(ofOneKey, { minLength: 1, selector: ([verb]) => verb }),
        async (n, steps) => {
          const { store, ids, db } = await threeKeys(binding);
          const id = ids[n] ?? '';
          const others = () =>
            db
              .prepare(
                'select k.*, u.*, group_concat(s.scope) from api_keys k join key_usage u on u.key_seq = k.seq join key_scopes s on s.key_seq = k.seq where id <> ? group by k.seq order by k.seq',
              )
              .all(id);
          const before = others();
          const last = ([verb]: (typeof CHANGES)[number]) => (verb === 'delete' ? 1 : 0);
          for (const [, apply] of [...steps].sort((x, y) => last(x) - last(y))) await apply(store, id, change(LATER));
          expect(before).toHaveLength(2);
          expect(others()).toEqual(before);
        },
      ),
      { numRuns: 20, seed: 20261123 },
    );
  });
});
