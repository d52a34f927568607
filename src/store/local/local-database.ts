import type { Change } from '../../domain/change.js';
import { counted } from '../../domain/counted.js';
import { KeysError } from '../../domain/errors.js';
import type { Finding, Replacement, SchemaUpgrade } from '../../domain/key-store.js';
import { safeText } from '../../domain/text.js';
import type { Database, ReadBack, Rows, Statement, WritePlan } from '../database.js';
import { translate } from '../errors.js';
import { olderSchema, READABLE_FROM, readMigrations } from '../migrations.js';
import { monotonic } from '../monotonic.js';
import type { Engine, Prepared } from './engines/engine.js';
import { loadEngine } from './engines/load.js';
import { inspectLocal } from './inspect.js';
import { type LocalOptions, OpenFile } from './open-file.js';
import { assertSameFile, fileError, isSameFile } from './path-safety.js';
import { type FileLook, lookAt } from './read-only.js';
import { replaceStore } from './restore.js';
import { backupTo } from './snapshot.js';
import { latestOf } from './upgrade.js';

/** How long a look at the file is good for: a store that was moved or replaced is noticed by the first call after that. */
const LOOK_EVERY_MS = 200;

/** A local store: one SQLite file, one synchronous connection. */
export class LocalDatabase implements Database {
  readonly engine: string;
  readonly location: string;
  readonly created: boolean;
  readonly remote = false;
  readonly maxStatements = Number.POSITIVE_INFINITY;
  readonly #engine: Engine;
  readonly #options: LocalOptions;
  #file: OpenFile;
  #closed = false;
  #version: Prepared | undefined;
  /** Counts the times when earlier reads may have become out of date without SQLite noticing. */
  #generation = 0;
  #lookAt: number;
  /** When the file was last written to, and the file that the write-ahead log was then. */
  #seen: FileLook;
  /** Why there is no store any more; looked at again like everything else. */
  #lost: unknown;

  private constructor(file: string, engine: Engine, options: LocalOptions) {
    this.location = file;
    this.engine = engine.name;
    this.#engine = engine;
    this.#options = options;
    this.#file = new OpenFile(file, engine, options);
    this.created = this.#file.created;
    this.#seen = this.#file.still ?? lookAt(file);
    this.#lookAt = monotonic() + LOOK_EVERY_MS;
  }

  /**
   * Opens a store, and creates it if the options allow that. An older schema is upgraded by the first change. Throws `unsafe_path`, `usage` and the
   * `store_…` codes; `store_newer` for a schema that this version does not know.
   */
  static async open(file: string, options: LocalOptions): Promise<LocalDatabase> {
    try {
      return new LocalDatabase(file, await loadEngine(options.engine), options);
    } catch (error) {
      throw inWords(error, file);
    }
  }

