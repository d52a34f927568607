import { closeSync, fstatSync, ftruncateSync, openSync } from 'node:fs';
import { errnoOf } from '../../files/errno.js';
import { lookAt } from './read-only.js';

/** Opens the log, only to read it where it cannot be written to: there, SQLite cannot copy it into the database either. Null if it does not exist. */
function openLog(log: string): { descriptor: number; writable: boolean } | null {
  for (const writable of [true, false]) {
    try {
      return { descriptor: openSync(log, writable ? 'r+' : 'r'), writable };
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return null;
      if (!writable || !['EACCES', 'EPERM', 'EROFS', 'ERR_ACCESS_DENIED'].includes(errnoOf(error))) throw error;
    }
  }
  return null;
}

/**
 * The write-ahead log that a connection of SQLite has open, and its index, held by a descriptor of our own. SQLite takes no locks on the log itself,
 * so that closing the descriptor drops none.
 */
export class HeldLog {
  readonly #descriptor: number;
  readonly #writable: boolean;
  readonly #log: string;
  readonly #index: string | null;

  private constructor(descriptor: number, writable: boolean, index: string | null) {
    const { dev, ino } = fstatSync(descriptor);
    this.#descriptor = descriptor;
    this.#writable = writable;
    this.#log = `${dev}:${ino}`;
    this.#index = index;
  }

  /** The log beside `file`, or null if it does not exist. Call this after SQLite has read from `file`. */
  static beside(file: string): HeldLog | null {
    const opened = openLog(`${file}-wal`);
    return opened && new HeldLog(opened.descriptor, opened.writable, lookAt(file).index);
  }

  /**
   * What became of both: `kept`, or taken away or exchanged by a program that is not SQLite, which does neither while a connection is open.
   * `moved`: the log is not beside `file` any more; `index`: only its index is not.
   */
  fate(file: string): 'kept' | 'moved' | 'index' {
    const { log, index } = lookAt(file);
    if (log !== this.#log) return 'moved';
    return this.#index === null || index === this.#index ? 'kept' : 'index';
  }

  /** Leaves nothing that SQLite could copy into the database when its connection is closed. */
  discard(): void {
    if (this.#writable) ftruncateSync(this.#descriptor, 0);
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}
