import type { AuditQuery } from '../domain/key-store.js';
import type { Statement } from './database.js';
import { and, desc, eq, gte, lt, or } from './drizzle.js';
import { qb, statement } from './query.js';
import { auditEvents } from './schema.js';

/** Events that match, newest first, older than the row `before`. */
export function eventsBefore(query: AuditQuery, before: number | undefined, limit: number): Statement {
  const { keyId, action, actor, since } = query;
  return statement(
    qb
      .select({ seq: auditEvents.seq, op: auditEvents.op, body: auditEvents.body })
      .from(auditEvents)
      .where(
        and(
          before === undefined ? undefined : lt(auditEvents.seq, before),
          keyId === undefined ? undefined : eq(auditEvents.keyId, keyId),
          action === undefined ? undefined : eq(auditEvents.action, action),
          actor === undefined ? undefined : or(eq(auditEvents.actor, actor), eq(auditEvents.osUser, actor)),
          since === undefined ? undefined : gte(auditEvents.at, since.toISOString()),
        ),
      )
      .orderBy(desc(auditEvents.seq))
      .limit(limit),
  );
}
