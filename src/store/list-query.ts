import { nameKey } from '../domain/api-key.js';
import { KeysError } from '../domain/errors.js';
import type { ListQuery, SortField } from '../domain/key-store.js';
import { SORT_FIELDS } from '../domain/key-store.js';
import type { Statement } from './database.js';
import { and, asc, desc, eq, gt, lt, or, type SQL, type SQLiteColumn, sql } from './drizzle.js';
import { KEY_FIELDS } from './key-row.js';
import { qb, statement } from './query.js';
import { apiKeys, keyLabels, keyScopes, keyUsage } from './schema.js';

/** The column behind each sort field; each has an index that closes with the row id, so a page is a walk, never a sort. */
const SORT_COLUMN: Record<SortField, SQLiteColumn> = {
  created: apiKeys.seq,
  name: apiKeys.nameKey,
  'last-used': keyUsage.lastUsedAt,
  expires: apiKeys.expiryOrder,
};

export interface Order {
  readonly field: SortField;
  readonly descending: boolean;
}

/** The order asked for, or the one in which the filter is of most use: newest first, soonest to expire first, longest idle first. */
export function orderOf(query: ListQuery): Order {
  if (query.sort) return { field: query.sort, descending: query.descending ?? false };
  if (query.status === 'expired') return { field: 'expires', descending: true };
  if (query.expiringBefore) return { field: 'expires', descending: false };
  if (query.unusedSince) return { field: 'last-used', descending: false };
  return { field: 'created', descending: true };
}

type Place = readonly [value: number | string, seq: number];

/** A cursor names the last row of a page by its sort value and row id: rows made or deleted meanwhile move nothing. */
export function encodeCursor({ field, descending }: Order, place: Place): string {
  return Buffer.from(JSON.stringify([field, descending, ...place])).toString('base64url');
}

function decodeCursor(cursor: string, order: Order): Place {
  const wrong = (why: string) =>
    new KeysError(
      'usage',
      `--cursor ${why}`,
      'pass the cursor that the page before printed, with the same filters and --sort',
    );
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(cursor.slice(0, 2000), 'base64url').toString());
  } catch {
    throw wrong('cannot be read');
  }
  if (!Array.isArray(parts) || parts.length !== 4) throw wrong('cannot be read');
  const [field, descending, value, seq] = parts as unknown[];
  const readable =
    SORT_FIELDS.includes(field as SortField) &&
    Number.isSafeInteger(seq) &&
    (field === 'name' ? typeof value === 'string' : Number.isSafeInteger(value));
  if (!readable) throw wrong('cannot be read');
  if (field !== order.field || descending !== order.descending) throw wrong('belongs to a list in another order');
  return [value as number | string, seq as number];
}

/**
 * What lies behind a cursor, as bounds that are each a walk of their own, in their order. `(value, seq) > (?, ?)` would be one bound,
 * but SQLite starts it at the first of all rows with that value, and a million keys may share one (never used, never expiring).
 * `seqColumn` is the row id of the outermost loop: only a bound on that one lets the walk start at the right place.
 */
function after(order: Order, cursor: string, seqColumn: SQLiteColumn): SQL[] {
  const [value, seq] = decodeCursor(cursor, order);
  const compare = order.descending ? sql`<` : sql`>`;
  const column = SORT_COLUMN[order.field];
  if (order.field === 'created') return [sql`${seqColumn} ${compare} ${seq}`];
  if (order.field === 'name') return [sql`${column} ${compare} ${value}`];
  return [sql`${column} = ${value} and ${seqColumn} ${compare} ${seq}`, sql`${column} ${compare} ${value}`];
}

/** A column that no index may be used for (SQLite's unary plus): the filter is checked on the rows of a walk instead. */
function unindexed(column: SQLiteColumn): SQL {
  return sql`+${column}`;
}

/**
 * Status and mode use their indexes only where these are in the order of the page; otherwise SQLite would gather every match and sort.
 */
function keyFilters(query: ListQuery, order: Order, scopeLeads: boolean): (SQL | undefined)[] {
  const now = query.now.getTime();
  const byCreation = order.field === 'created' && !scopeLeads;
  const byExpiry = order.field === 'expires';
  const status = byCreation || byExpiry ? apiKeys.status : unindexed(apiKeys.status);
  const mode = byCreation ? apiKeys.mode : unindexed(apiKeys.mode);
  const expiry = byExpiry ? apiKeys.expiryOrder : unindexed(apiKeys.expiryOrder);
  return [
    query.status === 'inactive' ? sql`${status} = 'inactive'` : undefined,
    (query.status && query.status !== 'inactive') || query.expiringBefore ? sql`${status} = 'active'` : undefined,
    query.status === 'expired' ? sql`${expiry} <= ${now}` : undefined,
    query.status === 'active' || query.expiringBefore ? sql`${expiry} > ${now}` : undefined,
    query.expiringBefore ? sql`${expiry} <= ${query.expiringBefore.getTime()}` : undefined,
    query.mode ? sql`${mode} = ${query.mode}` : undefined,
  ];
}

