import { randomUUID } from 'node:crypto';
import { channel } from 'node:diagnostics_channel';
import { closeSync, constants, openSync, rmSync } from 'node:fs';
import type Sqlite from 'better-sqlite3';
import { KeysError } from '../../domain/errors.js';
import type { Finding } from '../../domain/key-store.js';
import { safeText } from '../../domain/text.js';
import { markUnfinished } from '../copy.js';
import type { Database, EngineOptions, ReadBack, Rows, Statement, WritePlan } from '../database.js';
import { isBusy, translate, unfinishedCopy } from '../errors.js';
import { birthRow, readMigrations, SCHEMA_VERSION } from '../migrations.js';
import { type Binding, type BindingName, loadBinding } from './binding.js';
import { APPLICATION_ID, configure, dataVersion, identify, pragma, schemaVersion, whileBusy } from './connection.js';
import { inspectLocal } from './inspect.js';
import { assertSameFile, type FileIdentity, secureFile } from './path-safety.js';

/** Publishes where a write stands. Tests subscribe in a preload and kill the process there; nobody else listens. */
const killPoints = channel('unlockos-keys:write');

export interface LocalOptions extends EngineOptions {
  /** Make the directory as well, at the default place. */
  readonly makeParent: boolean;
  readonly binding?: BindingName | undefined;
}

/** The embedded store: one SQLite file, one synchronous connection. */
export class LocalDatabase implements Database {
  readonly engine: string;
  readonly #db: Sqlite.Database;
  readonly #binding: Binding;
  #wrote = false;
  #version: (() => unknown) | undefined;
  #closed = false;
  readonly #statements = new Map<string, Sqlite.Statement>();
  readonly #identity: FileIdentity;
  readonly #options: LocalOptions;
  readonly location: string;
  readonly created: boolean;
  readonly distant = false;
  readonly mostWrites = Number.POSITIVE_INFINITY;

