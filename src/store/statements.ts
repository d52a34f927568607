import { POLICY_SETTINGS } from '../domain/policy.js';
import { DEFAULT_SCHEME } from '../domain/secret-hash.js';
import { type KeyColumns, writtenColumns } from './credential-row.js';
import type { Statement } from './database.js';
import { and, asc, desc, eq, gt, gte, lt, or, qb, sql } from './drizzle.js';
import type { KeyInsert } from './key-fields.js';
import { selectedColumns } from './key-row.js';
import { networksOfColumn } from './networks-cell.js';
import { prepared } from './query.js';
import { EXACT_NOW, NOW } from './raw-sql.js';
import { apiKeys, auditEvents, CHAIN_COLUMNS, deletedKeys, keyUsage, scopes, storeSettings } from './schema.js';

// The statements whose text never changes, each compiled at its first use. `list-query.ts` and `audit-query.ts` build the others.

const keys = () => qb.select(selectedColumns()).from(apiKeys).innerJoin(keyUsage, eq(keyUsage.keySeq, apiKeys.seq));
/** The store's hash scheme, read together with a key, so that a verifier learns of a new scheme as soon as of a changed key. */
const SCHEME = sql<string>`coalesce((select ${storeSettings.value} from ${storeSettings} where ${storeSettings.name} = ${'hash'}), ${DEFAULT_SCHEME})`;
const secrets = () =>
  qb
    .select({ ...selectedColumns(), hash: apiKeys.hash, guard: apiKeys.guard, scheme: SCHEME })
    .from(apiKeys)
    .innerJoin(keyUsage, eq(keyUsage.keySeq, apiKeys.seq));
const $ = sql.placeholder;

const among = (names: ReturnType<typeof $>) => sql`${apiKeys.nameKey} in (select value from json_each(${names}))`;

const withIds = (ids: ReturnType<typeof $>) => sql`${apiKeys.id} in (select value from json_each(${ids}))`;

/** Id and name key of the keys that have one of these ids or name keys; both are JSON arrays. */
export const namesHeld = prepared<{ ids: string; names: string }>(() =>
  qb
    .select({ id: apiKeys.id, nameKey: apiKeys.nameKey })
    .from(apiKeys)
    .where(or(withIds($('ids')), among($('names')))),
);
/** `ids` is a JSON array. In the order of creation. */
export const credentialsByIds = prepared<{ ids: string }>(() =>
  secrets()
    .where(withIds($('ids')))
    .orderBy(asc(apiKeys.seq)),
);
/** The keys that a page of the audit log ({@link rowsAfter}) is about, in the order of creation. */
export const credentialsOfEvents = prepared<{ seq: number; limit: number }>(() => {
  const ids = sql`select ${auditEvents.keyId} from ${auditEvents} where ${auditEvents.seq} > ${$('seq')} order by ${auditEvents.seq} limit ${$('limit')}`;
  return secrets().where(sql`${apiKeys.id} in (${ids})`).orderBy(asc(apiKeys.seq));
});
/** `names` is a JSON array of name keys. */
export const keysByNames = prepared<{ names: string }>(() => keys().where(among($('names'))));
/** `globs` is a JSON array of pairs: a GLOB pattern for name keys, and how many characters they have at most. */
export const namesMatching = prepared<{ globs: string; limit: number }>(() => {
  const matches = sql`exists (select 1 from json_each(${$('globs')}) where length(${apiKeys.nameKey}) <= value ->> 1 and ${apiKeys.nameKey} glob value ->> 0)`;
  const found = sql`select ${apiKeys.seq} from ${apiKeys} where ${matches}`; // the index of names has all that this reads
  return qb
    .select({ id: apiKeys.id, name: apiKeys.name })
    .from(apiKeys)
    .where(sql`${apiKeys.seq} in (${found})`)
    .limit($('limit'));
});
/** The key that has the name which a deleted key had. */
export const keyNamedAsDeleted = prepared<{ id: string }>(
  () =>
    keys().where(
      eq(
        apiKeys.nameKey,
        sql`(select ${deletedKeys.nameKey} from ${deletedKeys} where ${deletedKeys.id} = ${$('id')})`,
      ),
    ),
  1,
);
/** `names` is a JSON array of name keys. */
export const credentialsByNames = prepared<{ names: string }>(() => secrets().where(among($('names'))));
/** At most one row by id, and one by name key. */
export const keyByIdOrName = prepared<{ id: string; nameKey: string }>(
  () => keys().where(or(eq(apiKeys.id, $('id')), eq(apiKeys.nameKey, $('nameKey')))),
  2,
);
/** Keys with `from` <= id < `to`. */
export const keysByIdRange = prepared<{ from: string; to: string; limit: number }>(() =>
  keys()
    .where(and(gte(apiKeys.id, $('from')), lt(apiKeys.id, $('to'))))
    .orderBy(asc(apiKeys.id))
    .limit($('limit')),
);
/** One row, or none. */
export const credentialById = prepared<{ id: string }>(() => secrets().where(eq(apiKeys.id, $('id'))), 1);
/** Pages of all credentials, in the order of creation. */
export const credentialsAfter = prepared<{ seq: number; limit: number }>(() =>
  secrets()
    .where(gt(apiKeys.seq, $('seq')))
    .orderBy(asc(apiKeys.seq))
    .limit($('limit')),
);
/** The last audit row: seq, hash, and the JSON type of the operation id in its text; null where it holds none. */
export const head = prepared(() => {
  const operation = sql<string>`case when json_valid(${auditEvents.body}) then json_type(${auditEvents.body}, '$.op') end`;
  return qb
    .select({ seq: auditEvents.seq, hash: auditEvents.hash, operation })
    .from(auditEvents)
    .orderBy(desc(auditEvents.seq))
    .limit(1);
});
/** The log up to a row, as `seq:hash`. Null where the hash is damaged: not every byte can be sent in an answer. */
const HEAD = sql<
  string | null
