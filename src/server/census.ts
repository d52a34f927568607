import type { KeyCensus } from '../domain/key-query.js';

/** A census is at least this old before the store is asked for another. */
const MIN_AGE_MS = 5000;
/** Counting a large store takes time, in which a local one answers nothing else: at most a twentieth of it. */
const REST = 20;
const WAIT_MS = 1000;

/** What the store holds, for `/metrics`: asked for when it is scraped, and not with every scrape. */
export class CachedCensus {
  readonly #take: () => Promise<KeyCensus>;
  readonly #now: () => number;
  readonly #waitMs: number;
  #last: { readonly until: number; readonly census: KeyCensus | null } | undefined;
  #taking: Promise<KeyCensus | null> | undefined;

  /** `now` is a monotonic clock in milliseconds. `waitMs`: how long a scrape waits for the store, when all other metrics are needed most. */
  constructor(take: () => Promise<KeyCensus>, now = () => performance.now(), waitMs = WAIT_MS) {
    this.#waitMs = waitMs;
    this.#take = take;
    this.#now = now;
  }

  async #retake(): Promise<KeyCensus | null> {
    const start = this.#now();
    const census = await this.#take().catch(() => null);
    const end = this.#now();
    this.#last = { until: end + Math.max(MIN_AGE_MS, REST * (end - start)), census };
    this.#taking = undefined;
    return census;
  }

  /** Null when the store did not answer, or not in time. Never rejects. */
  async latest(): Promise<KeyCensus | null> {
    if (this.#last && this.#now() < this.#last.until) return this.#last.census;
    this.#taking ??= this.#retake();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), this.#waitMs);
    });
    try {
      return await Promise.race([this.#taking, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}