  private constructor(file: string, binding: Binding, options: LocalOptions) {
    const { identity, created } = secureFile(file, options);
    this.location = file;
    this.engine = binding.name;
    this.#binding = binding;
    this.#identity = identity;
    this.#options = options;
    this.#db = binding.open(file);
    try {
      assertSameFile(file, identity);
      this.#db.exec(`PRAGMA busy_timeout = ${options.timeoutMs}`);
      this.created = this.#prepare() || created;
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  /** Opens (and where asked makes) a store; brings an older schema up to date under a lock, and refuses a newer one. */
  static async open(file: string, options: LocalOptions): Promise<LocalDatabase> {
    try {
      return new LocalDatabase(file, await loadBinding(options.binding), options);
    } catch (error) {
      throw translate(error, safeText(file));
    }
  }

  /** True when it made the schema. */
  #prepare(): boolean {
    const name = safeText(this.location);
    const kind = identify(this.#db);
    if (kind === 'foreign')
      throw new KeysError(
        'store_foreign',
        `${name} is a SQLite file of another program`,
        'pass the path of an unlockos-keys store, or of a file that does not exist yet',
      );
    if (this.#options.inspect) return false;
    if (kind === 'empty' && !this.#options.create)
      throw new KeysError(
        'store_missing',
        `${name} is an empty file, not yet a store`,
        'unlockos-keys create makes it one',
      );
    if (pragma(this.#db, 'journal_mode') !== 'wal') {
      const mode = whileBusy(this.#options.timeoutMs, () => pragma(this.#db, 'journal_mode = WAL'));
      if (mode !== 'wal')
        throw new KeysError(
          'store_unavailable',
          `the store ${name} cannot use write-ahead logging`,
          'move it to a local disk',
        );
    }
    configure(this.#db, this.#options.durable !== false);
    const { version, marked } = kind === 'empty' ? { version: 0, marked: false } : schemaVersion(this.#db);
    if (marked && !this.#options.receive) throw unfinishedCopy(name);
    if (version === this.#latest()) return false;
    return this.#migrate(version);
  }

  #latest(): number {
    return this.#options.migrations?.length ?? SCHEMA_VERSION;
  }

  /** Brings the schema up to date in one transaction; the version is read again under the lock, for another process may have been first. */
  #migrate(seen: number): boolean {
    if (seen > this.#latest()) throw this.#newer(seen);
    const migrations = this.#options.migrations ?? readMigrations();
    if (seen > 0) this.#vacuumInto(`${this.location}.before-v${this.#latest()}-${randomUUID().slice(0, 8)}`);
    return this.#writing(() => {
      const { version } = schemaVersion(this.#db);
      if (version > this.#latest()) throw this.#newer(version);
      const at = this.#options.now();
      for (const migration of migrations.slice(version)) {
        for (const text of migration.statements) this.#db.exec(text);
        this.#db
          .prepare('INSERT INTO schema_migrations (version, tag, checksum, applied_at) VALUES (?, ?, ?, ?)')
          .run(migration.version, migration.tag, migration.checksum, at.getTime());
      }
      if (version > 0) return false;
      this.#db.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
      if (this.#options.receive) {
        const { sql, params } = markUnfinished();
        this.#db.prepare(sql).run(...params);
      } else this.#recordBirth(at);
      return true;
    });
  }

  #recordBirth(at: Date): void {
    const { seq, op, body, prev, hash } = birthRow(this.#options.by(), at);
    this.#db
      .prepare('INSERT INTO audit_events (seq, op, body, prev, hash) VALUES (?, ?, ?, ?, ?)')
      .run(seq, op, body, prev, hash);
  }

  #newer(version: number): KeysError {
    return new KeysError(
      'store_newer',
      `the store ${safeText(this.location)} has schema ${version}, this tool knows up to ${this.#latest()}`,
      'upgrade unlockos-keys; until then only doctor opens this store',
    );
  }

  #prepared(sql: string): Sqlite.Statement {
    if (this.#closed) throw new KeysError('store_unavailable', 'the store was closed', 'open it again');
    let found = this.#statements.get(sql);
    if (!found) {
      found = this.#db.prepare(sql);
      this.#statements.set(sql, found);
    }
    return found;
  }

  #all({ sql, params }: Statement): Rows {
    return this.#prepared(sql)
      .raw(true)
      .all(...params) as unknown[][];
  }

  #transaction<T>(begin: 'BEGIN' | 'BEGIN IMMEDIATE', body: () => T): T {
    this.#db.exec(begin);
    try {
      const result = body();
      this.#db.exec('COMMIT');
      return result;
    } catch (error) {
      if (this.#db.inTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  /** BEGIN IMMEDIATE, because a deferred transaction that starts with a read fails when another writer was quicker. */
  #writing<T>(body: () => T): T {
    killPoints.publish('before-begin');
    const result = this.#transaction('BEGIN IMMEDIATE', () => {
      const done = body();
      killPoints.publish('before-commit');
      return done;
    });
    this.#wrote = true;
    killPoints.publish('after-commit');
    return result;
  }

  /** SQLite counts commits of other connections, in this process and in others. */
  version(): number {
    if (this.#closed) throw new KeysError('store_unavailable', 'the store was closed', 'open it again');
    this.#version ??= dataVersion(this.#db);
    const version = this.#version();
    if (typeof version === 'number') return version;
    throw new KeysError(
      'store_unavailable',
      'SQLite does not tell its data version',
      'reinstall unlockos-keys, or report this',
    );
  }

  async read(statements: readonly Statement[]): Promise<Rows[]> {
    try {
      const [first, ...others] = statements;
      if (first && others.length === 0) return [this.#all(first)];
      return this.#transaction('BEGIN', () => statements.map((each) => this.#all(each)));
    } catch (error) {
      throw translate(error, safeText(this.location));
    }
  }

  async write<T>(reads: readonly Statement[], plan: (rows: Rows[]) => WritePlan<T>): Promise<T> {
    try {
      const { result, readBack } = this.#writing(() => {
        const planned = plan(reads.map((each) => this.#all(each)));
        for (const { sql, params, rows } of planned.writes) {
          const { changes } = this.#prepared(sql).run(...params);
          if (rows !== null && changes !== rows)
            throw new KeysError(
              'conflict',
              `a change touched ${changes} rows instead of ${rows}; it was undone`,
              'run the command again',
            );
        }
        return planned;
      });
      if (readBack) await this.#readBack(readBack);
      return result;
    } catch (error) {
      throw translate(error, safeText(this.location));
    }
  }

  async run(statements: readonly Statement[]): Promise<Rows[]> {
    try {
      return this.#writing(() => statements.map((each) => this.#all(each)));
    } catch (error) {
      throw translate(error, safeText(this.location));
    }
  }

  /** Through a new connection, found by path: what an unlinked or replaced file was given would be gone. */
  async #readBack({ statements, check }: ReadBack): Promise<void> {
    assertSameFile(this.location, this.#identity);
    const fresh = await LocalDatabase.open(this.location, { ...this.#options, create: false, makeParent: false });
    try {
      check(await fresh.read(statements));
    } finally {
      await fresh.close();
    }
  }

  async check(): Promise<Finding[]> {
    try {
      return inspectLocal(
        this.location,
        this.engine,
        (text) => this.#db.prepare(text).raw().all() as unknown[][],
        this.#options.migrations ?? readMigrations(),
      );
    } catch (error) {
      throw translate(error, safeText(this.location));
    }
  }

  /** A file made by VACUUM INTO is born world-readable; it fills an empty file that exists, so that one is made first, 0600. */
  #vacuumInto(file: string): void {
    closeSync(
      openSync(file, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0), 0o600),
    );
    try {
      this.#db.prepare('VACUUM INTO ?').run(file);
      const copy = this.#binding.open(file);
      try {
        const verdict = pragma(copy, 'quick_check');
        if (verdict !== 'ok')
          throw new KeysError(
            'store_corrupt',
            `the copy ${safeText(file)} is damaged: ${safeText(String(verdict))}`,
            'run unlockos-keys doctor on the store',
          );
      } finally {
        copy.close();
      }
    } catch (error) {
      rmSync(file, { force: true });
      throw error;
    }
  }

  async backup(file: string): Promise<void> {
    try {
      this.#vacuumInto(file);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === 'EEXIST')
        throw new KeysError('conflict', `${safeText(file)} exists`, 'choose a new file: a backup never overwrites');
      if (code === 'ENOENT')
        throw new KeysError('usage', `the directory of ${safeText(file)} does not exist`, 'make it first');
      if (code === 'EACCES' || code === 'EROFS')
        throw new KeysError('usage', `no permission to write ${safeText(file)}`, 'choose a file that you may write');
      throw translate(error, safeText(file));
    }
  }

  /**
   * Empties the write-ahead log first: libsql ends a connection only when its statements are collected, so what was deleted would
   * stay readable in the file until then. Another reader may be in the way; its own close will do it.
   */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#statements.clear();
    this.#version = undefined;
    if (this.#wrote) {
      try {
        this.#db.exec('PRAGMA busy_timeout = 0; PRAGMA wal_checkpoint(TRUNCATE)');
      } catch (error) {
        if (!isBusy(error)) throw translate(error, safeText(this.location));
      }
    }
    this.#db.close();
  }
}