  /**
   * The open file, once it is known to be the one that the path names. A few times a second it costs a look at the file, else nothing.
   * Throws `store_unavailable` when the file is gone, or is another one and `follow` is not set.
   */
  #current(now = false): OpenFile {
    if (this.#closed) throw new KeysError('store_unavailable', 'the store was closed', 'open it again');
    if (now || monotonic() >= this.#lookAt) this.#look();
    if (this.#lost !== undefined) throw this.#lost;
    return this.#file;
  }

  #look(): void {
    this.#lookAt = monotonic() + LOOK_EVERY_MS;
    this.#lost = undefined;
    try {
      if (isSameFile(this.location, this.#file.identity)) this.#forgetIfWritten();
      else if (this.#options.follow) this.#follow();
      else assertSameFile(this.location, this.#file.identity);
    } catch (error) {
      this.#generation += 1;
      this.#lost = asLost(inWords(error, this.location));
    }
  }

  /** A file that was written to may have been written by a program that knows nothing of SQLite's locks, such as `cp`. */
  #forgetIfWritten(): void {
    const seen = lookAt(this.location);
    if (this.#file.still) {
      if (seen.written !== this.#seen.written || seen.logged !== this.#seen.logged) this.#follow();
      return;
    }
    const { written } = this.#seen;
    this.#seen = seen;
    if (seen.written === written || !this.#options.follow) return;
    this.#file.db.exec('PRAGMA shrink_memory');
    this.#generation += 1;
  }

  /** Opens the file that is in the place of ours. */
  #follow(): void {
    this.#emptyOldLog();
    const next = new OpenFile(this.location, this.#engine, { ...this.#options, create: false, makeParent: false });
    this.#file.close();
    this.#file = next;
    this.#version = undefined;
    this.#generation += 1;
    this.#seen = next.still ?? lookAt(this.location);
  }

  /**
   * The log beside the file may still be ours: it is emptied into our file, wherever that is now. SQLite would take what is left in it for
   * changes of the other file. Throws while there is any.
   */
  #emptyOldLog(): void {
    if (this.#file.still || !lookAt(this.location).logged) return;
    let problem: unknown;
    try {
      this.#file.emptyLog();
    } catch (error) {
      problem = error;
    }
    const { log, logged } = lookAt(this.location);
    if (!logged || log !== this.#seen.log) return;
    throw problem ?? logInUse(safeText(this.location));
  }

  #all({ sql, params }: Statement): Rows {
    return this.#file.prepared(sql).all(...params);
  }

  /** What was committed to a file that no path names any more would be lost, so the file is looked at before and after. */
  #writing<T>(wait: boolean, body: () => T): T {
    const file = this.#current(true);
    file.waitForLocks(wait);
    const result = file.write(body);
    assertSameFile(this.location, file.identity);
    this.#seen = { ...lookAt(this.location), written: this.#seen.written };
    return result;
  }

  /** SQLite counts the commits of other connections, in this process and in others. */
  version(): number {
    const file = this.#current();
    this.#version ??= file.db.prepare('PRAGMA data_version');
    const version = this.#version.value();
    if (typeof version === 'number') return (version + Math.imul(this.#generation, 0x85ebca6b)) | 0;
    throw new KeysError(
      'store_unavailable',
      'SQLite does not report its data version',
      'reinstall unlockos-keys, or report this as a bug',
    );
  }

  async read(statements: readonly Statement[]): Promise<Rows[]> {
    let rows: Rows[];
    try {
      rows = await this.#read(statements);
    } catch (error) {
      if (this.#isAsRead()) throw error;
      return this.#read(statements);
    }
    return this.#isAsRead() ? rows : this.#read(statements);
  }

  /** False when a file that we can only read was written to meanwhile, from where it can be: what was read may be half of a change. */
  #isAsRead(): boolean {
    if (!this.#file.still) return true;
    const generation = this.#generation;
    this.#current(true); // opens it anew
    return generation === this.#generation;
  }

  async #read(statements: readonly Statement[]): Promise<Rows[]> {
    try {
      const file = this.#current();
      if (file.version < READABLE_FROM) throw olderSchema(safeText(this.location), file.version);
      file.waitForLocks(true);
      const [first, ...others] = statements;
      if (first && others.length === 0) return [file.all(first)];
      return file.read(() => statements.map((each) => this.#all(each)));
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
      if (change) this.#current(true).upgrade();
      const { result, readBack } = this.#writing(wait, () => {
        const planned = plan(reads.map((each) => this.#all(each)));
        for (const { sql, params, rows } of planned.writes) {
          const changes = this.#file.prepared(sql).run(...params);
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

  async run(statements: readonly Statement[]): Promise<Rows[]> {
    try {
      return this.#writing(false, () => statements.map((each) => this.#all(each)));
    } catch (error) {
      throw inWords(error, this.location);
    }
  }

  /** Opens the file anew, by its path: what was written to a file that is unlinked or replaced by now would be lost. */
  async #readBack({ statements, check }: ReadBack): Promise<void> {
    const fresh = await LocalDatabase.open(this.location, { ...this.#options, create: false, makeParent: false });
    try {
      check(await fresh.read(statements));
    } finally {
      await fresh.close();
    }
  }

  async schema(): Promise<{ version: number; latest: number }> {
    return { version: this.#current().version, latest: latestOf(this.#options) };
  }

  async upgrade(): Promise<SchemaUpgrade | null> {
    try {
      return this.#current(true).upgrade();
    } catch (error) {
      throw inWords(error, this.location);
    }
  }

  async check(): Promise<Finding[]> {
    try {
      return inspectLocal(
        this.location,
        this.#engine,
        (text) => this.#current().db.prepare(text).all(),
        this.#options.migrations ?? readMigrations(),
      );
    } catch (error) {
      throw inWords(error, this.location);
    }
  }

  async backup(file: string): Promise<void> {
    backupTo(this.#current(true).db, this.#engine, file);
  }

  async replace(file: string, change: Change): Promise<Replacement> {
    try {
      const { db } = this.#current(true);
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
    if (this.#closed) return;
    this.#closed = true;
    this.#version = undefined;
    if (this.#file.wrote && isSameFile(this.location, this.#file.identity)) this.#file.emptyLog();
    this.#file.close();
    await this.#engine.release?.();
  }
}

/** What an engine or the file system says of the store, as a `KeysError`. */
function inWords(error: unknown, file: string): unknown {
  return translate(fileError(error, file), safeText(file));
}

function logInUse(name: string): KeysError {
  return new KeysError(
    'store_unavailable',
    `${name} is another store than before, but ${name}-wal is the log of the one before, and a program still reads it`,
    'end the other programs that use the store',
  );
}

/** Callers expect `store_…` of a store that answered a moment ago. */
function asLost(error: unknown): unknown {
  if (!(error instanceof KeysError) || error.code.startsWith('store_')) return error;
  return new KeysError('store_unavailable', error.message, error.hint, { cause: error });
}
