import { KeysError } from '../domain/errors.js';
import type { Credential, KeyStore } from '../domain/key-store.js';

const MAX_ROWS = 10_000;
/** An id that a remote store did not know is not asked for again for so long. */
const UNKNOWN_MS = 1000;
/** So many questions about ids that were never seen may be open at once: made-up ids shall not crowd out those that exist. */
const MOST_STRANGERS = 256;

/** Where rows come from: at once where they may be known, else as a promise. Null: there is no such key. */
export interface RowSource {
  row(id: string): Credential | null | Promise<Credential | null>;
}

/** Makes room for one more: what came first goes first. */
function makeRoom(map: Map<string, unknown>): void {
  if (map.size < MAX_ROWS) return;
  for (const first of map.keys()) {
    map.delete(first);
    return;
  }
}

/**
 * Rows of a store that can say whether anybody else changed it (SQLite's `PRAGMA data_version`, asked on every call): as good as reading
 * on every call, and about twice as fast. A change of any process is seen by the next call.
 */
export class VersionedRows implements RowSource {
  readonly #store: KeyStore;
  readonly #rows = new Map<string, Credential>();
  #seen: number | null;

  constructor(store: KeyStore) {
    this.#store = store;
    this.#seen = store.version();
  }

  row(id: string): Credential | null | Promise<Credential | null> {
    const version = this.#store.version();
    if (version !== this.#seen) {
      this.#rows.clear();
      this.#seen = version;
    }
    return this.#rows.get(id) ?? this.#read(id, version);
  }

  async #read(id: string, version: number | null): Promise<Credential | null> {
    const row = await this.#store.credential(id);
    // Only while nothing was changed since the version was asked for: what was read may be older than what a later call has seen.
    if (row && version === this.#seen && version === this.#store.version()) {
      makeRoom(this.#rows);
      this.#rows.set(id, row);
    }
    return row;
  }
}

interface Aged {
  readonly row: Credential | null;
  /** When it was asked for: an answer is as old as its question. */
  readonly at: number;
}

/**
 * Rows of a store at a distance. None is used that is older than `maxStaleMs`; ids that it does not know are remembered for a second, or
 * anybody could have it asked for made-up ids as fast as requests come.
 */
export class AgingRows implements RowSource {
  readonly #store: KeyStore;
  readonly #maxStaleMs: number;
  readonly #now: () => number;
  readonly #rows = new Map<string, Aged>();
  readonly #unknown = new Map<string, number>();
  readonly #seen = new Map<string, true>();
  #strangers = 0;

  constructor(store: KeyStore, maxStaleMs: number, now: () => number) {
    this.#store = store;
    this.#maxStaleMs = maxStaleMs;
    this.#now = now;
  }

  row(id: string): Credential | null | Promise<Credential | null> {
    const now = this.#now();
    const known = this.#rows.get(id);
    if (known && this.#maxStaleMs > 0 && now - known.at <= this.#maxStaleMs && now >= known.at) return known.row;
    const unknownSince = this.#unknown.get(id);
    if (unknownSince !== undefined && now - unknownSince < UNKNOWN_MS && now >= unknownSince) return null;
    return this.#seen.has(id) ? this.#read(id, now) : this.#readStranger(id, now);
  }

  async #readStranger(id: string, at: number): Promise<Credential | null> {
    if (this.#strangers >= MOST_STRANGERS)
      throw new KeysError('store_busy', `${MOST_STRANGERS} unknown keys are being looked up`, 'try again in a moment');
    this.#strangers += 1;
    try {
      return await this.#read(id, at);
    } finally {
      this.#strangers -= 1;
    }
  }

  async #read(id: string, at: number): Promise<Credential | null> {
    const row = await this.#store.credential(id);
    if (row) {
      makeRoom(this.#seen);
      this.#seen.set(id, true);
    }
    if (row === null) {
      this.#rows.delete(id);
      makeRoom(this.#unknown);
      this.#unknown.set(id, at);
    } else if (this.#maxStaleMs > 0 && (this.#rows.get(id)?.at ?? 0) <= at) {
      this.#rows.delete(id);
      makeRoom(this.#rows);
      this.#rows.set(id, { row, at });
    }
    return row;
  }
}
