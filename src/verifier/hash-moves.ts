import { randomUUID } from 'node:crypto';
import type { Authorship } from '../domain/audit.js';
import { isKeysError } from '../domain/errors.js';
import type { Credential, HashMove, KeyStore } from '../domain/key-store.js';
import type { KeyStringParts } from '../domain/key-string.js';
import type { Peppers } from '../domain/peppers.js';
import { DEFAULT_BCRYPT_COST, hashWithPepper, pepperOf } from '../domain/secret-hash.js';
import type { BcryptThread } from './bcrypt-thread.js';

const FLUSH_AFTER_MS = 1000;
/** So many keys move in one write: its audit rows are as many. */
const MOST_AT_ONCE = 100;

interface Waiting {
  readonly parts: KeyStringParts;
  readonly row: Credential;
}

/**
 * Keys whose hash is not of the store's scheme move over when they are proven, for only then is there a secret to hash. It is done a
 * moment later and in batches: no verification waits for it, or fails with it.
 */
export class HashMoves {
  readonly #store: KeyStore;
  readonly #peppers: Peppers;
  readonly #bcrypt: BcryptThread;
  readonly #by: () => Authorship;
  readonly #waiting = new Map<string, Waiting>();
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #given = false;
  /** Keys that were moved, and attempts to write that failed. */
  moved = 0;
  failures = 0;

  constructor(store: KeyStore, peppers: Peppers, bcrypt: BcryptThread, by: () => Authorship) {
    this.#store = store;
    this.#peppers = peppers;
    this.#bcrypt = bcrypt;
    this.#by = by;
  }

  /** To be called with a key string that was just proven against `row`. One that cannot be hashed here stays as it is. */
  note(parts: KeyStringParts, row: Credential): void {
    const pepper = pepperOf(row.scheme);
    if (this.#given || this.#waiting.size >= MOST_AT_ONCE || (pepper !== null && !this.#peppers.has(pepper))) return;
    this.#waiting.set(row.key.id, { parts, row });
    this.#timer ??= setTimeout(() => void this.flush(), FLUSH_AFTER_MS).unref();
  }

  /** Writes what there is. Never throws. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    this.#writing = this.#writing.then(() => this.#write(waiting));
    return this.#writing;
  }

  async #write(waiting: readonly Waiting[]): Promise<void> {
    if (waiting.length === 0 || this.#given) return;
    try {
      const moves = await Promise.all(waiting.map((each) => this.#move(each)));
      const moved = await this.#store.rehash(moves, { by: this.#by(), at: new Date(), op: randomUUID() });
      this.moved += moved.length;
    } catch (error) {
      this.failures += 1; // they are noted again when they are next used
      if (isKeysError(error, 'unauthorized', 'store_read_only')) this.#given = true;
    }
  }

  async #move({ parts, row }: Waiting): Promise<HashMove> {
    const pepper = pepperOf(row.scheme);
    const to =
      pepper === null
        ? await this.#bcrypt.hash(parts.secret, DEFAULT_BCRYPT_COST)
        : hashWithPepper(parts.body, pepper, this.#peppers);
    return { id: row.key.id, from: row.hash, to };
  }
}
