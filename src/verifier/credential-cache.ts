import { KeysError } from '../domain/errors.js';
import type { Credential, KeyStore } from '../domain/key-store.js';

const MAX_ENTRIES = 10_000;
/** How long an id counts as unknown before a remote store is asked again. */
const UNKNOWN_MS = 1000;
/** Limits concurrent lookups of ids that were never found, so that made-up ids cannot delay lookups of real keys. */
const MAX_UNKNOWN_LOOKUPS = 256;

/** Reads credentials by key id: at once from memory where possible, otherwise as a promise. Null: there is no such key. */
export interface CredentialCache {
  credential(id: string): Credential | null | Promise<Credential | null>;
}

/** Removes the oldest entry if the map is full. */
function makeRoom(map: Map<string, unknown>): void {
  if (map.size < MAX_ENTRIES) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
}

/**
 * For a store that knows whether another connection changed it (SQLite's `PRAGMA data_version`). The version is checked on every call, so a
 * change by any process is seen by the next call. About twice as fast as reading on every call.
 */
export class DataVersionCredentialCache implements CredentialCache {
  readonly #store: KeyStore;
  readonly #entries = new Map<string, Credential>();
  #version: number | null;

  constructor(store: KeyStore) {
    this.#store = store;
    this.#version = store.version();
  }

  credential(id: string): Credential | null | Promise<Credential | null> {
    const version = this.#store.version();
    if (version !== this.#version) {
      this.#entries.clear();
      this.#version = version;
    }
    return this.#entries.get(id) ?? this.#read(id, version);
  }

  async #read(id: string, version: number | null): Promise<Credential | null> {
    const credential = await this.#store.credential(id);
    // If the version changed meanwhile, this can be older than what another call has seen.
    if (credential && version === this.#version && version === this.#store.version()) {
      makeRoom(this.#entries);
      this.#entries.set(id, credential);
    }
    return credential;
  }
}

interface TimedCredential {
  readonly credential: Credential;
  /** When the store was asked, not when it answered. */
  readonly askedAt: number;
}

/**
 * For a remote store. Credentials older than `maxStaleMs` are not used. Unknown ids are remembered for a second; otherwise anybody could make
 * the server send a query for every request with a made-up id.
 */
export class TtlCredentialCache implements CredentialCache {
  readonly #store: KeyStore;
  readonly #maxStaleMs: number;
  readonly #now: () => number;
  readonly #entries = new Map<string, TimedCredential>();
  /** Ids that the store did not have, with the time of the query. */
  readonly #unknown = new Map<string, number>();
  /** Ids that the store had at least once. */
  readonly #known = new Map<string, true>();
  #unknownLookups = 0;

  constructor(store: KeyStore, maxStaleMs: number, now: () => number) {
    this.#store = store;
    this.#maxStaleMs = maxStaleMs;
    this.#now = now;
  }

  credential(id: string): Credential | null | Promise<Credential | null> {
    const now = this.#now();
    const entry = this.#entries.get(id);
    if (entry && this.#maxStaleMs > 0 && now - entry.askedAt <= this.#maxStaleMs && now >= entry.askedAt)
      return entry.credential;
    const unknownSince = this.#unknown.get(id);
    if (unknownSince !== undefined && now - unknownSince < UNKNOWN_MS && now >= unknownSince) return null;
    return this.#known.has(id) ? this.#read(id, now) : this.#lookUp(id, now);
  }

  async #lookUp(id: string, askedAt: number): Promise<Credential | null> {
    if (this.#unknownLookups >= MAX_UNKNOWN_LOOKUPS) {
      const message = `too many unknown keys are being looked up (${MAX_UNKNOWN_LOOKUPS})`;
      throw new KeysError('store_busy', message, 'try again in a moment');
    }
    this.#unknownLookups += 1;
    try {
      return await this.#read(id, askedAt);
    } finally {
      this.#unknownLookups -= 1;
    }
  }

  async #read(id: string, askedAt: number): Promise<Credential | null> {
    const credential = await this.#store.credential(id);
    if (credential === null) {
      this.#entries.delete(id);
      makeRoom(this.#unknown);
      this.#unknown.set(id, askedAt);
      return null;
    }
    makeRoom(this.#known);
    this.#known.set(id, true);
    if (this.#maxStaleMs > 0 && (this.#entries.get(id)?.askedAt ?? 0) <= askedAt) {
      this.#entries.delete(id);
      makeRoom(this.#entries);
      this.#entries.set(id, { credential, askedAt });
    }
    return credential;
  }
}
