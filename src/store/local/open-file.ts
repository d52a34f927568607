import { randomUUID } from 'node:crypto';
import { channel } from 'node:diagnostics_channel';
import type { SchemaUpgrade } from '../../domain/key-store.js';
import { safeText } from '../../domain/text.js';
import type { EngineOptions, Statement } from '../database.js';
import { isBusy, translate } from '../errors.js';
import { setBusyTimeout } from './connection.js';
import type { Connection, Engine, EngineName, Prepared } from './engines/engine.js';
import { HeldLog } from './held-log.js';
import { endUse, isInUse, noteUse, openByOldName } from './in-use.js';
import { assertUnchanged, type FileIdentity, secureFile } from './path-safety.js';
import { type FileLook, isStill, lookAt } from './read-only.js';
import { fullDisk, lacksRoomForIndex, readOnlyStore, unreadableLog } from './read-only-errors.js';
import { refuseLeftOverLog } from './side-files.js';
import { writeSnapshot } from './snapshot.js';
import { latestOf, prepareStore, type Upgrade, upgradeSchema, useWriteAheadLog } from './upgrade.js';

/** Publishes how far a write has come. Tests subscribe in a preload and kill the process there; nothing else listens. */
const killPoints = () => channel('unlockos-keys:write');

/** What a local store is opened with. */
export interface LocalOptions extends EngineOptions {
  /** Create the directory of the file as well. */
  readonly makeParent: boolean;
  /** For a process that answers for long: when another file takes the place of this one, open that. Default: false. */
  readonly follow?: boolean | undefined;
  /** Opens with this engine and no other. Default: the preferred one of those that work here. */
  readonly engine?: EngineName | undefined;
}

/** After this many milliseconds, people are told what the program waits for. */
const TELL_AFTER_MS = 1000;

/** One connection to one file, which was checked before SQLite opened it and again afterwards. */
export class OpenFile {
  readonly db: Connection;
  readonly identity: FileIdentity;
  /** True when this connection made the store. */
  readonly created: boolean;
  /** The version of the schema. */
  version: number;
  readonly #upgrade: Upgrade;
  readonly #location: string;
  readonly #options: LocalOptions;
  readonly #statements = new Map<string, Prepared>();
  #logged = false;
  /** The busy timeout of the connection. */
  #patience: number;
  /** Where this process cannot write: how the file was before it was opened, and is read. Else null. */
  readonly still: FileLook | null;
  /** It cannot write because there is no room, which may change. */
  readonly full: boolean;
  #log: HeldLog | null = null;
  /** True once this connection has committed something. */
  wrote = false;

  /** Opens a file; one whose log is empty can be read where there is no room to write. */
  static open(location: string, engine: Engine, options: LocalOptions): OpenFile {
    try {
      return new OpenFile(location, engine, options, isStill(location), false);
    } catch (error) {
      if (!lacksRoomForIndex(error, location)) throw error;
      return new OpenFile(location, engine, options, true, true);
    }
  }

  private constructor(location: string, engine: Engine, options: LocalOptions, still: boolean, full: boolean) {
    const { identity, created } = secureFile(location, options);
    if (!isInUse(identity)) refuseLeftOverLog(location);
    this.identity = identity;
    this.#location = location;
    this.#options = options;
    this.still = still ? lookAt(location) : null;
    this.full = full;
    this.db = this.still ? engine.openStill(location) : engine.open(location);
    this.#upgrade = {
      db: this.db,
      location,
      options,
      transaction: (body) => this.write(body),
      snapshot: (suffix) => {
        const file = `${location}.${suffix}-${randomUUID().slice(0, 8)}`;
        writeSnapshot(this.db, engine, file);
        return file;
      },
    };
    this.#patience = this.#usual;
    try {
      setBusyTimeout(this.db, this.#usual);
      const { version, made } = prepareStore(this.#upgrade);
      this.version = version;
      assertUnchanged(location, identity);
      this.created = made || created;
      this.#log = this.still ? null : HeldLog.beside(location);
    } catch (error) {
      this.db.close();
      throw unreadableLog(openByOldName(error, location, identity), location);
    }
    noteUse(identity, location);
  }

  prepared(sql: string): Prepared {
    let found = this.#statements.get(sql);
    if (!found) {
      found = this.db.prepare(sql);
      this.#statements.set(sql, found);
    }
    return found;
  }

  /** How long SQLite waits for a lock by itself: until somebody is to be told that it waits, or to the end. */
  get #usual(): number {
    const { timeoutMs, onWait } = this.#options;
    return onWait ? Math.min(timeoutMs, TELL_AFTER_MS) : timeoutMs;
  }

