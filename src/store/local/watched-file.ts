import { KeysError } from '../../domain/errors.js';
import { safeText } from '../../domain/text.js';
import { translate } from '../errors.js';
import { monotonic } from '../monotonic.js';
import type { Engine, Prepared } from './engines/engine.js';
import { fileOverwritten, isInUse, stillSaysThatItLogs } from './in-use.js';
import { type LocalOptions, OpenFile } from './open-file.js';
import { assertSameFile, fileError, isSameFile } from './path-safety.js';
import { type FileLook, lookAt } from './read-only.js';
import { removeOldLog } from './side-files.js';

/** How long a look at the file is good for: a store that was moved or replaced is noticed by the first call after that. */
const LOOK_EVERY_MS = 200;

/** The file of a store, held open, and looked at by its path from time to time: it may be moved, replaced or written to by others. */
export class WatchedFile {
  readonly location: string;
  readonly created: boolean;
  /** How often a file was opened in place of the first one. */
  replaced = 0;
  readonly #engine: Engine;
  readonly #options: LocalOptions;
  #file: OpenFile;
  #closed = false;
  /** The file has another name by now, or none, and was closed; another is opened once one is there. */
  #ended = false;
  /** It was closed because a program that is not SQLite took its log or the index of it. */
  #exchanged = false;
  /** See {@link #isOverwritten}; for good, because SQLite soon mixes the two. */
  #overwritten = false;
  /** Settled once the engine has let go of it; null then, and before. */
  lettingGo: Promise<void> | null = null;
  #version: Prepared | undefined;
  /** Counts the times when earlier reads may have become out of date without SQLite noticing. */
  #generation = 0;
  #lookAt: number;
  /** When the file was last written to, and the file that the write-ahead log was then. */
  #seen: FileLook;
  /** Why there is no store any more; looked at again like everything else. */
  #lost: unknown;

  constructor(file: string, engine: Engine, options: LocalOptions) {
    this.location = file;
    this.#engine = engine;
    this.#options = options;
    this.#file = OpenFile.open(file, engine, options);
    this.created = this.#file.created;
    this.#seen = this.#file.still ?? lookAt(file);
    this.#lookAt = monotonic() + LOOK_EVERY_MS;
  }