/**
 * Rows whose text holds the search, gathered from the index of texts. Where nothing else is asked and the order is that index's own,
 * gathering may stop at a page; `after` is the cursor's bound.
 */
function found(search: string, page: { order: Order; limit: number; after: SQL | undefined } | null): SQL {
  const hit = sql`instr(${apiKeys.searchText}, ${nameKey(search)}) > 0`;
  const hits = sql`select ${apiKeys.seq} from ${apiKeys} indexed by api_keys_search where ${hit}`;
  if (!page) return sql`${apiKeys.seq} in (${hits})`;
  const direction = page.order.descending ? sql`desc` : sql`asc`;
  const bound = page.after ? sql` and ${page.after}` : sql``;
  return sql`${apiKeys.seq} in (${hits}${bound} order by ${apiKeys.seq} ${direction} limit ${page.limit + 1})`;
}

function carries(label: string): SQL {
  return sql`${apiKeys.seq} in (select ${keyLabels.keySeq} from ${keyLabels} where ${keyLabels.label} = ${label})`;
}

/** True when a search is all that narrows the list. */
function searchAlone(query: ListQuery): boolean {
  const { status, mode, scopes, labels, rotating, unusedSince, expiringBefore } = query;
  const labelled = Object.keys(labels ?? {}).length > 0;
  return !(status || mode || scopes?.length || labelled || rotating || unusedSince || expiringBefore);
}

function holds(scope: string): SQL {
  return sql`exists (select 1 from ${keyScopes} where ${keyScopes.scope} = ${scope} and ${keyScopes.keySeq} = ${apiKeys.seq})`;
}

/**
 * One page, by keyset: the rows of these statements one after another, of which the first `limit` are the page, and one more tells
 * whether there is a next. In the default order a scope is the outer loop (its index is in the order of the page), so a rare scope
 * costs no more than a common one.
 */
export function listStatements(query: ListQuery): { statements: Statement[]; order: Order } {
  const order = orderOf(query);
  const [firstScope, ...otherScopes] = query.scopes ?? [];
  const scopeLeads = firstScope !== undefined && order.field === 'created';
  const seqColumn = scopeLeads ? keyScopes.keySeq : order.field === 'last-used' ? keyUsage.keySeq : apiKeys.seq;
  const bounds = query.cursor === undefined ? [undefined] : after(order, query.cursor, seqColumn);
  const { limit } = query;
  const searchPage =
    order.field === 'created' && searchAlone(query) && limit !== undefined ? { order, limit, after: bounds[0] } : null;
  const conditions: (SQL | undefined)[] = [
    ...keyFilters(query, order, scopeLeads),
    query.unusedSince &&
      and(
        lt(keyUsage.lastUsedAt, query.unusedSince.getTime()),
        or(gt(keyUsage.lastUsedAt, 0), lt(apiKeys.createdAt, query.unusedSince.getTime())),
      ),
    query.search ? found(query.search, searchPage) : undefined,
    ...Object.entries(query.labels ?? {}).map(([name, value]) => carries(`${name}=${value}`)),
    query.rotating
      ? sql`${apiKeys.rotatedTo} is not null and ${apiKeys.expiryOrder} > ${query.now.getTime()}`
      : undefined,
    ...otherScopes.map(holds),
    firstScope !== undefined && !scopeLeads ? holds(firstScope) : undefined,
    scopeLeads ? eq(keyScopes.scope, firstScope) : undefined,
  ];
  const sortColumn = SORT_COLUMN[order.field];
  const direction = order.descending ? desc : asc;
  const fields = { ...KEY_FIELDS, sortValue: sortColumn };
  // CROSS JOIN fixes the order of the loops in SQLite: the table that gives the order of the page comes first.
  const page = (bound: SQL | undefined) => {
    if (scopeLeads) {
      return qb
        .select(fields)
        .from(keyScopes)
        .crossJoin(apiKeys)
        .crossJoin(keyUsage)
        .where(and(eq(apiKeys.seq, keyScopes.keySeq), eq(keyUsage.keySeq, keyScopes.keySeq), bound, ...conditions))
        .orderBy(direction(keyScopes.keySeq));
    }
    if (order.field === 'last-used') {
      return qb
        .select(fields)
        .from(keyUsage)
        .crossJoin(apiKeys)
        .where(and(eq(apiKeys.seq, keyUsage.keySeq), bound, ...conditions))
        .orderBy(direction(keyUsage.lastUsedAt), direction(keyUsage.keySeq));
    }
    const rows = qb
      .select(fields)
      .from(apiKeys)
      .crossJoin(keyUsage)
      .where(and(eq(keyUsage.keySeq, apiKeys.seq), bound, ...conditions));
    return order.field === 'created'
      ? rows.orderBy(direction(apiKeys.seq))
      : rows.orderBy(direction(sortColumn), direction(apiKeys.seq));
  };
  const statements = bounds.map((bound) => statement(limit === undefined ? page(bound) : page(bound).limit(limit + 1)));
  return { statements, order };
}
