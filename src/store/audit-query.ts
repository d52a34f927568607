import { type AuditHead, formatHead, GENESIS } from '../domain/audit.js';
import { chainedEvent } from '../domain/audit-line.js';
import type { AuditPage, AuditPosition, AuditQuery, ChainedEvent } from '../domain/audit-side.js';
import { KeysError } from '../domain/errors.js';
import type { Database, Statement } from './database.js';
import { and, asc, desc, eq, gt, gte, lt, or, qb, type SQL, sql } from './drizzle.js';
import { PAGE_SIZE } from './key-pages.js';
import { ofOneStore } from './one-store.js';
import { statement } from './query.js';
import { auditRowFromRow, headFromRows, inOrder } from './rows.js';
import { auditEvents, CHAIN_COLUMNS } from './schema.js';
import { head, rowsAfter } from './statements.js';

/** Matches the name of the key as it was then, before or after the change. A row that holds no JSON matches nothing. */
function named(name: string): SQL {
  const isName = (path: string) => sql`lower(json_extract(${auditEvents.body}, ${path})) = lower(${name})`;
  return sql`CASE WHEN json_valid(${auditEvents.body}) THEN ${isName('$.keyName')} OR ${isName('$.before.name')} ELSE 0 END`;
}

/** The conditions of a query, beside its limit. */
function conditions({ keyId, keyName, action, actor, since }: AuditQuery): (SQL | undefined)[] {
  return [
    keyId === undefined ? undefined : eq(auditEvents.keyId, keyId),
    keyName === undefined ? undefined : named(keyName),
    action === undefined ? undefined : eq(auditEvents.action, action),
    actor === undefined ? undefined : or(eq(auditEvents.actor, actor), eq(auditEvents.osUser, actor)),
    since === undefined ? undefined : gte(auditEvents.at, since.toISOString()),
  ];
}

const rows = () => qb.select(CHAIN_COLUMNS).from(auditEvents);

/** The events that match and are older than row `before`, newest first. */
function eventsBefore(query: AuditQuery, before: number | undefined, limit: number): Statement {
  return statement(
    rows()
      .where(and(before === undefined ? undefined : lt(auditEvents.seq, before), ...conditions(query)))
      .orderBy(desc(auditEvents.seq))
      .limit(limit),
  );
}

/** The events that match and are newer than row `after`, oldest first. */
function eventsAfter(query: AuditQuery, after: number, limit: number): Statement {
  return statement(
    rows()
      .where(and(gt(auditEvents.seq, after), ...conditions(query)))
      .orderBy(asc(auditEvents.seq))
      .limit(limit),
  );
}

/**
 * The newest events that match, at most `query.limit` of them, oldest first. Throws `store_corrupt` for rows that are not events or not
 * in order, and the `store_…` codes of the engine.
 */
export async function readEvents(db: Database, query: AuditQuery): Promise<ChainedEvent[]> {
  return ofOneStore(db, async () => {
    const events: ChainedEvent[] = [];
    for (let before: number | undefined; ; before = events.at(-1)?.seq) {
      const left = query.limit === undefined ? PAGE_SIZE : Math.min(PAGE_SIZE, query.limit - events.length);
      const [found = []] = await db.read([eventsBefore(query, before, left)]);
      const page = found.map(auditRowFromRow).map(chainedEvent);
      if (page.some(({ seq }, i) => seq >= (page[i - 1]?.seq ?? before ?? Number.POSITIVE_INFINITY)))
        throw new KeysError(
          'store_corrupt',
          'the audit rows of the store are out of order',
          'unlockos-keys audit verify',
        );
      events.push(...page);
      if (found.length < left || events.length === query.limit) return events.reverse();
    }
  });
}

/** What the log lacks of a row that was noted. */
function anchorMissing({ seq, hash }: AuditPosition, head: AuditHead, found: string | undefined): KeysError {
  const noted = hash === undefined ? `row ${seq}` : `row ${seq}:${hash}`;
  const instead = found === undefined ? `it ends in row ${formatHead(head)}` : `its row ${seq} is ${seq}:${found}`;
  return new KeysError(
    'anchor_missing',
    `the audit log does not contain ${noted}: ${instead}`,
    'the log was cut or rebuilt, or another store is in its place: unlockos-keys audit verify',
  );
}

/** See {@link KeyStore.auditPage}. The row that was noted, the end of the log and the page are read at one moment. */
export async function readPage(
  db: Database,
  after: AuditPosition,
  query: Omit<AuditQuery, 'limit'>,
  limit: number,
): Promise<AuditPage> {
  const reads = [rowsAfter({ seq: after.seq - 1, limit: 1 }), head({}), eventsAfter(query, after.seq, limit)];
  const [at = [], end = [], found = []] = await db.read(reads, { fresh: true });
  const last = headFromRows(end);
  const noted = at.map(auditRowFromRow).find(({ seq }) => seq === after.seq);
  const hash = after.seq === 0 ? GENESIS.hash : noted?.hash;
  if (hash === undefined || (after.hash !== undefined && after.hash !== hash)) throw anchorMissing(after, last, hash);
  const events = inOrder(found, after.seq).map(auditRowFromRow).map(chainedEvent);
  const more = events.length === limit;
  const { seq, hash: reached } = (more ? events.at(-1) : last) ?? last;
  return { events, next: { seq, hash: reached }, more };
}
