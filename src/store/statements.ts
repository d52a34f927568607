import type { AuditRow } from '../domain/audit.js';
import { TOLERANCE } from '../domain/gcra.js';
import { DEFAULT_SCHEME } from '../domain/secret-hash.js';
import { and, asc, desc, eq, gt, gte, lt, or, sql } from './drizzle.js';
import { KEY_FIELDS } from './key-row.js';
import { prepared, qb } from './query.js';
import { apiKeys, auditEvents, keyRates, keyUsage, scopes, storeSettings } from './schema.js';

// The statements that never change, each compiled at its first use. What depends on the question is built by `list-query.ts`.

const keys = () => qb.select(KEY_FIELDS).from(apiKeys).innerJoin(keyUsage, eq(keyUsage.keySeq, apiKeys.seq));
/** What the store makes new hashes by, read with a key so that a verifier knows of a change as soon as of one to the key. */
const SCHEME = sql<string>`coalesce((select ${storeSettings.value} from ${storeSettings} where ${storeSettings.name} = ${'hash'}), ${DEFAULT_SCHEME})`;
const secrets = () =>
  qb
    .select({ ...KEY_FIELDS, hash: apiKeys.hash, guard: apiKeys.guard, scheme: SCHEME })
    .from(apiKeys)
    .innerJoin(keyUsage, eq(keyUsage.keySeq, apiKeys.seq));
const $ = sql.placeholder;

const among = (names: ReturnType<typeof $>) => sql`${apiKeys.nameKey} in (select value from json_each(${names}))`;

const withIds = (ids: ReturnType<typeof $>) => sql`${apiKeys.id} in (select value from json_each(${ids}))`;

/** Which keys have one of these ids or name keys, JSON arrays both. */
export const namesHeld = prepared<{ ids: string; names: string }>(() =>
  qb
    .select({ id: apiKeys.id, nameKey: apiKeys.nameKey })
    .from(apiKeys)
    .where(or(withIds($('ids')), among($('names')))),
);
export const credentialsByIds = prepared<{ ids: string }>(() =>
  secrets()
    .where(withIds($('ids')))
    .orderBy(asc(apiKeys.seq)),
);
/** `names` is a JSON array of name keys. */
export const keysByNames = prepared<{ names: string }>(() => keys().where(among($('names'))));
export const credentialsByNames = prepared<{ names: string }>(() => secrets().where(among($('names'))));
export const keyByIdOrName = prepared<{ id: string; nameKey: string }>(() =>
  keys().where(or(eq(apiKeys.id, $('id')), eq(apiKeys.nameKey, $('nameKey')))),
);
export const keysByIdRange = prepared<{ from: string; to: string; limit: number }>(() =>
  keys()
    .where(and(gte(apiKeys.id, $('from')), lt(apiKeys.id, $('to'))))
    .orderBy(asc(apiKeys.id))
    .limit($('limit')),
);
export const credentialById = prepared<{ id: string }>(() => secrets().where(eq(apiKeys.id, $('id'))));
export const credentialsAfter = prepared<{ seq: number; limit: number }>(() =>
  secrets()
    .where(gt(apiKeys.seq, $('seq')))
    .orderBy(asc(apiKeys.seq))
    .limit($('limit')),
);
export const head = prepared(() =>
  qb.select({ seq: auditEvents.seq, hash: auditEvents.hash }).from(auditEvents).orderBy(desc(auditEvents.seq)).limit(1),
);
/** What was written under an operation id and those derived from it (domain/operation.ts). */
export const operationRows = prepared<{ from: string; to: string }>(() =>
  qb
    .select({ seq: auditEvents.seq, op: auditEvents.op, body: auditEvents.body, hash: auditEvents.hash })
    .from(auditEvents)
    .where(and(gte(auditEvents.op, $('from')), lt(auditEvents.op, $('to'))))
    .orderBy(asc(auditEvents.seq)),
);
export const rowsAfter = prepared<{ seq: number; limit: number }>(() =>
  qb
    .select({
      seq: auditEvents.seq,
      op: auditEvents.op,
      body: auditEvents.body,
      prev: auditEvents.prev,
      hash: auditEvents.hash,
    })
    .from(auditEvents)
    .where(gt(auditEvents.seq, $('seq')))
    .orderBy(asc(auditEvents.seq))
    .limit($('limit')),
);
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

