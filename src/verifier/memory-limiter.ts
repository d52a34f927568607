import { admit, type RateDecision } from '../domain/gcra.js';
import type { RateLimit } from '../domain/rate-limit.js';

/** Counts requests per key. Implement it to use a counter of your own, and pass it to `createVerifier({ rateLimit })`. */
export interface RateLimiter {
  /**
   * Counts one request and decides on it. Called once per request, after the secret is proven. `now` is the time in milliseconds since the
   * epoch. If it throws or rejects, there is no verdict, and an API server answers 503.
   */
  admit(keyId: string, limit: RateLimit, now: number): RateDecision | Promise<RateDecision>;
}

/** Every so many requests, one entry is checked for removal. */
const SWEEP_EVERY = 16;

/** Counts in this process. With several processes, each of them admits the whole limit. */
export class MemoryLimiter implements RateLimiter {
  /** The theoretical arrival time of each key (`domain/gcra.ts`), in an object that is updated in place. */
  readonly #entries = new Map<string, { tat: number }>();
  #sweep = this.#entries.entries();
  #requests = 0;

  admit(keyId: string, limit: RateLimit, now: number): RateDecision {
    const entry = this.#entries.get(keyId);
    const { decision, tat } = admit(entry?.tat, limit, now);
    if (entry) entry.tat = tat;
    else this.#entries.set(keyId, { tat });
    this.#requests += 1;
    if (this.#requests % SWEEP_EVERY === 0) this.#sweepOne(now);
    return decision;
  }

  /** Removes the next entry if its limit is full again. One at a time, so that no request pays for a walk over all entries. */
  #sweepOne(now: number): void {
    const next = this.#sweep.next();
    if (next.done) this.#sweep = this.#entries.entries();
    else if (next.value[1].tat <= now) this.#entries.delete(next.value[0]);
  }

  /** How many keys have an entry. */
  get size(): number {
    return this.#entries.size;
  }
}
