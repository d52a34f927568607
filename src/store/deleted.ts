import { canonicalJson } from '../domain/audit.js';
import type { AuditEvent } from '../domain/audit-side.js';
import type { Credential } from '../domain/credential.js';
import type { Deletion } from '../domain/deletion.js';
import { KeysError } from '../domain/errors.js';
import { nameKey } from '../domain/key-name.js';
import { safeText } from '../domain/text.js';
import { credentialFromRecord } from './credential-row.js';
import type { Database, Rows } from './database.js';
import { COLUMNS, type DeletedRow, deletedFromRow, hasDeleted } from './deleted-writes.js';
import { auditState } from './planned.js';
import { NOW, of } from './raw-sql.js';
import { eventFromRow, inOrder } from './rows.js';
import { head } from './statements.js';

// What is read of deleted keys that can be restored.

const EVENT_OF =
  "(select max(seq) from audit_events where audit_events.key_id = deleted_keys.id and audit_events.action = 'key.delete')";

/** Whether it was ever deleted because it leaked: a key string stays known. */
const LEAKED =
  "exists (select 1 from audit_events where key_id = deleted_keys.id and action = 'key.delete' and json_extract(body, '$.after.leaked') = 1)";

/** The `not_found` for a key that cannot be restored. */
export function notKept(id: string): KeysError {
  return new KeysError(
    'not_found',
    `no deleted key ${safeText(id)} can be restored`,
    'to see those that can: unlockos-keys list --deleted',
  );
}

/** The key in a row, by the id under which it is found. */
export function credentialOf({ seq, id, record }: DeletedRow): Credential {
  const { key, ...secrets } = credentialFromRecord(seq, record);
  return { ...secrets, key: { ...key, id } };
}

/** Throws `store_corrupt` for a row that is not what the log says of the deleted key: somebody may have given it another secret. */
export function assertAsLogged(credential: Credential, keptUntil: number, event: AuditEvent | undefined): void {
  const { id } = credential.key;
  const kept = (event?.after as { keptUntil?: string } | null)?.keptUntil;
  const same = canonicalJson(auditState(credential)) === canonicalJson(event?.before ?? null);
  if (!same || kept !== new Date(keptUntil).toISOString())
    throw new KeysError(
      'store_corrupt',
      `deleted key ${safeText(id)} is not as the audit log says it was, and was not restored`,
      'unlockos-keys audit verify lists what is wrong',
    );
}

/** See {@link DeletedSide.list}. */
export async function readDeletions(db: Database, where: { id?: string; name?: string } | null): Promise<Deletion[]> {
  if (!(await hasDeleted(db))) return [];
  const filter = where === null ? '' : ' and (id = ? or name_key = ?)';
  const params = where === null ? [] : [where.id ?? '', nameKey(where.name ?? '')];
  const [rows = []] = await db.read(
    [
      of(
        `select d.*, e.seq, e.op, e.body from (select ${COLUMNS}, ${EVENT_OF} as event, ${LEAKED} as leaked from deleted_keys where kept_until > ${NOW}${filter}) d
          join audit_events e on e.seq = d.event order by e.seq desc`,
        ...params,
      ),
    ],
    { fresh: true },
  );
  return rows.map((row) => {
    const deleted = deletedFromRow(row);
    const event = eventFromRow(row.slice(6));
    const { actor, osUser, proven, reason, at } = event;
    return {
      key: credentialOf(deleted).key,
      keptUntil: new Date(deleted.damaged?.includes('kept_until') ? at : deleted.keptUntil),
      deletedAt: new Date(at),
      deletedBy: { actor, osUser, ...(proven && { proven: true }) },
      reason,
      leaked: row[5] === 1,
    };
  });
}

/** A page of all deleted keys, past their time or not, in the order of creation; and the last row of the log at that moment. */
export async function deletedPage(
  db: Database,
  seq: number,
  limit: number,
): Promise<{ end: Rows; rows: DeletedRow[] }> {
  const page = of(`select ${COLUMNS} from deleted_keys where seq > ? order by seq limit ?`, seq, limit);
  const reads = (await hasDeleted(db)) ? [head({}), page] : [head({})];
  const [end = [], rows = []] = await db.read(reads, { fresh: true });
  return { end, rows: inOrder(rows, seq).map(deletedFromRow) };
}