  /**
   * The open file, once it is known to be the one that the path names. A few times a second it costs a look at the file, else nothing.
   * Throws `store_unavailable` when the file is gone, or is another one and `follow` is not set.
   */
  current(now = false): OpenFile {
    if (this.#closed) throw new KeysError('store_unavailable', 'the store was closed', 'open it again');
    if (now || monotonic() >= this.#lookAt) this.#look();
    if (this.#lost !== undefined) throw this.#lost;
    return this.#file;
  }

  #look(): void {
    this.#lookAt = monotonic() + LOOK_EVERY_MS;
    this.#lost = undefined;
    try {
      if (this.#ended || !isSameFile(this.location, this.#file.identity)) this.#takeTheOther();
      else if (this.#file.lostLog() === null) this.#forgetIfWritten();
      else {
        this.#letGoOfLog();
        this.#takeTheOther();
      }
    } catch (error) {
      this.#generation += 1;
      this.#lost = asLost(inWords(error, this.location));
    }
  }

  /** What an engine closes later would take away the log by its name, which may be that of another store by then. */
  #letGo(): void {
    const letGo = this.#engine.letGo?.().then(() => {
      this.lettingGo = null;
    });
    this.lettingGo = letGo ?? null;
  }

  /** Opens what is in the place of our file by now, where that is asked for. */
  #takeTheOther(): void {
    if (this.#options.follow) this.#follow();
    else if (this.#exchanged) throw filesExchanged(safeText(this.location));
    else assertSameFile(this.location, this.#file.identity);
  }

  /**
   * Closes a file whose log was taken away or exchanged. SQLite would then copy the log that it has open into the file, which may be another
   * store by now: in that case the log is discarded before. Throws where it cannot be, because it is the log of another store as well.
   */
  #letGoOfLog(): void {
    const { written, logged } = lookAt(this.location);
    const changed = written !== this.#seen.written;
    const moved = this.#file.lostLog() === 'moved';
    if (!moved && changed) throw filesExchanged(safeText(this.location));
    if (moved && (changed || logged)) this.#file.discardLog();
    else this.#file.emptyLog();
    this.#exchanged = true;
    this.#end();
    this.#letGo();
  }

  /** A file that was written to may have been written by a program that knows nothing of SQLite's locks, such as `cp`. */
  #forgetIfWritten(): void {
    const seen = lookAt(this.location);
    if (this.#file.still) {
      if (seen.written !== this.#seen.written || seen.logged !== this.#seen.logged) this.#follow();
      return;
    }
    const { written } = this.#seen;
    if (this.#isOverwritten(seen)) throw fileOverwritten(safeText(this.location));
    this.#seen = seen;
    if (seen.written === written || !this.#options.follow) return;
    this.#file.db.exec('PRAGMA shrink_memory');
    this.#generation += 1;
  }

  /** Whether a program that is not SQLite has put a backup there, beside a log with changes: SQLite would read from both. */
  #isOverwritten({ logged, written }: FileLook): boolean {
    const changed = logged && !this.#file.still && written !== this.#seen.written;
    this.#overwritten ||= changed && !stillSaysThatItLogs(this.#file.identity, this.location);
    return this.#overwritten;
  }

  /** Opens the file that is in the place of ours. Before, ours is let go: nobody may open the other one while its log is ours. */
  #follow(): void {
    if (!this.#ended) {
      this.#emptyOldLog();
      const moved = !this.#file.still && !isSameFile(this.location, this.#file.identity);
      this.#end();
      if (moved) this.#letGo();
    }
    if (this.lettingGo || (this.#exchanged && isInUse(this.#file.identity)))
      throw filesExchanged(safeText(this.location)); // SQLite has one index of the log in a process, and would use it again
    this.#file = OpenFile.open(this.location, this.#engine, { ...this.#options, create: false, makeParent: false });
    this.#ended = false;
    this.#exchanged = false;
    this.#overwritten = false;
    this.replaced += 1;
    this.#generation += 1;
    this.#seen = this.#file.still ?? lookAt(this.location);
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

  #end(): void {
    this.#ended = true;
    this.#version = undefined;
    this.#file.close();
    if (!this.#file.still && !isSameFile(this.location, this.#file.identity)) removeOldLog(this.location, this.#seen);
  }

  /** What was committed to a file that no path names any more would be lost, so the file is looked at before and after. */
  writing<T>(wait: boolean, body: (file: OpenFile) => T): T {
    if (this.current(true).full) this.#follow(); // there may be room by now
    const file = this.#file;
    file.waitForLocks(wait);
    const result = file.write(() => body(file));
    assertSameFile(this.location, file.identity);
    if (file.lostLog() !== null) throw filesExchanged(safeText(this.location));
    this.#seen = { ...lookAt(this.location), written: this.#seen.written };
    return result;
  }

  /** SQLite counts the commits of other connections, in this process and in others. */
  version(): number {
    const file = this.current();
    this.#version ??= file.db.prepare('PRAGMA data_version');
    const version = this.#version.value();
    if (typeof version === 'number') return (version + Math.imul(this.#generation, 0x85ebca6b)) | 0;
    throw new KeysError(
      'store_unavailable',
      'SQLite does not report its data version',
      'reinstall unlockos-keys, or report this as a bug',
    );
  }

  /** False when a file that we can only read was written to meanwhile, from where it can be: what was read may be half of a change. */
  isAsRead(): boolean {
    if (!this.#file.still) return true;
    const generation = this.#generation;
    this.current(true); // opens it again
    return generation === this.#generation;
  }

  /** Closes the file. False when it was closed before. */
  close(): boolean {
    if (this.#closed) return false;
    this.#closed = true;
    if (this.#ended) return true;
    if (isSameFile(this.location, this.#file.identity)) {
      if (this.#file.lostLog() !== null) this.#letGoOfLog();
      else if (this.#isOverwritten(lookAt(this.location)))
        this.#file.discardLog(); // SQLite would copy it into the other
      else if (this.#file.wrote) this.#file.emptyLog();
    }
    if (!this.#ended) this.#end();
    return true;
  }
}

/** What an engine or the file system says of the store, as a `KeysError`. */
export function inWords(error: unknown, file: string): unknown {
  return translate(fileError(error, file), safeText(file));
}

function logInUse(name: string): KeysError {
  return new KeysError(
    'store_unavailable',
    `${name} is another store than before, but ${name}-wal is the log of the one before, and a program still reads it`,
    'end the other programs that use the store',
  );
}

function filesExchanged(name: string): KeysError {
  return new KeysError(
    'store_unavailable',
    `${name}-wal or ${name}-shm was taken away or replaced while the store was open`,
    'end all programs that use the store; to put another store in its place: unlockos-keys store restore FILE',
  );
}

/** Callers expect `store_…` of a store that answered a moment ago. */
function asLost(error: unknown): unknown {
  if (!(error instanceof KeysError) || error.code.startsWith('store_')) return error;
  return new KeysError('store_unavailable', error.message, error.hint, { cause: error });
}
