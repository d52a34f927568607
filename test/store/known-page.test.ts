import { describe, expect, onTestFinished, test } from 'vitest';
import type { ListQuery } from '../../src/domain/key-query.js';
import type { KeyStore } from '../../src/domain/key-store.js';
import { dayOf, NOTHING_RECORDED } from '../../src/domain/use.js';
import { readMigrations } from '../../src/store/migrations.js';
import { openStore } from '../../src/store/open.js';
import { change, ENGINES, freshLocation, freshStore, newKey, options, recordUse, START } from '../support/stores.js';

const SINCE = dayOf(START) - 29;
const HOUR_MS = 3_600_000;

/** A store of seven keys; each but the last was used or refused, and made by somebody else. */
async function filled(store: KeyStore): Promise<void> {
  const keys = [...'abcdefg'].map((name, i) =>
    newKey(name, { scopes: i % 2 === 0 ? ['checkin:read', 'plan:read'] : ['checkin:read'] }),
  );
  for (const [i, key] of keys.entries()) {
    const by = { ...change().by, actor: i === 3 ? null : `person-${i}@acme.example` };
    await store.create([key], { ...change(), by });
  }
  const uses = keys.slice(0, -1).map(({ id }, i) => {
    const verdict = i % 3 === 2 ? ('missing_scope' as const) : ('valid' as const);
    const detail = verdict === 'valid' ? null : 'plan:write';
    return { id, verdict, times: i + 1, at: new Date(START.getTime() - i * HOUR_MS), detail };
  });
  await recordUse(store, { uses, from: new Date(START.getTime() - 24 * HOUR_MS) });
}

/** What three questions answer. */
async function stepByStep(store: KeyStore, query: ListQuery) {
  const page = await store.list(query);
  const ids = page.keys.map(({ id }) => id);
  return { ...page, ...(await store.use.known(ids, SINCE)), creators: await store.creators(ids) };
}

const QUERIES: readonly Omit<ListQuery, 'now'>[] = [
  {},
  { limit: 3 },
  { limit: 50 },
  { limit: 3, sort: 'name' },
  { limit: 2, sort: 'last-used', descending: true },
  { limit: 2, scopes: ['plan:read'] },
  { limit: 2, search: 'c' },
  { limit: 2, mode: 'live' },
  { limit: 2, refusedAtLeast: 1 },
];

describe.each(ENGINES)('on %s, a page with what is known beside it', (engine) => {
  test.each(QUERIES)('is what three questions answer, page after page: %o', async (asked) => {
    const store = await freshStore(engine);
    await filled(store);
    let query: ListQuery = { ...asked, now: START };
    for (;;) {
      const { totals, creators, ...page } = await store.listKnown(query, SINCE);
      const expected = await stepByStep(store, query);
      expect(page).toEqual({ keys: expected.keys, next: expected.next, recording: expected.recording });
      for (const { id } of page.keys) {
        expect(totals.get(id)).toEqual(expected.totals.get(id));
        expect(creators.get(id)).toEqual(expected.creators.get(id));
        expect(creators.get(id)?.osUser).toBe('ops');
      }
      if (page.next === null) break;
      query = { ...query, cursor: page.next };
    }
  });

  test('says that nothing was recorded, where the store has no counts', async () => {
    const location = await freshLocation(engine);
    const older = await openStore(location, options(engine, { migrations: readMigrations().slice(0, 5) }));
    onTestFinished(() => older.close());
    const key = newKey('a');
    await older.create([key], change());
    const store = await openStore(location, options(engine, { create: false }));
    onTestFinished(() => store.close());
    const page = await store.listKnown({ limit: 5, now: START }, SINCE);
    expect(page.keys.map(({ name }) => name)).toEqual(['a']);
    expect(page.recording).toEqual(NOTHING_RECORDED);
    expect(page.creators.get(key.id)?.osUser).toBe('ops');
  });
});
