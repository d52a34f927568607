import { describe, expect, test } from 'vitest';
import { type ApiKey, statusAt } from '../../src/domain/api-key.js';
import { type ListQuery, SORT_FIELDS } from '../../src/domain/key-query.js';
import type { KeyStore } from '../../src/domain/key-store.js';
import { sharedBy } from '../support/lifetime.js';
import {
  change,
  DEFAULT_ENGINE,
  ENGINES,
  type EngineName,
  freshStore,
  newKey,
  rawDatabase,
  START,
} from '../support/stores.js';

const DAY = 86_400_000;
const at = (days: number) => new Date(START.getTime() + days * DAY);

/** 24 keys that differ in all that can be filtered and sorted by. */
async function population(engine: EngineName): Promise<{ store: KeyStore; all: ApiKey[] }> {
  const store = await freshStore(engine);
  const sets = [['checkin:read'], ['plan:read', 'plan:create'], ['checkin:read', 'plan:read'], ['facility:read']];
  const rows = Array.from({ length: 24 }, (_, i) =>
    newKey(`${'zayb'[i % 4]}${i} ${i % 5 === 0 ? '施設' : 'Café'}`, {
      mode: i % 3 === 0 ? 'live' : 'test',
      scopes: sets[i % 4] ?? [],
      description: i % 7 === 0 ? '100%_sure "quoted"' : null,
      expiresAt: i % 4 === 1 ? at(i - 10) : null,
    }),
  );
  for (const [i, row] of rows.entries()) await store.create([row], change(at(-30 + i)));
  for (const row of rows.filter((_, i) => i % 6 === 2)) await store.setStatus(row.id, 'inactive', change());
  const db = await rawDatabase(store.location, engine);
  const mark = 'update key_usage set last_used_at = ? where key_seq = (select seq from api_keys where id = ?)';
  for (const [i, row] of rows.entries()) if (i % 2 === 0) await db.rows(mark, at(-(i % 9)).getTime(), row.id); // several the same
  return { store, all: [...(await store.list({ now: START, sort: 'created' })).keys] };
}

const FILTERS: readonly [string, Partial<ListQuery>, (key: ApiKey) => boolean][] = [
  ['nothing', {}, () => true],
  ['active', { status: 'active' }, (key) => statusAt(key, START) === 'active'],
  ['inactive', { status: 'inactive' }, (key) => statusAt(key, START) === 'inactive'],
  ['expired', { status: 'expired' }, (key) => statusAt(key, START) === 'expired'],
  ['live', { mode: 'live' }, (key) => key.mode === 'live'],
  ['one scope', { scopes: ['plan:read'] }, (key) => key.scopes.includes('plan:read')],
  [
    'two scopes',
    { scopes: ['plan:read', 'checkin:read'] },
    (key) => key.scopes.includes('plan:read') && key.scopes.includes('checkin:read'),
  ],
  ['a scope that none holds', { scopes: ['plan:update'] }, () => false],
  ['unused for a week', { unusedSince: at(-7) }, (key) => (key.lastUsedAt ?? key.createdAt) < at(-7)],
  [
    'expiring within ten days',
    { expiringBefore: at(10) },
    (key) => key.status === 'active' && key.expiresAt !== null && key.expiresAt > START && key.expiresAt <= at(10),
  ],
  ['a search', { search: 'CAFÉ' }, (key) => key.name.includes('Café')],
  [
    'everything at once',
    { status: 'active', mode: 'test', scopes: ['checkin:read'], search: 'caf' },
    (key) =>
      statusAt(key, START) === 'active' &&
      key.mode === 'test' &&
      key.scopes.includes('checkin:read') &&
      key.name.includes('Caf'),
  ],
];

const RANK: Record<(typeof SORT_FIELDS)[number], (key: ApiKey, place: number) => string | number> = {
  created: (_, place) => place,
  name: (key) => key.name.normalize('NFC').toLowerCase(),
  'last-used': (key) => key.lastUsedAt?.getTime() ?? 0,
  expires: (key) => key.expiresAt?.getTime() ?? 8_640_000_000_000_000,
};

