import { isKeysError, KeysError } from '../domain/errors.js';
import type { RateDecision } from '../domain/gcra.js';
import type { KeyStore } from '../domain/key-store.js';
import type { RateLimit } from '../domain/rate-limit.js';
import { elapsed, sleep, startTimer, stopTimer } from '../domain/real-time.js';
import type { RateLimiter } from './memory-limiter.js';

/** Counting takes a fraction of a millisecond, so other processes that count are done by then. */
const MAX_WAIT_MS = 50;
const RETRY_MS = 2;
/** For the answer of a remote store. */
const MAX_ANSWER_MS = 2000;

/**
 * Counts requests in the store, so that all processes together admit a key's limit. The store's lock is waited for without stopping this
 * thread, and not for long: while another process holds it, requests are refused at once with `store_busy`.
 */
export class SharedLimiter implements RateLimiter {
  readonly #store: KeyStore;
  /** A request has waited without success; until one succeeds, no other waits. */
  #locked = false;

  constructor(store: KeyStore) {
    this.#store = store;
  }

  async admit(keyId: string, limit: RateLimit): Promise<RateDecision> {
    const start = elapsed();
    for (;;) {
      try {
        const decision = await inTime(this.#store.admit(keyId, limit));
        this.#locked = false;
        return decision;
      } catch (error) {
        if (!isKeysError(error, 'store_busy')) throw error;
        if (this.#locked || elapsed() - start >= MAX_WAIT_MS) {
          this.#locked = true;
          throw error;
        }
      }
      await sleep(RETRY_MS);
    }
  }
}

async function inTime<T>(asked: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const message = `the store did not count the request within ${MAX_ANSWER_MS} ms`;
    timer = startTimer(() => reject(new KeysError('store_unavailable', message, 'try again')), MAX_ANSWER_MS);
  });
  try {
    return await Promise.race([asked, late]);
  } finally {
    stopTimer(timer);
  }
}
