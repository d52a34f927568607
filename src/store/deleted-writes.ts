import type { CopiedDeletion } from '../domain/copy.js';
import { KeysError } from '../domain/errors.js';
import { nameKey } from '../domain/key-name.js';
import { MAX_KEEP_MS } from '../domain/policy.js';
import { safeText } from '../domain/text.js';
import { credentialFromRecord, isRecord } from './credential-row.js';
import type { Database, Rows, Statement, Write } from './database.js';
import { NOW, of, timeOfLast } from './raw-sql.js';
import { readRows } from './read-rows.js';

// The statements about keys that were deleted and can be restored. They are in a table of their own: whatever looks for keys, a server of an
// older version too, does not find them.

/** Stores of an earlier schema have no table of deleted keys. */
export const HAS_DELETED = { ...of("select count(*) from sqlite_master where name = 'deleted_keys'"), most: 1 };

/** More than a key that is deleted is ever kept, in milliseconds. */
const LONGEST = MAX_KEEP_MS + 86_400_000;
const DELETED_AT = timeOfLast("where audit_events.key_id = deleted_keys.id and audit_events.action = 'key.delete'");

/**
 * Removes what is past its time, and what has a time or an id that no key is given. The pages are overwritten, as for any deletion. A clock that
 * was wrong once removes nothing: the change before must agree that the time has come.
 */
export const DROP_PAST: Write = {
  ...of(
    `delete from deleted_keys where kept_until <= min(${NOW}, ${timeOfLast('')})
      or (kept_until > ${NOW} + ${LONGEST} and kept_until > ${DELETED_AT} + ${LONGEST}) or typeof(id) <> 'text'`,
  ),
  rows: null,
};

export const COLUMNS = 'seq, id, kept_until, record';
/** The deletion of each key, from the audit log. */
const EVENTS =
  "select seq, op, body from audit_events where key_id = ? and action = 'key.delete' order by seq desc limit 1";

/** A row of the table, as it is stored. `damaged`: the columns that cannot be read, which have another value here. */
export type DeletedRow = CopiedDeletion & { readonly damaged?: readonly string[] };

/** Throws `store_corrupt` for a row without a place in the order. */
export function deletedFromRow(row: readonly unknown[]): DeletedRow {
  const [seq, id, keptUntil, record] = row;
  if (!Number.isSafeInteger(seq))
    throw new KeysError('store_corrupt', 'a row of the store is not a deleted key', 'unlockos-keys doctor says more');
  const isTime = Number.isSafeInteger(keptUntil) && Math.abs(keptUntil as number) <= 8.64e15;
  const damaged = [
    ...(typeof id === 'string' ? [] : ['id']),
    ...(isTime ? [] : ['kept_until']),
    ...(typeof record === 'string' && isRecord(record) ? [] : ['record']),
  ];
  return {
    seq: seq as number,
    id: typeof id === 'string' ? id : '',
    keptUntil: isTime ? (keptUntil as number) : 0,
    record: typeof record === 'string' ? record : '',
    ...(damaged.length > 0 && { damaged }),
  };
}

/** Throws `store_corrupt` for a damaged row, which cannot be brought back. */
export function soundRow(row: DeletedRow): DeletedRow {
  if (!row.damaged) return row;
  throw new KeysError(
    'store_corrupt',
    `deleted key ${safeText(row.id)} is damaged: its ${row.damaged.join(', ')} cannot be read`,
    `remove it: unlockos-keys delete --purge ${safeText(row.id)}`,
  );
}

/** The deleted key with this id that can still be restored; and its deletion in the log. */
export const deletedById = (id: string): Statement[] => [
  { ...of(`select ${COLUMNS} from deleted_keys where id = ? and kept_until > ${NOW}`, id), most: 1 },
  { ...of(EVENTS, id), most: 1 },
];

/** Puts a key away. In a store that is copied to, it may be there already. */
export function insertDeleted({ seq, id, keptUntil, record }: DeletedRow): Write {
  const name = nameKey(credentialFromRecord(seq, record).key.name);
  return {
    ...of(
      'insert into deleted_keys (seq, id, name_key, kept_until, record) values (?, ?, ?, ?, ?) on conflict (seq) do update set name_key = excluded.name_key, kept_until = excluded.kept_until, record = excluded.record',
      ...[seq, id, name, keptUntil, record],
    ),
    rows: 1,
  };
}

/** Keeps the counts of use of a key that was just put away: they go with its row. */
export function keepCounts(seq: number): Write {
  const cells = ['day', 'verdict', 'times', 'last_at', 'detail'].map(
    (name) => `case typeof(${name}) when 'blob' then null else ${name} end`, // JSON holds no bytes
  );
  const days = `select json_group_array(json_array(${cells.join(', ')})) from key_days where key_seq = ?`;
  return {
    ...of(`update deleted_keys set record = json_set(record, '$.days', json((${days}))) where seq = ?`, seq, seq),
    rows: 1,
  };
}

/**
 * Gives a restored key the counts back that {@link keepCounts} kept, but for those that the triggers would refuse. Earlier versions kept none.
 */
export function restoreCounts(seq: number): Write {
  return {
    ...of(
      `insert or ignore into key_days (key_seq, day, verdict, times, last_at, detail)
        select seq, day, verdict, times, last_at, detail from (
          select d.seq, c.value ->> 0 as day, c.value ->> 1 as verdict, c.value ->> 2 as times, c.value ->> 3 as last_at, c.value ->> 4 as detail
            from deleted_keys d, json_each(d.record, '$.days') c where d.seq = ?)
        where typeof(day) = 'integer' and day between 0 and 100000000 and typeof(verdict) = 'text' and length(verdict) between 1 and 32
          and verdict not glob '*[^a-z_]*' and typeof(times) = 'integer' and times between 1 and 9007199254740991
          and typeof(last_at) = 'integer' and last_at between 0 and 8640000000000000
          and (detail is null or (typeof(detail) = 'text' and length(detail) <= 200))`,
      seq,
    ),
    rows: null,
  };
}

/** Removes one key from the table. */
export function dropDeleted(id: string): Write {
  return { ...of('delete from deleted_keys where id = ?', id), rows: 1 };
}

/** Removes those of these keys that are in the table. */
export function dropAll(ids: readonly string[]): Write {
  const list = JSON.stringify(ids);
  return { ...of('delete from deleted_keys where id in (select value from json_each(?))', list), rows: null };
}

/** The deleted keys that a page of the audit log is about. */
export function deletedOfEvents({ seq, limit }: { seq: number; limit: number }): Statement {
  const ids = 'select key_id from audit_events where seq > ? order by seq limit ?';
  return of(`select ${COLUMNS} from deleted_keys where id in (${ids})`, seq, limit);
}

/** Stores of an earlier schema have no table of deleted keys. */
export async function hasDeleted(db: Database): Promise<boolean> {
  const rows = await readRows(db, HAS_DELETED);
  return Number(rows[0]?.[0]) > 0;
}

/** Throws `store_corrupt` for a damaged row. */
export function deletedRows(rows: Rows): DeletedRow[] {
  return rows.map(deletedFromRow).map(soundRow);
}