>`case when typeof(${auditEvents.hash}) = 'text' and length(${auditEvents.hash}) = 64 and ${auditEvents.hash} not glob '*[^0-9a-f]*' then ${auditEvents.seq} || ':' || ${auditEvents.hash} end`;
/** Credentials by their ids, a JSON array, each followed by where the log ends. One statement, so all of it is of one moment. */
export const credentialsAndHead = prepared<{ ids: string }>(() => {
  const end = sql<string | null>`(select ${HEAD} from ${auditEvents} order by ${auditEvents.seq} desc limit 1)`;
  return qb
    .select({ ...selectedColumns(), hash: apiKeys.hash, guard: apiKeys.guard, scheme: SCHEME, end })
    .from(apiKeys)
    .innerJoin(keyUsage, eq(keyUsage.keySeq, apiKeys.seq))
    .where(withIds($('ids')));
});
/** Pages of the audit log, from row `seq`: the head that each row makes, and the key that it is about. */
export const stepsFrom = prepared<{ seq: number; limit: number }>(() => {
  const keyId = sql<
    string | null
  >`case when json_valid(${auditEvents.body}) then ${auditEvents.body} ->> '$.keyId' end`;
  return qb
    .select({ head: HEAD, keyId })
    .from(auditEvents)
    .where(gte(auditEvents.seq, $('seq')))
    .orderBy(asc(auditEvents.seq))
    .limit($('limit'));
});
const eventRows = () =>
  qb
    .select({ seq: auditEvents.seq, op: auditEvents.op, body: auditEvents.body, hash: auditEvents.hash })
    .from(auditEvents);
/** The audit rows of an operation id and of the ids derived from it (`domain/operation.ts`), oldest first, after row `seq`. */
export const operationRows = prepared<{ from: string; to: string; seq: number; limit: number }>(() =>
  eventRows()
    .where(and(gte(auditEvents.op, $('from')), lt(auditEvents.op, $('to')), gt(auditEvents.seq, $('seq'))))
    .orderBy(asc(auditEvents.seq))
    .limit($('limit')),
);
/** The first audit row of an operation id. */
export const firstOfOperation = prepared<{ op: string }>(
  () =>
    eventRows()
      .where(eq(auditEvents.op, $('op')))
      .orderBy(asc(auditEvents.seq))
      .limit(1),
  1,
);
/** Pages of the audit log, oldest first. */
export const rowsAfter = prepared<{ seq: number; limit: number }>(() =>
  qb
    .select(CHAIN_COLUMNS)
    .from(auditEvents)
    .where(gt(auditEvents.seq, $('seq')))
    .orderBy(asc(auditEvents.seq))
    .limit($('limit')),
);
/** The scope catalogue, in the order of its positions. */
export const allScopes = prepared(() =>
  qb
    .select({
      scope: scopes.scope,
      category: scopes.category,
      label: scopes.categoryLabel,
      action: scopes.action,
      retired: scopes.retired,
      position: scopes.position,
    })
    .from(scopes)
    .orderBy(asc(scopes.position)),
);

