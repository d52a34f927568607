import { KeysError } from '../../domain/errors.js';
import { COPY_MARK } from '../copy-mark.js';
import { isBusy } from '../errors.js';
import { monotonic } from '../monotonic.js';
import type { Connection } from './engines/engine.js';

/** Marks a file as ours in its header ("UKEY"), so that we never write to the SQLite file of another program. */
export const APPLICATION_ID = 0x554b4559;

/**
 * The settings of every connection; each is read back. recursive_triggers makes REPLACE fire the delete triggers; secure_delete wipes
 * deleted hashes. `configure` sets synchronous as well: better-sqlite3 is compiled so that WAL alone means NORMAL, which may lose a key
 * that was already printed when the power fails.
 */
const SETTINGS: readonly (readonly [name: string, value: string, reads: number | string])[] = [
  ['foreign_keys', 'ON', 1],
  ['trusted_schema', 'OFF', 0],
  ['recursive_triggers', 'ON', 1],
  ['secure_delete', 'ON', 1],
  ['cell_size_check', 'ON', 1],
];

/** The value of a setting (`journal_mode`), or the answer to setting it (`journal_mode = WAL`). */
export function pragma(db: Connection, text: string): unknown {
  return db.prepare(`PRAGMA ${text}`).all()[0]?.[0];
}

/** How long SQLite waits for a lock, in milliseconds. The number becomes part of SQL, so it is checked here as well: throws `usage`. */
export function setBusyTimeout(db: Connection, ms: number): void {
  if (!Number.isSafeInteger(ms) || ms < 0)
    throw new KeysError('usage', 'the time limit must be a whole number of milliseconds');
  db.exec(`PRAGMA busy_timeout = ${ms}`);
}

/** Blocks this thread. Used only between two attempts to get a lock that another process holds. */
function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** Repeats `attempt` while the database is locked, for `timeoutMs`: SQLite's busy timeout does not cover the switch to WAL. */
export function whileBusy<T>(timeoutMs: number, attempt: () => T): T {
  const deadline = monotonic() + timeoutMs;
  for (;;) {
    try {
      return attempt();
    } catch (error) {
      if (!isBusy(error) || monotonic() >= deadline) throw error;
      pause(10);
    }
  }
}

/** Sets up a connection. `durable`: a commit returns once it would survive a power cut. Throws `store_unavailable`. */
export function configure(db: Connection, durable = true): void {
  const synchronous = durable ? (['synchronous', 'FULL', 2] as const) : (['synchronous', 'NORMAL', 1] as const);
  for (const [name, value, reads] of [synchronous, ...SETTINGS]) {
    db.exec(`PRAGMA ${name} = ${value}`);
    if (pragma(db, name) !== reads)
      throw new KeysError(
        'store_unavailable',
        `SQLite refused ${name}=${value}`,
        'reinstall unlockos-keys, or report this as a bug',
      );
  }
  if (process.platform === 'darwin') db.exec('PRAGMA fullfsync = ON');
}

/** The schema version of a store (0: none), and whether it is marked as an unfinished copy (`store/copy-mark.ts`). */
export function schemaVersion(db: Connection): { version: number; marked: boolean } {
  const tables = db.prepare("SELECT count(*) FROM sqlite_master WHERE name = 'schema_migrations'").value();
  if (tables === 0) return { version: 0, marked: false };
  const [[max, min] = []] = db.prepare('SELECT max(version), min(version) FROM schema_migrations').all();
  return { version: Number(max ?? 0), marked: min === COPY_MARK };
}

/**
 * Whether a file is a store, empty, or of another program; asked before anything is written. The objects are counted before the mark is
 * read, because another process may create the store between the two reads.
 */
export function identify(db: Connection): 'ours' | 'empty' | 'foreign' {
  const objects = db.prepare('SELECT count(*) FROM sqlite_master').value();
  if (pragma(db, 'application_id') === APPLICATION_ID) return 'ours';
  return objects === 0 && pragma(db, 'user_version') === 0 ? 'empty' : 'foreign';
}
