import { nameKey } from '../domain/key-name.js';
import type { ListQuery, SortField } from '../domain/key-query.js';
import { PENDING, PENDING_LABEL } from '../domain/labels.js';
import { dayOf, USUAL_DAYS } from '../domain/use.js';
import { decodeCursor, type ListOrder, orderOf } from './cursor.js';
import type { Statement } from './database.js';
import { and, asc, desc, eq, gt, lt, or, qb, type SQL, type SQLiteColumn, sql } from './drizzle.js';
import { selectedColumns } from './key-row.js';
import { statement } from './query.js';
import { apiKeys, keyDays, keyLabels, keyScopes, keyUsage } from './schema.js';

/** The column of each sort field. Each has an index that ends in the row id, so that SQLite walks the index and never sorts. */
const SORT_COLUMN: Record<SortField, () => SQLiteColumn> = {
  created: () => apiKeys.seq,
  name: () => apiKeys.nameKey,
  'last-used': () => keyUsage.lastUsedAt,
  expires: () => apiKeys.expiryOrder,
};

/**
 * The rows after a cursor, as one or two bounds; each is a walk of its own, and their results follow each other. `(value, seq) > (?, ?)`
 * would be one bound, but SQLite would start at the first row with that value, and a million keys may share one (never used, never
 * expiring). `seqColumn` is the row id of the outermost loop: only a bound on that column lets the walk start at the right row.
 */
function after(order: ListOrder, cursor: string, seqColumn: SQLiteColumn): SQL[] {
  const [value, seq] = decodeCursor(cursor, order);
  const compare = order.descending ? sql`<` : sql`>`;
  const column = SORT_COLUMN[order.field]();
  if (order.field === 'created') return [sql`${seqColumn} ${compare} ${seq}`];
  if (order.field === 'name') return [sql`${column} ${compare} ${value}`];
  return [sql`${column} = ${value} and ${seqColumn} ${compare} ${seq}`, sql`${column} ${compare} ${value}`];
}

/** Keeps SQLite from using an index of this column (unary plus): the filter is checked on each row of the walk instead. */
function unindexed(column: SQLiteColumn): SQL {
  return sql`+${column}`;
}

/** Status and mode use their indexes only if these have the order of the page; otherwise SQLite would collect all matches and sort. */
function keyFilters(query: ListQuery, order: ListOrder, scopeLeads: boolean): (SQL | undefined)[] {
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
 * Rows whose text contains the search, collected from the index of texts. With `page` (no other filter, and the order of that index),
 * collecting stops after one page; `after` is the bound of the cursor.
 */
function found(search: string, page: { order: ListOrder; limit: number; after: SQL | undefined } | null): SQL {
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

/** Matches the mark of a key that is yet to be handed out, with or without the process that made it. */
const undelivered = () => sql`exists (select 1 from ${keyLabels} where ${keyLabels.keySeq} = ${apiKeys.seq}
  and (${keyLabels.label} = ${`${PENDING_LABEL}=${PENDING}`} or substr(${keyLabels.label}, 1, ${PENDING_LABEL.length + PENDING.length + 2}) = ${`${PENDING_LABEL}=${PENDING}:`}))`;

/** Keys with at least so many refusals in {@link USUAL_DAYS}. */
function refused(times: number, now: Date): SQL {
  const first = dayOf(now) - USUAL_DAYS + 1;
  return sql`${apiKeys.seq} in (select ${keyDays.keySeq} from ${keyDays} where ${keyDays.day} >= ${first} and ${keyDays.verdict} <> 'valid'
    group by ${keyDays.keySeq} having sum(${keyDays.times}) >= ${times})`;
}

/** True when the search is the only filter. */
function searchAlone(query: ListQuery): boolean {
  const { status, mode, scopes, labels, rotating, unusedSince, expiringBefore } = query;
  const { neverExpires, createdBefore, refusedAtLeast, undelivered } = query;
  const labelled = Object.keys(labels ?? {}).length > 0;
  return (
    !(status || mode || scopes?.length || labelled || rotating || unusedSince || expiringBefore) &&
    !(neverExpires || createdBefore || refusedAtLeast || undelivered)
  );
}

function holds(scope: string): SQL {
  return sql`exists (select 1 from ${keyScopes} where ${keyScopes.scope} = ${scope} and ${keyScopes.keySeq} = ${apiKeys.seq})`;
}

/**
 * One page, by keyset pagination: the rows of these statements, one statement after another. The first `limit` rows are the page; one
 * more row means that there is a next page. In the default order, the first scope is the outer loop (its index has the order of the page),
 * so that a rare scope costs no more than a common one. Throws `usage` for an invalid cursor.
 */
export function listStatements(query: ListQuery): { statements: Statement[]; order: ListOrder } {
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
    query.neverExpires ? sql`${apiKeys.expiresAt} is null` : undefined,
    query.createdBefore && lt(apiKeys.createdAt, query.createdBefore.getTime()),
    query.undelivered ? sql`${keyUsage.lastUsedAt} = 0 and ${undelivered()}` : undefined,
    query.refusedAtLeast ? refused(query.refusedAtLeast, query.now) : undefined,
    query.search ? found(query.search, searchPage) : undefined,
    ...Object.entries(query.labels ?? {}).map(([name, value]) => carries(`${name}=${value}`)),
    query.rotating
      ? sql`${apiKeys.rotatedTo} is not null and ${apiKeys.expiryOrder} > ${query.now.getTime()}`
      : undefined,
    ...otherScopes.map(holds),
    firstScope !== undefined && !scopeLeads ? holds(firstScope) : undefined,
    scopeLeads ? eq(keyScopes.scope, firstScope) : undefined,
  ];
  const sortColumn = SORT_COLUMN[order.field]();
  const direction = order.descending ? desc : asc;
  const fields = { ...selectedColumns(), sortValue: sortColumn };
  // In SQLite, CROSS JOIN fixes the order of the loops: the table that gives the order of the page comes first.
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

/** The number of rows that {@link listStatements} would have, without a limit and a cursor. */
export function countStatement(query: ListQuery): Statement {
  const { statements } = listStatements({ ...query, sort: 'created', limit: undefined, cursor: undefined });
  const [{ sql: text, params }] = statements as [Statement];
  return { sql: `select count(*) from (${text})`, params, most: 1 };
}
