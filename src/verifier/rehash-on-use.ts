import { randomUUID } from 'node:crypto';
import type { Authorship } from '../domain/audit.js';
import type { Credential } from '../domain/credential.js';
import { isKeysError } from '../domain/errors.js';
import type { KeyStringParts } from '../domain/key-parts.js';
import type { HashMove, KeyStore } from '../domain/key-store.js';
import type { Peppers } from '../domain/peppers.js';
import { startTimer, stopTimer } from '../domain/real-time.js';
import { DEFAULT_BCRYPT_COST, hashWithPepper, pepperOf, type StoreScheme } from '../domain/secret-hash.js';
import type { BcryptThread } from '../hashing/bcrypt-thread.js';

const FLUSH_AFTER_MS = 1000;
/** Keys per write: each of them also gets an audit row. */
const MAX_BATCH = 100;

interface ProvenKey {
  readonly parts: KeyStringParts;
  readonly credential: Credential;
  readonly scheme: StoreScheme;
}

/**
 * Rehashes keys whose hash does not follow the store's hash scheme, when they are used: only then is the secret known. It happens a moment
 * later, in batches. A verification does not wait for it and does not fail with it.
 */
export class RehashOnUse {
  readonly #store: KeyStore;
  readonly #peppers: Peppers;
  readonly #bcrypt: BcryptThread;
  readonly #by: () => Authorship;
  readonly #pending = new Map<string, ProvenKey>();
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  /** The store refuses writes for good. */
  #readOnly = false;
  /** How many keys were rehashed. */
  moved = 0;
  /** How many writes failed. */
  failures = 0;

  constructor(store: KeyStore, peppers: Peppers, bcrypt: BcryptThread, by: () => Authorship) {
    this.#store = store;
    this.#peppers = peppers;
    this.#bcrypt = bcrypt;
    this.#by = by;
  }

  /** Call it with a key string that was just proven against `credential`. Does nothing when the pepper for the new hash is missing. */
  note(parts: KeyStringParts, credential: Credential): void {
    const { scheme } = credential;
    if (scheme === null || this.#readOnly || this.#pending.size >= MAX_BATCH) return;
    const pepper = pepperOf(scheme);
    if (pepper !== null && !this.#peppers.has(pepper)) return;
    this.#pending.set(credential.key.id, { parts, credential, scheme });
    this.#timer ??= startTimer(() => void this.flush(), FLUSH_AFTER_MS).unref();
  }

  /** Writes what is pending. Never rejects. */
  async flush(): Promise<void> {
    stopTimer(this.#timer);
    this.#timer = undefined;
    const batch = [...this.#pending.values()];
    this.#pending.clear();
    this.#writing = this.#writing.then(() => this.#write(batch));
    return this.#writing;
  }

  async #write(batch: readonly ProvenKey[]): Promise<void> {
    if (batch.length === 0 || this.#readOnly) return;
    try {
      const moves = await Promise.all(batch.map((each) => this.#rehash(each)));
      const moved = await this.#store.rehash(moves, { by: this.#by(), at: new Date(), op: randomUUID() });
      this.moved += moved.length;
    } catch (error) {
      this.failures += 1; // the next use of these keys tries again
      if (isKeysError(error, 'unauthorized', 'store_read_only')) this.#readOnly = true;
    }
  }

  async #rehash({ parts, credential, scheme }: ProvenKey): Promise<HashMove> {
    const pepper = pepperOf(scheme);
    const to =
      pepper === null
        ? await this.#bcrypt.hash(parts.secret, DEFAULT_BCRYPT_COST)
        : hashWithPepper(parts.body, pepper, this.#peppers);
    return { id: credential.key.id, from: credential.hash, to };
  }
}