export const hashScheme = prepared(() =>
  qb.select({ value: storeSettings.value }).from(storeSettings).where(eq(storeSettings.name, 'hash')),
);
export const setHashScheme = prepared<{ scheme: string }>(() =>
  qb
    .insert(storeSettings)
    .values({ name: 'hash', value: $('scheme') })
    .onConflictDoUpdate({ target: storeSettings.name, set: { value: sql`excluded.value` } }),
);
/** How many keys are hashed how: what a hash begins with, up to its cost or its pepper. */
export const hashKinds = prepared(() => {
  const kind = sql<string>`substr(${apiKeys.hash}, 1, case when ${apiKeys.hash} like '$hmac%' then 28 else 7 end)`;
  return qb.select({ kind, keys: sql<number>`count(*)` }).from(apiKeys).groupBy(kind);
});
/** Compare and set: another process may have moved the key on, or a tool deleted it. */
export const moveHash = prepared<{ id: string; from: string; to: string }>(() =>
  qb
    .update(apiKeys)
    .set({ hash: sql`${$('to')}` })
    .where(and(eq(apiKeys.id, $('id')), eq(apiKeys.hash, $('from')))),
);
export const insertKey = prepared<Record<string, unknown>>(() =>
  qb.insert(apiKeys).values({
    id: $('id'),
    name: $('name'),
    nameKey: $('nameKey'),
    description: $('description'),
    mode: $('mode'),
    scopes: $('scopes'),
    status: 'active',
    rateLimit: $('rateLimit'),
    rateWindowSeconds: $('rateWindowSeconds'),
    expiresAt: $('expiresAt'),
    createdAt: $('at'),
    updatedAt: $('at'),
    hash: $('hash'),
    guard: $('guard'),
    searchText: $('searchText'),
    labels: $('labels'),
    rotatedFrom: $('rotatedFrom'),
  }),
);
export const insertAudit = prepared<Record<keyof AuditRow, unknown>>(() =>
  qb.insert(auditEvents).values({ seq: $('seq'), op: $('op'), body: $('body'), prev: $('prev'), hash: $('hash') }),
);
/** Milliseconds since 1970 by the database's own clock, the same throughout a statement. */
const NOW = sql`((julianday('now') - 2440587.5) * 86400000.0)`;

/**
 * `domain/gcra.ts` as one statement: it answers the new time and the clock, or nothing when there is no room. The time of a clock that
 * was set back is no later than a whole limit from now, or the key starts anew.
 */
export const countRequest = prepared<{ id: string; window: number; each: number }>(() => {
  const at = keyRates.wholeAt;
  const [window, each] = [$('window'), $('each')];
  const known = sql`(case when ${at} < ${NOW} or ${at} > ${NOW} + ${window} + ${each} then ${NOW} else ${at} end)`;
  return qb
    .insert(keyRates)
    .select(
      qb
        .select({ keySeq: apiKeys.seq, wholeAt: sql<number>`${NOW} + ${each}`.as('whole_at') })
        .from(apiKeys)
        .where(eq(apiKeys.id, $('id'))),
    )
    .onConflictDoUpdate({
      target: keyRates.keySeq,
      set: { wholeAt: sql`${known} + ${each}` },
      setWhere: sql`${known} + ${each} - ${window} - ${NOW} <= ${each} * ${TOLERANCE}`,
    })
    .returning({ wholeAt: keyRates.wholeAt, now: sql<number>`${NOW}` });
});
export const rateOf = prepared<{ id: string }>(() =>
  qb
    .select({ wholeAt: keyRates.wholeAt, now: sql<number>`${NOW}` })
    .from(keyRates)
    .innerJoin(apiKeys, eq(apiKeys.seq, keyRates.keySeq))
    .where(eq(apiKeys.id, $('id'))),
);

/** `marks` is a JSON array of pairs of key id and time. A trigger passes over what would move a mark back. */
export const markUsed = prepared<{ marks: string }>(() => {
  const pair = sql`select ${apiKeys.seq} as seq, value ->> 1 as at from json_each(${$('marks')}) join ${apiKeys} on ${apiKeys.id} = value ->> 0`;
  return qb
    .update(keyUsage)
    .set({ lastUsedAt: sql`used.at` })
    .from(sql`(${pair}) as used`)
    .where(sql`${keyUsage.keySeq} = used.seq`);
});
export const deleteKey = prepared<{ id: string }>(() => qb.delete(apiKeys).where(eq(apiKeys.id, $('id'))));
