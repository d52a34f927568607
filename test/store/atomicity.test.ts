import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Change } from '../../src/domain/change.js';
import type { KeyStore } from '../../src/domain/key-store.js';
import { loadEngine } from '../../src/store/local/engines/load.js';
import { LocalDatabase } from '../../src/store/local/local-database.js';
import { SqliteKeyStore } from '../../src/store/sqlite-key-store.js';
import { faultyProxy } from '../support/faulty-proxy.js';
import { sharedBy } from '../support/lifetime.js';
import {
  change,
  ENGINES,
  type EngineName,
  freshStore,
  keyringOver,
  LOCAL_ENGINES,
  newKey,
  options,
  rawDatabase,
  START,
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
  ['add a scope', (store, _, by) => store.settings.addScope('plan:purge', null, by)],
  ['retire a scope', (store, _, by) => store.settings.retireScope('plan:read', by)],
];

async function threeKeys(engine: EngineName) {
  const store = await freshStore(engine);
  const before = change();
  const made = await store.create(
    ['a', 'b', 'c'].map((name) => newKey(name)),
    before,
  );
  return {
    store,
    ids: made.map(({ key }) => key.id),
    id: made[1]?.key.id ?? '',
    before,
    db: await rawDatabase(store.location, engine),
  };
}

describe.each(ENGINES)('a change is whole or nothing, on %s', (engine) => {
  test.each(
    CHANGES,
  )('%s leaves nothing where its audit row is refused, and writes with it: an operation is carried out once', async (_, apply) => {
    const { store, id, before, db } = await threeKeys(engine);
    const held = await snapshot(db);
    await expect(apply(store, id, before)).rejects.toMatchObject({ code: 'conflict' });
    expect(await snapshot(db)).toEqual(held);
    const { seq } = await store.audit.head();
    await apply(store, id, change(LATER)); // and the store is not stuck
    expect(await snapshot(db)).not.toEqual(held);
    expect((await store.audit.head()).seq).toBeGreaterThan(seq);
  });

  test.each(CHANGES)('%s is undone where it would touch another number of rows than it must', async (_, apply) => {
    const { store, id, db } = await threeKeys(engine);
    for (const table of ['api_keys', 'scopes'])
      for (const event of ['insert', 'update', 'delete'])
        await db.exec(
          `create trigger lost_${table}_${event} before ${event} on ${table} begin select raise(ignore); end`,
        );
    const held = await snapshot(db);
    await expect(apply(store, id, change(LATER))).rejects.toMatchObject({ code: 'conflict' });
    expect(await snapshot(db)).toEqual(held);
  });

  const untouched = sharedBy(() => threeKeys(engine));

  test.each([
    ['an id twice', (id: string) => [newKey('x'), newKey('y', { id }), newKey('z', { id })], 'conflict'],
    ['an id that exists', (_: string, known: string) => [newKey('x'), newKey('y', { id: known })], 'conflict'],
    ['a name twice', () => [newKey('x'), newKey('X')], 'name_taken'],
    ['a name that exists', () => [newKey('x'), newKey('a')], 'name_taken'],
    ['a name that exists in another case', () => [newKey('x'), newKey('A')], 'name_taken'],
    ['a wildcard scope', () => [newKey('x'), newKey('y', { scopes: ['plan:*'] })], 'conflict'],
    ['no scope', () => [newKey('x'), newKey('y', { scopes: [] })], 'usage'],
  ])('of several keys none is made when one has %s', async (_, keys, code) => {
    const { store, ids, db } = untouched();
    const held = await snapshot(db);
    await expect(store.create(keys(newKey('any').id, ids[0] ?? ''), change())).rejects.toMatchObject({ code });
    expect(await snapshot(db)).toEqual(held);
  });

  test('changing one key leaves every other row byte for byte as it was', async () => {
    const ofOneKey = fc.constantFrom(...CHANGES.filter(([verb]) => ['edit', 'disable', 'delete'].includes(verb)));
    await fc.assert(
      fc.asyncProperty(
        fc.nat(2),
        fc.uniqueArray(ofOneKey, { minLength: 1, selector: ([verb]) => verb }),
        async (n, steps) => {
          const { store, ids, db } = await threeKeys(engine);
          const id = ids[n] ?? '';
          const others = () =>
            db.all(
              'select k.*, u.*, group_concat(s.scope) from api_keys k join key_usage u on u.key_seq = k.seq join key_scopes s on s.key_seq = k.seq where id <> ? group by k.seq order by k.seq',
              id,
            );
          const before = await others();
          const last = ([verb]: (typeof CHANGES)[number]) => (verb === 'delete' ? 1 : 0);
          for (const [, apply] of [...steps].sort((x, y) => last(x) - last(y))) await apply(store, id, change(LATER));
          expect(before).toHaveLength(2);
          expect(await others()).toEqual(before);
        },
      ),
      { numRuns: 8, seed: 20261123 },
    );
  });
});

describe.each(LOCAL_ENGINES)('a change of a file is whole or nothing, on %s', (engine) => {
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
    const { store: other, db } = await threeKeys(engine);
    const local = await LocalDatabase.open(other.location, options(engine));
    const store = new SqliteKeyStore(local);
    const [[pages] = []] = await db.rows('pragma page_count');
    await afflict(local, Number(pages));
    const held = await snapshot(db);
    const many = Array.from({ length: 200 }, (_, i) => newKey(`many ${i}`, { description: 'x'.repeat(400) }));
    await expect(store.create(many, change())).rejects.toMatchObject({ code });
    expect(await snapshot(db)).toEqual(held);
    await store.close();
  });

  test('nobody writes between what a change reads and what it writes', async () => {
    const { store } = await threeKeys(engine);
    const local = await LocalDatabase.open(store.location, options(engine));
    const other = (await loadEngine(engine)).open(store.location);
    other.exec('pragma busy_timeout = 0');
    const read = [{ sql: 'select count(*) from api_keys', params: [] }];
    const seen = await local.write(read, ([rows]) => {
      expect(() => other.exec('begin immediate')).toThrow(expect.objectContaining({ code: 'SQLITE_BUSY' }));
      return { writes: [], result: rows };
    });
    expect(seen).toEqual([[3]]);
    other.exec('begin immediate; rollback'); // and afterwards the lock is given back
    other.close();
    await local.close();
  });
});

describe('a change of a remote store is whole or nothing', () => {
  test.each([
    ['something else', 'theirs', 'made'],
    ['what it was about to do', 'mine', 'name_taken'],
  ])('somebody who does %s between what it reads and what it writes is not written over', async (_, name, end) => {
    const { store } = await threeKeys('sqld');
    const proxy = await faultyProxy(store.location);
    const delayed = await freshStore('sqld', proxy.url);
    let release = () => {};
    const done = new Promise<void>((resolve) => {
      release = resolve;
    });
    proxy.at(2, { holdUntil: done }); // its reads, and then its writes
    const outcome = delayed.create([newKey('mine')], change()).then(
      () => 'made',
      ({ code }) => code,
    );
    await proxy.arrived(proxy.requests + 2);
    await store.create([newKey(name)], change());
    release();
    expect(await outcome).toBe(end);
    const { keys } = await store.list({ now: START, sort: 'name' });
    expect(keys.map((key) => key.name)).toEqual(['a', 'b', 'c', 'mine', ...(name === 'mine' ? [] : [name])]);
    expect((await keyringOver(store).auditVerify()).problems).toEqual([]);
  });
});
