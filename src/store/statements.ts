import type { AuditRow } from '../domain/audit.js';
import { and, asc, desc, eq, gt, gte, lt, or, sql } from './drizzle.js';
import { KEY_FIELDS } from './key-row.js';
import { prepared, qb } from './query.js';
import { apiKeys, auditEvents, keyUsage, scopes } from './schema.js';

// The statements that never change, each compiled at its first use. What depends on the question is built by `list-query.ts`.

const keys = () => qb.select(KEY_FIELDS).from(apiKeys).innerJoin(keyUsage, eq(keyUsage.keySeq, apiKeys.seq));
const secrets = () =>
  qb
    .select({ ...KEY_FIELDS, hash: apiKeys.hash, guard: apiKeys.guard })
    .from(apiKeys)
    .innerJoin(keyUsage, eq(keyUsage.keySeq, apiKeys.seq));
const $ = sql.placeholder;

export const keyByName = prepared<{ nameKey: string }>(() => keys().where(eq(apiKeys.nameKey, $('nameKey'))));
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
  }),
);
export const insertAudit = prepared<Record<keyof AuditRow, unknown>>(() =>
  qb.insert(auditEvents).values({ seq: $('seq'), op: $('op'), body: $('body'), prev: $('prev'), hash: $('hash') }),
);
export const deleteKey = prepared<{ id: string }>(() => qb.delete(apiKeys).where(eq(apiKeys.id, $('id'))));