async function pages(
  store: KeyStore,
  query: Omit<ListQuery, 'now'>,
  limit: number,
  between: (page: number) => Promise<void> = async () => {},
): Promise<ApiKey[]> {
  const found: ApiKey[] = [];
  let cursor: string | undefined;
  for (let page = 1; ; page++) {
    const { keys, next } = await store.list({ ...query, now: START, limit, cursor });
    expect(keys.length).toBeLessThanOrEqual(limit);
    found.push(...keys);
    if (next === null) return found;
    expect(keys).toHaveLength(limit);
    cursor = next;
    await between(page);
  }
}

const ids = (keys: readonly ApiKey[]) => keys.map(({ id }) => id);

describe.each(ENGINES)('lists, on %s', (engine) => {
  /** The page sizes differ in where a cursor stands, which is the same statement on every engine. */
  const limits = engine === DEFAULT_ENGINE ? [1, 3, 7, 100] : [3];
  const unchanged = sharedBy(() => population(engine));

  test.each(
    FILTERS,
  )('filtered by %s, every order and page size gives the same keys in the right order', async (_, filter, holds) => {
    const { store, all } = unchanged();
    for (const sort of SORT_FIELDS) {
      const rank = RANK[sort];
      const expected = all
        .map((key, place) => ({ key, place }))
        .filter(({ key }) => holds(key))
        .sort((x, y) => {
          const [a, b] = [rank(x.key, x.place), rank(y.key, y.place)];
          return a < b ? -1 : a > b ? 1 : x.place - y.place;
        })
        .map(({ key }) => key.id);
      for (const descending of [false, true]) {
        const wanted = descending ? [...expected].reverse() : expected;
        for (const limit of limits)
          expect(ids(await pages(store, { ...filter, sort, descending }, limit))).toEqual(wanted);
      }
    }
  });

  test.each(
    FILTERS,
  )('filtered by %s, the order that is not asked for holds the same keys', async (_, filter, holds) => {
    const { store, all } = unchanged();
    const found = await pages(store, filter, 4);
    expect(ids(found).sort()).toEqual(ids(all.filter(holds)).sort());
  });

  test.each<[string, Partial<ListQuery>, string]>([
    ['newest first', {}, 'utsrqp'],
    ['last expired first', { status: 'expired' }, 'prq'],
    ['soonest to expire first', { expiringBefore: at(10) }, 'sut'],
    ['longest idle first', { unusedSince: at(-5) }, 'prq'],
    ['upwards where only the field is said', { sort: 'name' }, 'pqrstu'],
  ])('the order that is not asked for is %s', async (_, query, names) => {
    const store = await freshStore(engine);
    const expiry = { p: -1, q: -3, r: -2, s: 1, t: 3, u: 2 };
    for (const [name, days] of Object.entries(expiry))
      await store.create([newKey(name, { expiresAt: at(days) })], change(at(-30)));
    const db = await rawDatabase(store.location, engine);
    const mark = 'update key_usage set last_used_at = ? where key_seq = ?';
    for (const [i, days] of [-9, -7, -8, 0, 0, 0].entries()) await db.rows(mark, at(days).getTime(), i + 1);
    expect((await store.list({ ...query, now: START })).keys.map(({ name }) => name).join('')).toBe(names);
  });

  test.each(
    SORT_FIELDS,
  )('by %s, keys made and deleted between pages neither repeat nor hide the others', async (sort) => {
    for (const descending of [false, true]) {
      const { store, all } = await population(engine);
      const whole = ids((await store.list({ sort, descending, now: START })).keys);
      const [seen, ahead] = [whole[7] ?? '', whole[20] ?? '']; // deleted after page 2: one that was on it, one to come
      const found = await pages(store, { sort, descending }, 5, async (page) => {
        await store.create([newKey(`between ${page}`), newKey(`zz ${page}`)], change());
        if (page === 2) for (const id of [seen, ahead]) await store.delete(id, change());
      });
      const old = new Set(ids(all));
      expect(ids(found).filter((id) => old.has(id))).toEqual(whole.filter((id) => id !== ahead));
      expect(new Set(ids(found)).size).toBe(found.length);
    }
  });

  test.each([
    ['施設', 5],
    ['café', 19],
    ['CAFE\u0301', 19],
    ['100%_', 4],
    ['%', 4],
    ['_', 4],
    ['"quoted"', 4],
    ["'", 0],
    ['z0 ', 1],
    ['no such text', 0],
  ])('a search for %s finds %i', async (search, count) => {
    const { store } = unchanged();
    expect((await store.list({ search, now: START })).keys).toHaveLength(count);
  });

  test('a search finds a piece of the id, and follows a rename', async () => {
    const { store, all } = await population(engine);
    const key = all[3] as ApiKey;
    expect(ids((await store.list({ search: key.id.slice(2, 9), now: START })).keys)).toEqual([key.id]);
    await store.edit(key.id, { name: 'elsewhere' }, change());
    expect(ids((await store.list({ search: 'ELSEWHERE', now: START })).keys)).toEqual([key.id]);
  });

  test('a cursor that was not printed, or was for another order, is refused', async () => {
    const { store } = unchanged();
    const { next } = await store.list({ sort: 'name', limit: 2, now: START });
    const forged = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const hostile = [
      '',
      'x',
      '{}',
      forged([]),
      forged({}),
      forged(['name', false, 1, 1]),
      forged(['name', false, 'a', 1e99]),
      forged(['seq', false, 1, 1]),
      forged(['constructor', false, 1, 1]),
      forged(['name', false, null, 1]),
      forged(['name', false, 'a', 1, 'more']),
      forged(['name', false, 'a', 1.5]),
      forged(['name', false, 'a', -(2 ** 53)]),
      '\u0000',
      '%00',
      '施設',
      forged(['name', false, 'a', "1' or 1"]),
      'A'.repeat(1_000_000),
    ];
    for (const cursor of hostile)
      await expect(store.list({ sort: 'name', cursor, now: START })).rejects.toMatchObject({ code: 'usage' });
    for (const other of [{ sort: 'created' as const }, { sort: 'name' as const, descending: true }]) {
      await expect(store.list({ ...other, cursor: next ?? '', now: START })).rejects.toMatchObject({ code: 'usage' });
    }
  });

  test('no page sorts or scans: each walks an index in the order of the page', async () => {
    const { store } = unchanged();
    const { listStatements } = await import('../../src/store/list-query.js');
    const db = await rawDatabase(store.location, engine);
    const filters: Partial<ListQuery>[] = [
      {},
      { status: 'inactive' },
      { status: 'active' },
      { mode: 'test' },
      { scopes: ['plan:read'] },
    ];
    for (const filter of filters) {
      for (const sort of SORT_FIELDS) {
        const { next } = await store.list({ ...filter, sort, limit: 1, now: START });
        const first = listStatements({ ...filter, sort, limit: 20, now: START }).statements;
        const later = listStatements({ ...filter, sort, limit: 20, now: START, cursor: next ?? '' }).statements;
        const planOf = async (page: (typeof first)[number]) =>
          (await db.rows(`explain query plan ${page.sql}`, ...page.params)).map((step) => String(step[3]));
        for (const page of [...first, ...later]) {
          expect((await planOf(page)).join('\n'), `${sort} ${JSON.stringify(filter)}`).not.toContain('TEMP B-TREE');
        }
        // Behind a cursor the walk starts at its place: a SCAN would start at the beginning.
        for (const page of later)
          expect((await planOf(page))[0], `${sort} ${JSON.stringify(filter)}`).toMatch(/^SEARCH/);
        if (sort === 'last-used' || sort === 'expires') expect(later).toHaveLength(2);
      }
    }
  });

  test('among many keys of the same value the walk starts behind the cursor, not at the first of them', async () => {
    const { store } = unchanged();
    const { listStatements } = await import('../../src/store/list-query.js');
    const db = await rawDatabase(store.location, engine);
    for (const sort of ['last-used', 'expires'] as const) {
      const { next } = await store.list({ sort, limit: 15, now: START });
      const [ties] = listStatements({ sort, limit: 20, now: START, cursor: next ?? '' }).statements;
      const plan = await db.rows(`explain query plan ${ties?.sql}`, ...(ties?.params ?? []));
      expect(plan[0]?.[3]).toMatch(/=\? AND \w+>\?\)/);
    }
  });
});
