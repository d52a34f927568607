import { RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import { KeysError } from '../domain/errors.js';
import { admitted, type RateDecision, refused, TOLERANCE } from '../domain/gcra.js';
import type { RateLimit } from '../domain/rate-limit.js';
import { quoted } from '../domain/text.js';
import { MemoryLimiter, type RateLimiter } from './memory-limiter.js';

export type { RateLimiter } from './memory-limiter.js';

export interface RedisLimiterOptions {
  /** What the names of its entries begin with; a key id follows. Default: `unlockos-keys`. */
  readonly prefix?: string | undefined;
  /** How long to wait for an answer, in milliseconds; then Redis counts as down. Default: 500. */
  readonly timeoutMs?: number | undefined;
  /**
   * `memory`, the default: while Redis is down, each process lets a key's whole limit through by itself. `refuse`: there is no verdict then,
   * and an API server answers 503.
   */
  readonly whenDown?: 'memory' | 'refuse' | undefined;
  readonly now?: (() => number) | undefined;
}

/** A Redis that is down is tried again so often, in milliseconds. */
const RETRY_AFTER_MS = 1000;
/** Keys have few different limits; what was not asked for longest is made anew. */
const MOST_LIMITS = 1000;

/**
 * `domain/gcra.ts` inside Redis, by its clock, in place of the fixed windows of the package, whose edges let twice the limit through. It gets
 * the points of a request, the seconds of the window, and limit and window of its limiter; it answers how many are used up, one more
 * than there are where there was no room, and the milliseconds until the limit is whole again.
 */
const SCRIPT = `
local time = redis.call('time')
local now = time[1] * 1000 + time[2] / 1000
local limit, window = tonumber(ARGV[3]), ARGV[4] * 1000
local each = window / limit
local whole = tonumber(redis.call('get', KEYS[1]) or 0)
if whole < now or whole > now + window + each then whole = now end
local after = whole + each
if after - window - now > each * ${TOLERANCE} then return {limit + 1, math.ceil(whole - now)} end
redis.call('set', KEYS[1], string.format('%.3f', after), 'PX', math.ceil(after - now) + 1000)
local left = math.max(0, math.floor((window - (after - now)) / each + ${TOLERANCE}))
return {limit - left, math.ceil(after - now)}`;

/**
 * Limits that all processes of a fleet share, counted in Redis or Valkey: pass it to `createVerifier({ rateLimit })`. `client` is one of
 * ioredis or node-redis, connected and closed by the caller; `enableOfflineQueue: false` (`disableOfflineQueue: true`) spares requests the
 * wait when it is down. Needs the package rate-limiter-flexible.
 */
export function redisLimiter(client: object, options: RedisLimiterOptions = {}): RateLimiter {
  return new RedisLimiter(client, options);
}

class RedisLimiter implements RateLimiter {
  readonly #client: object;
  readonly #prefix: string;
  readonly #timeoutMs: number;
  readonly #now: () => number;
  readonly #fallback: MemoryLimiter | null;
  readonly #limiters = new Map<string, RateLimiterRedis>();
  #downUntil = Number.NEGATIVE_INFINITY;

  constructor(client: object, options: RedisLimiterOptions) {
    const { prefix = 'unlockos-keys', timeoutMs = 500, whenDown = 'memory', now = Date.now } = options;
    if (whenDown !== 'memory' && whenDown !== 'refuse')
      throw new KeysError('usage', `whenDown ${quoted(String(whenDown))} is unknown`, 'memory, or refuse');
    if (!(timeoutMs > 0 && timeoutMs <= 60_000)) throw new KeysError('usage', 'timeoutMs must be 1 to 60000');
    this.#client = client;
    this.#prefix = prefix;
    this.#timeoutMs = timeoutMs;
    this.#now = now;
    this.#fallback = whenDown === 'memory' ? new MemoryLimiter() : null;
  }

  async admit(keyId: string, limit: RateLimit, now: number): Promise<RateDecision> {
    if (this.#now() < this.#downUntil) return this.#withoutRedis(keyId, limit, now, null);
    try {
      const { msBeforeNext } = await this.#answer(this.#limiterFor(limit).consume(keyId, 1));
      return admitted(msBeforeNext, limit, 0);
    } catch (problem) {
      if (problem instanceof RateLimiterRes) return refused(problem.msBeforeNext, limit, 0);
      this.#downUntil = this.#now() + RETRY_AFTER_MS;
      return this.#withoutRedis(keyId, limit, now, problem);
    }
  }

  #withoutRedis(keyId: string, limit: RateLimit, now: number, cause: unknown): RateDecision {
    if (this.#fallback) return this.#fallback.admit(keyId, limit, now);
    throw new KeysError('store_unavailable', 'Redis, which counts rate limits, does not answer', 'is it up?', {
      cause,
    });
  }

  async #answer<T>(asked: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(reject, this.#timeoutMs, new Error('no answer in time'));
    });
    try {
      return await Promise.race([asked, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  #limiterFor({ limit, windowSeconds }: RateLimit): RateLimiterRedis {
    const name = `${limit}/${windowSeconds}`;
    const known = this.#limiters.get(name);
    if (known) return known;
    const [oldest] = this.#limiters.size >= MOST_LIMITS ? this.#limiters.keys() : [];
    if (oldest !== undefined) this.#limiters.delete(oldest);
    const limiter = new RateLimiterRedis({
      storeClient: this.#client,
      useRedisPackage: !('defineCommand' in this.#client), // ioredis has it, node-redis does not
      keyPrefix: this.#prefix,
      points: limit,
      duration: windowSeconds,
      customIncrTtlLuaScript: SCRIPT,
    });
    this.#limiters.set(name, limiter);
    return limiter;
  }
}
