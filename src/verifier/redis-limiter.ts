import { RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import { callback, oneOf, shape, text, wholeNumber } from '../domain/checks.js';
import { KeysError } from '../domain/errors.js';
import { admitted, type RateDecision, refused, TOLERANCE } from '../domain/gcra.js';
import { MAX_PER_SECOND, type RateLimit } from '../domain/rate-limit.js';
import { startTimer, stopTimer } from '../domain/real-time.js';
import { makeRoom } from './make-room.js';
import { MemoryLimiter, type RateLimiter } from './memory-limiter.js';

export type { RateLimiter } from './memory-limiter.js';

export interface RedisLimiterOptions {
  /** The start of the names in Redis, before the key id. Default: `unlockos-keys`. */
  readonly prefix?: string | undefined;
  /** How long to wait for Redis, in milliseconds, 1 to 60000. After that Redis counts as down. Default: 500. */
  readonly timeoutMs?: number | undefined;
  /**
   * While Redis is down: `memory` counts in this process, so that each process admits the whole limit of a key; `refuse` gives no verdict,
   * and an API server answers 503. Default: `memory`.
   */
  readonly whenDown?: 'memory' | 'refuse' | undefined;
  /** A monotonic clock in milliseconds, for the pause between attempts to reach Redis. Default: `performance.now`. */
  readonly now?: (() => number) | undefined;
}

const optionsCheck = shape<RedisLimiterOptions>({
  prefix: text,
  timeoutMs: wholeNumber(1, 60_000),
  whenDown: oneOf(['memory', 'refuse']),
  now: callback,
});

/** How long to wait, in milliseconds, before one request tries a Redis that is down again. */
const RETRY_AFTER_MS = 1000;
/** Keys have few different limits. Beyond this number the oldest limiter is dropped. */
const MAX_LIMITS = 1000;
/** The name of the script on an ioredis client. */
const COMMAND = 'unlockosKeysAdmit';

/**
 * The algorithm of `domain/gcra.ts` in Redis, by the clock of Redis. It replaces the fixed windows of rate-limiter-flexible, which admit twice
 * the limit around the edge of a window. The value in Redis is the theoretical arrival time (`tat`) in milliseconds since the epoch.
 *
 * Arguments (set by the package): points of the request, window in seconds, limit, window in seconds. Returns the number of used points, one
 * more than the limit for a refusal, and the milliseconds until the limit is full again.
 */
const SCRIPT = `
local time = redis.call('time')
local now = time[1] * 1000 + time[2] / 1000
local limit, window = tonumber(ARGV[3]), ARGV[4] * 1000
local emissionInterval = math.max(window / limit, ${1000 / MAX_PER_SECOND})
local tat = redis.call('get', KEYS[1]) or now
local ahead = tat - now
if ahead < 0 or ahead > window + emissionInterval then ahead = 0 end
local newAhead = ahead + emissionInterval
if newAhead - window > emissionInterval * ${TOLERANCE} then return {limit + 1, math.ceil(ahead)} end
redis.call('set', KEYS[1], string.format('%.6f', now + newAhead), 'PX', math.ceil(newAhead) + 1000)
local remaining = math.max(0, math.floor((window - newAhead) / emissionInterval + ${TOLERANCE}))
return {limit - remaining, math.ceil(newAhead)}`;

/**
 * Rate limits that all processes share, counted in Redis or Valkey. Needs the package rate-limiter-flexible.
 *
 * `client` is an ioredis client, or a node-redis client (4 or newer). You connect and close it, and can use it for other things too. With
 * `enableOfflineQueue: false` (node-redis: `disableOfflineQueue: true`) requests do not wait for Redis while it is down.
 *
 * Throws `usage` for an invalid client or invalid options. With `whenDown: 'refuse'`, `verify` rejects with `store_unavailable` while Redis is
 * down.
 *
 * @example
 * ```ts
 * import { Redis } from 'ioredis';
 * import { createVerifier } from 'unlockos-keys';
 * import { redisLimiter } from 'unlockos-keys/redis';
 *
 * const rateLimit = redisLimiter(new Redis({ enableOfflineQueue: false }));
 * const verifier = await createVerifier({ store: './keys.db', environment: 'live', rateLimit });
 * ```
 */
export function redisLimiter(client: object, options: RedisLimiterOptions = {}): RateLimiter {
  return new RedisLimiter(client, options);
}

/** The part of a node-redis client that rate-limiter-flexible calls with `useRedisPackage`. */
interface ScriptRunner {
  eval(script: string, call: { readonly keys: string[]; readonly arguments: string[] }): Promise<unknown>;
}

interface IoRedis {
  defineCommand(name: string, definition: { readonly numberOfKeys: number; readonly lua: string }): void;
  readonly [COMMAND]: (...keysAndArguments: string[]) => Promise<unknown>;
}

/**
 * On an ioredis client, rate-limiter-flexible defines its command under one name for all limiters. Limiters of the caller on the same client
 * would then run this script, or this one theirs. So this defines a command of its own name, and makes the client look like node-redis.
 */
function scriptRunner(client: object): ScriptRunner {
  if (typeof client !== 'object' || client === null) throw notRedis();
  if ('defineCommand' in client && typeof client.defineCommand === 'function') {
    const redis = client as IoRedis;
    redis.defineCommand(COMMAND, { numberOfKeys: 1, lua: SCRIPT });
    return { eval: (_, call) => redis[COMMAND](...call.keys, ...call.arguments) };
  }
  // node-redis 3 has `send_command`; its `eval` takes callbacks
  if ('eval' in client && typeof client.eval === 'function' && !('send_command' in client))
    return client as ScriptRunner;
  throw notRedis();
}

function notRedis(): KeysError {
  return new KeysError('usage', 'client is not a Redis client', 'use a client of ioredis, or of node-redis 4 or newer');
}

class RedisLimiter implements RateLimiter {
  readonly #client: ScriptRunner;
  readonly #prefix: string;
  readonly #timeoutMs: number;
  readonly #now: () => number;
  readonly #fallback: MemoryLimiter | null;
  readonly #limiters = new Map<string, RateLimiterRedis>();
  /** Why Redis is down, and when to try it again. Null while it is up. */
  #down: { readonly cause: unknown; readonly tryAt: number } | null = null;

  constructor(client: object, options: RedisLimiterOptions) {
    optionsCheck(options, 'redisLimiter: options');
    const { prefix = 'unlockos-keys', timeoutMs = 500, whenDown = 'memory' } = options;
    this.#client = scriptRunner(client);
    this.#prefix = prefix;
    this.#timeoutMs = timeoutMs;
    this.#now = options.now ?? (() => performance.now());
    this.#fallback = whenDown === 'memory' ? new MemoryLimiter() : null;
  }

  async admit(keyId: string, limit: RateLimit, now: number): Promise<RateDecision> {
    if (this.#down) {
      if (this.#now() < this.#down.tryAt) return this.#withoutRedis(keyId, limit, now, this.#down.cause);
      this.#down = { cause: this.#down.cause, tryAt: Number.POSITIVE_INFINITY }; // no other request tries until this one is done
    }
    try {
      const decision = await this.#ask(keyId, limit);
      this.#down = null;
      return decision;
    } catch (cause) {
      this.#down = { cause, tryAt: this.#now() + RETRY_AFTER_MS };
      return this.#withoutRedis(keyId, limit, now, cause);
    }
  }

  #withoutRedis(keyId: string, limit: RateLimit, now: number, cause: unknown): RateDecision {
    if (this.#fallback) return this.#fallback.admit(keyId, limit, now);
    const hint = "start Redis, or set whenDown: 'memory' to count in each process meanwhile";
    throw new KeysError('store_unavailable', 'Redis does not answer, so rate limits cannot be checked', hint, {
      cause,
    });
  }

  /** Rejects when Redis answers with an error, or not in time. */
  async #ask(keyId: string, limit: RateLimit): Promise<RateDecision> {
    try {
      const { msBeforeNext, remainingPoints } = await this.#inTime(this.#limiterFor(limit).consume(keyId, 1));
      const { rate } = admitted(msBeforeNext, limit, 0);
      return { admitted: true, rate: { ...rate, remaining: remainingPoints } }; // from Redis, because milliseconds are rounded
    } catch (reason) {
      if (reason instanceof RateLimiterRes) return refused(reason.msBeforeNext, limit, 0);
      throw reason;
    }
  }

  async #inTime<T>(asked: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<never>((_, reject) => {
      timer = startTimer(reject, this.#timeoutMs, new Error(`Redis did not answer within ${this.#timeoutMs} ms`));
    });
    try {
      return await Promise.race([asked, timeout]);
    } finally {
      stopTimer(timer);
    }
  }

  #limiterFor({ limit, windowSeconds }: RateLimit): RateLimiterRedis {
    const name = `${limit}/${windowSeconds}`;
    const known = this.#limiters.get(name);
    if (known) return known;
    makeRoom(this.#limiters, MAX_LIMITS);
    const limiter = new RateLimiterRedis({
      storeClient: this.#client,
      useRedisPackage: true,
      keyPrefix: this.#prefix,
      points: limit,
      duration: windowSeconds,
      customIncrTtlLuaScript: SCRIPT,
    });
    this.#limiters.set(name, limiter);
    return limiter;
  }
}
