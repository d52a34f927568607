import type { Credential } from '../domain/credential.js';
import { KeysError } from '../domain/errors.js';
import type { KeyStore } from '../domain/key-store.js';
import type { CredentialCache } from './credential-cache.js';
import { KeptCredentials } from './kept-credentials.js';
import { makeRoom } from './make-room.js';
import { age, type Moment } from './moment.js';

/** How long an id counts as unknown before the store is asked again. */
const UNKNOWN_MS = 1000;
/** Limits concurrent lookups of ids that were never found, so that made-up ids cannot delay lookups of real keys. */
const MAX_UNKNOWN_LOOKUPS = 256;

/**
 * For a remote store. Credentials are kept as {@link KeptCredentials} says, or read on every call with a `maxStaleMs` of 0. Unknown ids are
 * remembered for a second; otherwise anybody could make the server send a query for every request with a made-up id.
 */
export class RemoteCredentialCache implements CredentialCache {
  readonly #store: KeyStore;
  readonly #clock: () => Moment;
  readonly #kept: KeptCredentials | null;
  /** Ids that the store did not have, and when it was asked. */
  readonly #unknown = new Map<string, Moment>();
  /** Ids that the store had at least once, and when it was asked. */
  readonly #known = new Map<string, Moment>();
  #unknownLookups = 0;

  constructor(store: KeyStore, maxStaleMs: number, clock: () => Moment) {
    this.#store = store;
    this.#clock = clock;
    this.#kept = maxStaleMs > 0 ? new KeptCredentials(store.watch, maxStaleMs, clock) : null;
  }

  credential(id: string): Credential | null | Promise<Credential | null> {
    const at = this.#clock();
    const kept = this.#kept?.credential(id, at) ?? null;
    if (kept instanceof Promise) return kept.then((found) => found ?? this.#read(id));
    if (kept !== null) return kept;
    const unknownSince = this.#unknown.get(id);
    if (unknownSince !== undefined && age(unknownSince, at) < UNKNOWN_MS) return null;
    return this.#known.has(id) ? this.#read(id) : this.#lookUp(id);
  }

  async #lookUp(id: string): Promise<Credential | null> {
    if (this.#unknownLookups >= MAX_UNKNOWN_LOOKUPS) {
      const message = `too many unknown keys are being looked up (${MAX_UNKNOWN_LOOKUPS})`;
      throw new KeysError('store_busy', message, 'try again in a moment');
    }
    this.#unknownLookups += 1;
    try {
      return await this.#read(id);
    } finally {
      this.#unknownLookups -= 1;
    }
  }

  async #read(id: string): Promise<Credential | null> {
    const at = this.#clock();
    const credential = await (this.#kept ? this.#kept.read(id) : this.#store.credential(id));
    const asked = credential === null ? this.#unknown : this.#known;
    makeRoom(asked);
    asked.set(id, at);
    return credential;
  }
}
