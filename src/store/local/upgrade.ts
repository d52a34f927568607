import { rmSync } from 'node:fs';
import { isKeysError, KeysError } from '../../domain/errors.js';
import type { SchemaUpgrade } from '../../domain/key-store.js';
import { safeText } from '../../domain/text.js';
import { markUnfinished } from '../copy-mark.js';
import type { EngineOptions, Statement } from '../database.js';
import { unfinishedCopy } from '../errors.js';
import {
  birthRow,
  mayRead,
  NOTE_MIN_READER,
  newerSchema,
  otherTables,
  READ_MIN_READER,
  readMigrations,
  upgradeRow,
} from '../migrations.js';
import { headFromRows } from '../rows.js';
import { head, insertAudit } from '../statements.js';
import { SCHEMA_VERSION, SETTINGS_SINCE } from '../versions.js';
import { APPLICATION_ID, configure, identify, pragma, schemaVersion, whileBusy } from './connection.js';
import type { Connection } from './engines/engine.js';

/** An open file that is, or is about to become, a store of this version. */
export interface Upgrade {
  readonly db: Connection;
  readonly location: string;
  readonly options: EngineOptions;
  /** Runs `body` as one transaction, under the write lock from its start. */
  readonly transaction: <T>(body: () => T) => T;
  /** Copies the store as it is to a new file beside it, called before an older schema is upgraded. */
  readonly snapshot: (suffix: string) => string;
}

/**
 * Checks whose file it is, sets the connection up, and creates the schema if the file has no schema yet. An older one is left as it is. Returns the
 * version, and true when it made it. Throws `store_foreign`, `store_missing`, `store_newer`, `store_incomplete` or `store_unavailable`.
 */
export function prepareStore(upgrade: Upgrade): { version: number; made: boolean } {
  const { db, options } = upgrade;
  const name = safeText(upgrade.location);
  const kind = identify(db);
  if (kind === 'foreign')
    throw new KeysError(
      'store_foreign',
      `${name} is a SQLite file of another program`,
      'pass the path of an unlockos-keys store, or of a file that does not exist yet',
    );
  if (options.inspect) return { version: kind === 'ours' ? schemaVersion(db).version : 0, made: false };
  if (kind === 'empty' && !options.create)
    throw new KeysError(
      'store_missing',
      `${name} is an empty file, not yet a store`,
      'unlockos-keys create makes it one',
    );
  configure(db, options.durable !== false);
  const { version, marked } = kind === 'empty' ? { version: 0, marked: false } : schemaVersion(db);
  if (marked && !options.receive) throw unfinishedCopy(name);
  const latest = latestOf(options);
  if (version > latest && !mayRead(query(db, READ_MIN_READER), latest)) throw newerSchema(name, version, latest);
  return version > 0 ? { version, made: false } : { version: latest, made: migrate(upgrade) > 0 };
}

export function latestOf({ migrations }: EngineOptions): number {
  return migrations?.length ?? SCHEMA_VERSION;
}

/** Called before the first write of a connection, and not before a read: a backup that is only looked at stays as it is. */
export function useWriteAheadLog(db: Connection, location: string, timeoutMs: number): void {
  if (pragma(db, 'journal_mode') === 'wal') return;
  const mode = whileBusy(timeoutMs, () => pragma(db, 'journal_mode = WAL'));
  if (mode !== 'wal')
    throw new KeysError(
      'store_unavailable',
      `the store ${safeText(location)} cannot use write-ahead logging`,
      'move it to a local disk',
    );
}

function query(db: Connection, { sql, params }: Statement): unknown[][] {
  return db.prepare(sql).all(...params);
}

/**
 * Brings an older schema up to date, with an audit row; null when another process was first. Before, `options.onUpgrade` is told. Throws
 * `store_newer`.
 */
export function upgradeSchema(upgrade: Upgrade): SchemaUpgrade | null {
  const { db, options, location } = upgrade;
  const to = latestOf(options);
  const { version: from } = schemaVersion(db);
  if (from > to) throw newerSchema(safeText(location), from, to);
  if (from === to) return null;
  const done = { from, to, copy: upgrade.snapshot(`before-v${to}`) };
  options.onUpgrade?.(done);
  try {
    return migrate(upgrade) === 0 ? null : done;
  } catch (error) {
    if (isKeysError(error, 'store_corrupt')) rmSync(done.copy, { force: true }); // else each attempt would leave one more
    throw error;
  }
}

/** Runs a statement of a migration. Only where the tables are not those of `version` does SQLite find it wrong. */
function applyTo({ db, location }: Upgrade, version: number, text: string): void {
  try {
    db.exec(text);
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'SQLITE_ERROR') throw error;
    const restore = 'to put a backup in its place: unlockos-keys store restore FILE';
    throw otherTables(safeText(location), version, restore, error);
  }
}

/** Applies in one transaction what is missing, and answers how many migrations that were. The version is read under the lock. */
function migrate(upgrade: Upgrade): number {
  const { db, options, location } = upgrade;
  const { migrations = readMigrations() } = options;
  const run = ({ sql, params }: Statement) => db.prepare(sql).run(...params);
  return upgrade.transaction(() => {
    const { version } = schemaVersion(db);
    if (version > migrations.length) throw newerSchema(safeText(location), version, migrations.length);
    const missing = migrations.slice(version);
    if (missing.length === 0) return 0;
    const at = options.now();
    for (const migration of missing) {
      for (const text of migration.statements) applyTo(upgrade, version, text);
      run({
        sql: 'INSERT INTO schema_migrations (version, tag, checksum, applied_at) VALUES (?, ?, ?, ?)',
        params: [migration.version, migration.tag, migration.checksum, at.getTime()],
      });
    }
    if (migrations.length >= SETTINGS_SINCE) run(NOTE_MIN_READER);
    if (version > 0) {
      const end = headFromRows(query(db, head({})));
      run(insertAudit({ ...upgradeRow(end, options.by(), at, version, migrations.length) }));
      return missing.length;
    }
    db.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
    run(options.receive ? markUnfinished() : insertAudit({ ...birthRow(options.by(), at) }));
    return missing.length;
  });
}