/** The hash scheme; no row when none was ever set. */
export const hashScheme = prepared(
  () => qb.select({ value: storeSettings.value }).from(storeSettings).where(eq(storeSettings.name, 'hash')),
  1,
);
/** Always changes one row. */
export const setHashScheme = prepared<{ scheme: string }>(() =>
  qb
    .insert(storeSettings)
    .values({ name: 'hash', value: $('scheme') })
    .onConflictDoUpdate({ target: storeSettings.name, set: { value: sql`excluded.value` } }),
);
/** Name and value of the settings that make the policy; no row for a default. */
export const policyRows = prepared(() =>
  qb
    .select({ name: storeSettings.name, value: storeSettings.value })
    .from(storeSettings)
    .where(or(...POLICY_SETTINGS.map((name) => eq(storeSettings.name, name)))),
);
/** Always changes one row. */
export const setSetting = prepared<{ name: string; value: string }>(() =>
  qb
    .insert(storeSettings)
    .values({ name: $('name'), value: $('value') })
    .onConflictDoUpdate({ target: storeSettings.name, set: { value: sql`excluded.value` } }),
);
/** Changes one row, or none. */
export const unsetSetting = prepared<{ name: string }>(() =>
  qb.delete(storeSettings).where(eq(storeSettings.name, $('name'))),
);
/** The setting that tells whether two addresses lead to one store. */
const TOKEN = 'copy-token';
/** Always changes one row. */
export const leaveToken = prepared<{ token: string }>(() =>
  qb
    .insert(storeSettings)
    .values({ name: TOKEN, value: $('token') })
    .onConflictDoUpdate({ target: storeSettings.name, set: { value: sql`excluded.value` } }),
);
export const readToken = prepared(() =>
  qb.select({ value: storeSettings.value }).from(storeSettings).where(eq(storeSettings.name, TOKEN)),
);
export const takeToken = prepared(() => qb.delete(storeSettings).where(eq(storeSettings.name, TOKEN)));
/** Counts the keys by kind of hash: its first characters, up to the cost or the id of the pepper. */
export const hashKinds = prepared(() => {
  const hash = sql`substr(${apiKeys.hash}, 1 + length(${networksOfColumn()}))`;
  const kind = sql<string>`substr(${hash}, 1, case when ${hash} like '$hmac%' then 28 else 7 end)`;
  return qb.select({ kind, keys: sql<number>`count(*)` }).from(apiKeys).groupBy(kind);
});
/** Compare and set: another process may have stored another hash meanwhile, or deleted the key. */
export const moveHash = prepared<{ id: string; from: string; to: string }>(() =>
  qb
    .update(apiKeys)
    .set({ hash: sql`${$('to')}` })
    .where(and(eq(apiKeys.id, $('id')), eq(apiKeys.hash, $('from')))),
);
/** Takes the columns of `keyColumns`, and the hash and the guard. */
export const insertKey = prepared<KeyColumns & { hash: string; guard: string }>(() => {
  const names = [...writtenColumns(), 'hash', 'guard'] as const;
  return qb.insert(apiKeys).values(Object.fromEntries(names.map((name) => [name, $(name)])) as unknown as KeyInsert);
});
/** Appends a row to the audit log. */
export const insertAudit = prepared<Record<'seq' | 'op' | 'body' | 'prev' | 'hash', unknown>>(() =>
  qb.insert(auditEvents).values({ seq: $('seq'), op: $('op'), body: $('body'), prev: $('prev'), hash: $('hash') }),
);
/** {@link NOW} for drizzle, which takes no SQL from a string. */
const CLOCK_NOW = sql`cast((julianday('now') - 2440587.5) * 86400000.0 as integer)`;

/**
 * Sets marks in the future to now: they were written by a process whose clock was ahead. A minute does no harm. REPLACE, because the trigger
 * that keeps marks from moving back ignores an UPDATE.
 */
export const MEND_MARKS: Statement = {
  sql: `insert or replace into key_usage (key_seq, last_used_at)
    with clock(now) as (select ${NOW})
    select key_seq, now from key_usage, clock where last_used_at > now + 60000`,
  params: [],
};
/** Counts the marks that {@link MEND_MARKS} would set. */
export const MARKS_AHEAD = `with clock(now) as (select ${EXACT_NOW})
  select count(*) from key_usage, clock where last_used_at > now + 60000`;

/**
 * `marks` is a JSON array of pairs: key id, and milliseconds since 1970, of which none is later than the database's own clock. A trigger
 * ignores a mark that would move back.
 */
export const markUsed = prepared<{ marks: string }>(() => {
  const pair = sql`select ${apiKeys.seq} as seq, min(value ->> 1, ${CLOCK_NOW}) as at from json_each(${$('marks')}) join ${apiKeys} on ${apiKeys.id} = value ->> 0`;
  return qb
    .update(keyUsage)
    .set({ lastUsedAt: sql`used.at` })
    .from(sql`(${pair}) as used`)
    .where(sql`${keyUsage.keySeq} = used.seq`);
});
/** Deletes at most one key. */
export const deleteKey = prepared<{ id: string }>(() => qb.delete(apiKeys).where(eq(apiKeys.id, $('id'))));
