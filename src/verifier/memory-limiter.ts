import { admit, type RateDecision } from '../domain/gcra.js';
import type { RateLimit } from '../domain/rate-limit.js';

/** Counts requests per key; asked once for each request, after the secret was proven. Times are milliseconds. */
export interface RateLimiter {
  admit(keyId: string, limit: RateLimit, now: number): RateDecision | Promise<RateDecision>;
}

/** One in so many requests also looks at one key that may be forgotten. */
const SWEEP_EVERY = 16;

/** Limits within this process: several processes each let the whole limit through. */
export class MemoryLimiter implements RateLimiter {
  readonly #whole = new Map<string, { at: number }>();
  #sweep = this.#whole.entries();
  #requests = 0;

  admit(keyId: string, limit: RateLimit, now: number): RateDecision {
    const known = this.#whole.get(keyId);
    const { decision, whole } = admit(known?.at, limit, now);
    if (known) known.at = whole;
    else this.#whole.set(keyId, { at: whole });
    this.#requests += 1;
    if (this.#requests % SWEEP_EVERY === 0) this.#forgetOne(now);
    return decision;
  }

  /** A key whose limit is whole again need not be known. Round and round, one at a time, so that no request ever pays for many. */
  #forgetOne(now: number): void {
    const next = this.#sweep.next();
    if (next.done) this.#sweep = this.#whole.entries();
    else if (next.value[1].at <= now) this.#whole.delete(next.value[0]);
  }

  /** How many keys are known. */
  get size(): number {
    return this.#whole.size;
  }
}