  /** Whether SQLite waits for a lock, in this thread. */
  waitForLocks(wait: boolean): void {
    this.#wait(wait ? this.#usual : 0);
  }

  /** Set only if it changes: a statement takes as long as a short read. */
  #wait(ms: number): void {
    if (this.#patience === ms) return;
    setBusyTimeout(this.db, ms);
    this.#patience = ms;
  }

  /**
   * Runs something that fails, and leaves nothing behind, while another process holds a lock for too long. Nothing else can run while it
   * waits.
   */
  #patiently<T>(act: () => T): T {
    const { timeoutMs, onWait } = this.#options;
    try {
      return act();
    } catch (error) {
      if (!isBusy(error) || this.#patience === 0 || timeoutMs <= this.#patience) throw error;
    }
    const over = onWait?.('lock');
    try {
      this.#wait(timeoutMs - this.#usual);
      return act();
    } finally {
      over?.();
      this.waitForLocks(true);
    }
  }

  #transaction<T>(begin: 'BEGIN' | 'BEGIN IMMEDIATE', body: () => T): T {
    this.#patiently(() => this.db.exec(begin));
    try {
      const result = body();
      this.db.exec('COMMIT');
      return result;
    } catch (error) {
      if (this.db.inTransaction) this.db.exec('ROLLBACK');
      throw error;
    }
  }

  read<T>(body: () => T): T {
    return this.#patiently(() => this.#transaction('BEGIN', body));
  }

  /** The rows of one statement that reads, by itself. */
  all(statement: Statement): unknown[][] {
    return this.#patiently(() => this.rows(statement));
  }

  /** The rows of one statement of a transaction. */
  rows({ sql, params }: Statement): unknown[][] {
    return this.prepared(sql).all(...params);
  }

  #assertWritable(): void {
    if (this.full) throw fullDisk(this.#location);
    if (this.still) throw readOnlyStore(this.#location);
  }

  /** BEGIN IMMEDIATE, because a deferred transaction that starts with a read fails when another writer was faster. */
  write<T>(body: () => T): T {
    this.#assertWritable();
    killPoints().publish('before-begin');
    if (!this.#logged) this.#patiently(() => useWriteAheadLog(this.db, this.#location, this.#patience));
    this.#logged = true;
    const result = this.#transaction('BEGIN IMMEDIATE', () => {
      const done = body();
      killPoints().publish('before-commit');
      return done;
    });
    this.wrote = true;
    killPoints().publish('after-commit');
    return result;
  }

  /** Brings an older schema up to date; null when it is. Throws `store_newer`. */
  upgrade(): SchemaUpgrade | null {
    if (this.version === latestOf(this.#options)) return null;
    this.#assertWritable();
    const done = upgradeSchema(this.#upgrade);
    this.version = latestOf(this.#options);
    return done;
  }

  /**
   * Takes what was committed out of the write-ahead log and empties it, unless another process is reading. Without this, what was deleted
   * could still be read in the file: libsql ends a connection only when its statements are garbage-collected.
   */
  emptyLog(): void {
    try {
      this.waitForLocks(false);
      this.db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    } catch (error) {
      if (!isBusy(error)) throw translate(error, safeText(this.#location));
    } finally {
      this.waitForLocks(true);
    }
  }

  /**
   * The log and its index, when a program that is not SQLite took them away or put others in their place: what it did to the log. Else null. Nothing
   * may be read any more, because SQLite goes on with those that it has open.
   */
  lostLog(): 'moved' | 'index' | null {
    if (this.still) return null;
    this.#log ??= HeldLog.beside(this.#location);
    const fate = this.#log?.fate(this.#location) ?? 'kept';
    return fate === 'kept' ? null : fate;
  }

  /** See {@link HeldLog.discard}. */
  discardLog(): void {
    this.#log?.discard();
  }

  close(): void {
    this.#statements.clear();
    this.db.close();
    this.#log?.close();
    this.#log = null;
    endUse(this.identity, this.#location);
  }
}
