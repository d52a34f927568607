import type { KeyPage, ListQuery } from '../domain/key-query.js';
import type { KeyStore } from '../domain/key-store.js';
import type { Recording } from '../domain/use.js';
import { listWithUse, type UsePage } from './usage.js';

/**
 * Reads pages of keys: as much of a keyring as a plain `list` needs, because to load the whole takes longer than to read a page. It takes
 * every query as it is. Throws a `store_…` code or `unauthorized`.
 */
export class KeyReader {
  readonly #store: KeyStore;
  readonly #now: () => Date;

  constructor(store: KeyStore, now: () => Date) {
    this.#store = store;
    this.#now = now;
  }

  /** See `Keyring.created`. */
  get created(): boolean {
    return this.#store.created;
  }

  /** See `Keyring.list`. */
  list(query: Omit<ListQuery, 'now'>): Promise<KeyPage> {
    return this.#store.list({ ...query, now: this.#now() });
  }

  /** See `Keyring.listWithUse`. */
  listWithUse(query: Omit<ListQuery, 'now'>): Promise<UsePage> {
    return listWithUse(this.#store, { ...query, now: this.#now() });
  }

  /** How many keys the store holds. */
  async count(): Promise<number> {
    const kinds = await this.#store.settings.hashKinds();
    return kinds.reduce((sum, { keys }) => sum + keys, 0);
  }

  /** See `Keyring.recording`. */
  recording(): Promise<Recording> {
    return this.#store.use.recording();
  }

  /** Closes the store. */
  close(): Promise<void> {
    return this.#store.close();
  }
}
