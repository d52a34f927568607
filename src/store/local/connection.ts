import type Sqlite from 'better-sqlite3';
import { KeysError } from '../../domain/errors.js';
import { COPY_MARK } from '../copy.js';
import { isBusy } from '../errors.js';

/** Marks a file as ours in its header ("UKEY"), so that another program's SQLite file is never written to. */
export const APPLICATION_ID = 0x554b4559;

/**
 * Settings of every connection, each read back. better-sqlite3 is compiled so that WAL alone means synchronous=NORMAL, which may
 * lose a printed key at a power cut; recursive_triggers makes REPLACE ask the delete triggers; secure_delete wipes deleted hashes.
 */
const SETTINGS: readonly (readonly [name: string, value: string, reads: number | string])[] = [
  ['foreign_keys', 'ON', 1],
  ['trusted_schema', 'OFF', 0],
  ['recursive_triggers', 'ON', 1],
  ['secure_delete', 'ON', 1],
  ['cell_size_check', 'ON', 1],
];

export function pragma(db: Sqlite.Database, text: string): unknown {
  const rows = db.prepare(`PRAGMA ${text}`).raw().all() as unknown[][];
  return rows[0]?.[0];
}

/** Asks for SQLite's data version, again and again. A plucked value is cheapest to get, and libsql does not pluck. */
export function dataVersion(db: Sqlite.Database): () => unknown {
  const plucked = db.prepare('PRAGMA data_version').pluck();
  if (typeof plucked.get() === 'number') return () => plucked.get();
  const raw = db.prepare('PRAGMA data_version').raw();
  return () => (raw.get() as unknown[])[0];
}

/** Blocks this thread; only ever between two attempts at a lock that another process holds. */
function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** SQLite's busy timeout does not cover the switch to WAL, so the attempts are repeated here until `timeoutMs` is over. */
export function whileBusy<T>(timeoutMs: number, attempt: () => T): T {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return attempt();
    } catch (error) {
      if (!isBusy(error) || performance.now() >= deadline) throw error;
      pause(10);
    }
  }
}

/** `durable`: a commit returns when it would survive a power cut. */
export function configure(db: Sqlite.Database, durable = true): void {
  const synchronous = durable ? (['synchronous', 'FULL', 2] as const) : (['synchronous', 'NORMAL', 1] as const);
  for (const [name, value, reads] of [synchronous, ...SETTINGS]) {
    db.exec(`PRAGMA ${name} = ${value}`);
    if (pragma(db, name) !== reads)
      throw new KeysError(
        'store_unavailable',
        `SQLite refused ${name}=${value}`,
        'reinstall unlockos-keys, or report this',
      );
  }
  if (process.platform === 'darwin') db.exec('PRAGMA fullfsync = ON');
}

/** The highest migration that a store has seen, and whether it is marked as an unfinished copy (`store/copy.ts`). */
export function schemaVersion(db: Sqlite.Database): { version: number; marked: boolean } {
  const table = db
    .prepare("SELECT count(*) FROM sqlite_master WHERE name = 'schema_migrations'")
    .raw()
    .get() as number[];
  if (table[0] === 0) return { version: 0, marked: false };
  const [max, min] = db.prepare('SELECT max(version), min(version) FROM schema_migrations').raw().get() as (
    | number
    | null
  )[];
  return { version: max ?? 0, marked: min === COPY_MARK };
}

/**
 * Ours, nobody's yet, or another program's: found out before anything is written. The objects are looked at before the mark: another
 * first run may commit both between the two reads.
 */
export function identify(db: Sqlite.Database): 'ours' | 'empty' | 'foreign' {
  const objects = db.prepare('SELECT count(*) FROM sqlite_master').raw().get() as number[];
  if (pragma(db, 'application_id') === APPLICATION_ID) return 'ours';
  return objects[0] === 0 && pragma(db, 'user_version') === 0 ? 'empty' : 'foreign';
}
