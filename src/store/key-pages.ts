import type { ApiKey } from '../domain/api-key.js';
import { KeysError } from '../domain/errors.js';
import type { KeyPage, ListQuery } from '../domain/key-query.js';
import { encodeCursor, type ListOrder, orderOf } from './cursor.js';
import type { Database, Rows, Statement } from './database.js';
import { KEY_COLUMN_COUNT, keyFromRow } from './key-row.js';
import { listStatements } from './list-query.js';
import { ofOneStore } from './one-store.js';
import { allNewestFirst, allOldestFirst, newestKeys, oldestKeys } from './plain-pages.js';
import { readRows } from './read-rows.js';
import { inOrder } from './rows.js';
import { credentialsAfter } from './statements.js';

/** How many rows one request asks a remote engine for: a server may refuse to send more than about 10 MB. */
export const PAGE_SIZE = 1000;

/** On a local engine, the second statement runs only when the first did not fill the page; on a remote one, two requests cost more. */
async function pageRows(db: Database, statements: readonly Statement[], limit: number | undefined): Promise<Rows> {
  if (db.remote) return (await db.read(statements)).flat();
  const rows: Rows[number][] = [];
  for (const part of statements) {
    if (limit === undefined || rows.length <= limit) rows.push(...((await db.read([part]))[0] ?? []));
  }
  return rows;
}

/** The statement of a list by creation, from its beginning and without a filter; null for any other. */
export function plainPage(query: ListQuery): { statements: Statement[]; order: ListOrder } | null {
  const { now: _now, limit, sort: _sort, descending: _descending, scopes = [], labels = {}, ...filters } = query;
  const order = orderOf(query);
  const given = [...scopes, ...Object.values(labels), ...Object.values(filters)];
  if (order.field !== 'created' || given.some((filter) => filter !== undefined)) return null;
  if (limit === undefined) return { statements: [order.descending ? allNewestFirst({}) : allOldestFirst({})], order };
  const rows = limit + 1;
  return { statements: [order.descending ? newestKeys({ rows }) : oldestKeys({ rows })], order };
}

/** The statements of a page: its rows are those of the first one, then those of the second. */
export function pageStatements(query: ListQuery): { statements: Statement[]; order: ListOrder } {
  return plainPage(query) ?? listStatements(query);
}

/** The page in the rows of {@link pageStatements}. */
export function pageFrom(rows: Rows, query: ListQuery, order: ListOrder): KeyPage {
  const shown = query.limit === undefined ? rows : rows.slice(0, query.limit);
  const last = shown.at(-1);
  const next =
    last && rows.length > shown.length
      ? encodeCursor(order, [last[KEY_COLUMN_COUNT] as number | string, last[0] as number])
      : null;
  return { keys: shown.map(keyFromRow), next };
}

async function onePage(db: Database, query: ListQuery): Promise<KeyPage> {
  const { statements, order } = pageStatements(query);
  return pageFrom(await pageRows(db, statements, query.limit), query, order);
}

/**
 * The keys that match, one page of them or (without a limit) all. Throws `usage` for an invalid cursor, `store_corrupt` for rows that are
 * not keys, and the `store_…` codes of the engine.
 */
export async function listKeys(db: Database, query: ListQuery): Promise<KeyPage> {
  if (query.limit !== undefined || !db.remote) return ofOneStore(db, () => onePage(db, query));
  const keys: ApiKey[] = [];
  for (let cursor = query.cursor; ; ) {
    const page = await onePage(db, { ...query, limit: PAGE_SIZE, cursor });
    keys.push(...page.keys);
    if (page.next === null) return { keys, next: null };
    if (page.next === cursor) throw new KeysError('store_corrupt', 'a page of the store is followed by itself');
    cursor = page.next;
  }
}

/** The damaged keys, as `id (fields)`. */
export async function damagedKeys(db: Database): Promise<string[]> {
  return ofOneStore(db, async () => {
    const found: string[] = [];
    for (let seq = 0; ; ) {
      const rows = inOrder(await readRows(db, credentialsAfter({ seq, limit: PAGE_SIZE })), seq);
      for (const { id, damaged } of rows.map(keyFromRow)) if (damaged) found.push(`${id} (${damaged.join(', ')})`);
      const last = rows.at(-1);
      if (!last) return found;
      seq = last[0] as number;
    }
  });
}
