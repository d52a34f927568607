import type { Change } from '../../domain/change.js';
import { counted } from '../../domain/counted.js';
import { KeysError } from '../../domain/errors.js';
import type { Finding, Replacement, SchemaUpgrade } from '../../domain/key-store.js';
import { safeText } from '../../domain/text.js';
import type { Database, ReadBack, Rows, Statement, WritePlan } from '../database.js';
import { isBusy } from '../errors.js';
import { olderSchema, readMigrations } from '../migrations.js';
import { monotonic } from '../monotonic.js';
import { READABLE_FROM } from '../versions.js';
import type { Engine } from './engines/engine.js';
import { loadEngine } from './engines/load.js';
import { inspectLocal } from './inspect.js';
import type { LocalOptions, OpenFile } from './open-file.js';
import { replaceStore } from './restore.js';
import { backupTo } from './snapshot.js';
import { latestOf } from './upgrade.js';
import { inWords, WatchedFile } from './watched-file.js';

/** As often as SQLite itself looks again, about. */
const LOCK_POLL_MS = 25;

/** A local store: one SQLite file, one synchronous connection. */
export class LocalDatabase implements Database {
  readonly engine: string;
  readonly location: string;
  readonly created: boolean;
  readonly remote = false;
  readonly maxStatements = Number.POSITIVE_INFINITY;
  readonly #engine: Engine;
  readonly #options: LocalOptions;
  readonly #file: WatchedFile;

  private constructor(file: string, engine: Engine, options: LocalOptions) {
    this.location = file;
    this.engine = engine.name;
    this.#engine = engine;
    this.#options = options;
    this.#file = new WatchedFile(file, engine, options);
    this.created = this.#file.created;
  }

  /**
   * Opens a store, and creates it if the options allow that. An older schema is upgraded by the first change. Throws `unsafe_path`, `usage` and the
   * `store_…` codes; `store_newer` for a schema that this version does not know.
   */
  static async open(file: string, options: LocalOptions): Promise<LocalDatabase> {
    try {
      const engine = await loadEngine(options.engine);
      await engine.forget?.(file);
      return new LocalDatabase(file, engine, options);
    } catch (error) {
      throw inWords(error, file);
    }
  }

  /** See {@link WatchedFile.version}. */
  version(): number {
    return this.#file.version();
  }

  replaced(): number {
    return this.#file.replaced;
  }

  async read(statements: readonly Statement[]): Promise<Rows[]> {
    let rows: Rows[];
    try {
      rows = await this.#read(statements);
    } catch (error) {
      if (this.#file.isAsRead()) throw error;
      return this.#read(statements);
    }
    return this.#file.isAsRead() ? rows : this.#read(statements);
  }

  async #read(statements: readonly Statement[]): Promise<Rows[]> {
    try {
      const file = this.#file.current();
      if (file.version < READABLE_FROM) throw olderSchema(safeText(this.location), file.version);
      file.waitForLocks(true);
      const [first, ...others] = statements;
      if (first && others.length === 0) return [file.all(first)];
      return file.read(() => statements.map((each) => file.rows(each)));
    } catch (error) {
      throw inWords(error, this.location);
    }
  }

  async write<T>(
    reads: readonly Statement[],
    plan: (rows: Rows[]) => WritePlan<T>,
    { wait = true, change = false }: { wait?: boolean; change?: boolean } = {},
  ): Promise<T> {
    try {
      if (change) this.#file.current(true).upgrade();
      const { result, readBack } = await this.#inTurn(wait, (file) => {
        const planned = plan(reads.map((each) => file.rows(each)));
        for (const { sql, params, rows } of planned.writes) {
          const changes = file.prepared(sql).run(...params);
          if (rows !== null && changes !== rows)
            throw new KeysError(
              'conflict',
              `a statement changed ${counted(changes, 'row')} instead of ${rows}; the change was undone`,
              'run the command again',
            );
        }
        return planned;
      });
      if (readBack) await this.#readBack(readBack);
      return result;
    } catch (error) {
      throw inWords(error, this.location);
    }
  }

  /** A process that answers for long does not stand still while another holds the lock: it tries again, and does other things meanwhile. */
  async #inTurn<T>(wait: boolean, body: (file: OpenFile) => T): Promise<T> {
    const { follow, timeoutMs } = this.#options;
    if (!wait || !follow) return this.#file.writing(wait, body);
    for (const end = monotonic() + timeoutMs; ; ) {
      try {
        return this.#file.writing(false, body);
      } catch (error) {
        if (!isBusy(error) || monotonic() >= end) throw error;
      }
      const { sleep } = await import('../../domain/real-time.js'); // hardly ever needed
      await sleep(LOCK_POLL_MS);
    }
  }

  async run(statements: readonly Statement[]): Promise<Rows[]> {
    try {
      return this.#file.writing(false, (file) => statements.map((each) => file.rows(each)));
    } catch (error) {
      throw inWords(error, this.location);
    }
  }

  /** Opens the file again, by its path: what was written to a file that is unlinked or replaced by now would be lost. */
  async #readBack({ statements, check }: ReadBack): Promise<void> {
    const fresh = await LocalDatabase.open(this.location, { ...this.#options, create: false, makeParent: false });
    try {
      check(await fresh.read(statements));
    } finally {
      await fresh.close();
    }
  }

  seenVersion(): number {
    return this.#file.current().version;
  }

  async schema(): Promise<{ version: number; latest: number }> {
    return { version: this.#file.current().version, latest: latestOf(this.#options) };
  }

  async upgrade(): Promise<SchemaUpgrade | null> {
    try {
      return this.#file.current(true).upgrade();
    } catch (error) {
      throw inWords(error, this.location);
    }
  }

  async check(): Promise<Finding[]> {
    try {
      return inspectLocal(
        this.location,
        this.#engine,
        (text) => this.#file.current().db.prepare(text).all(),
        this.#options.migrations ?? readMigrations(),
      );
    } catch (error) {
      throw inWords(error, this.location);
    }
  }

  async backup(file: string): Promise<void> {
    backupTo(this.#file.current(true).db, this.#engine, file);
  }

  async replace(file: string, change: Change): Promise<Replacement> {
    try {
      const { db } = this.#file.current(true);
      return replaceStore({
        source: db,
        engine: this.#engine,
        target: file,
        timeoutMs: this.#options.timeoutMs,
        change,
      });
    } catch (error) {
      throw inWords(error, file);
    }
  }

  async close(): Promise<void> {
    if (this.#file.close()) await this.#engine.release?.();
    await this.#file.lettingGo;
  }
}
