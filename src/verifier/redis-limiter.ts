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
  /** How long to wait for an answer, in milliseconds, 1 to 60000; then Redis counts as down. Default: 500. */
  readonly timeoutMs?: number | undefined;
  /**
   * `memory`, the default: while Redis is down, each process lets a key's whole limit through by itself. `refuse`: there is no verdict then,
   * and an API server answers 503.
   */
  readonly whenDown?: 'memory' | 'refuse' | undefined;
  /** The clock of the pause between tries, in milliseconds; one that is never set back. Default: `performance.now`. */
  readonly now?: (() => number) | undefined;
}

/** A Redis that is down is tried again so often, in milliseconds, by one request at a time. */
const RETRY_AFTER_MS = 1000;
/** Keys have few different limits; beyond so many, the one that was made first goes. */
const MOST_LIMITS = 1000;
/** The script's name on a client of ioredis. */
const COMMAND = 'unlockosKeysAdmit';

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
 * ioredis or node-redis (4 or newer), connected and closed by the caller, who may use it for other things besides;
 * `enableOfflineQueue: false` (`disableOfflineQueue: true`) spares requests the wait when it is down. Needs the package
 * rate-limiter-flexible. Throws `usage` for a client or options that are none.
 *
 * `admit` never rejects for a refusal; with `whenDown: 'refuse'` it rejects with `store_unavailable` while Redis is down.
 */
export function redisLimiter(client: object, options: RedisLimiterOptions = {}): RateLimiter {
  return new RedisLimiter(client, options);
}

/** The part of node-redis that the package asks when it is told `useRedisPackage`. */
interface ScriptRunner {
  eval(script: string, call: { readonly keys: string[]; readonly arguments: string[] }): Promise<unknown>;
}

interface IoRedis {
  defineCommand(name: string, definition: { readonly numberOfKeys: number; readonly lua: string }): void;
  readonly [COMMAND]: (...keysAndArguments: string[]) => Promise<unknown>;
}

/**
 * The package would define its command on a client of ioredis by a name that all limiters share, so that the caller's own limiters over
 * the same client ran this script, or these theirs. So ioredis gets a command of another name, and the package sees node-redis.
 */
function scriptRunner(client: object): ScriptRunner {
  if ('defineCommand' in client && typeof client.defineCommand === 'function') {
    const redis = client as IoRedis;
    redis.defineCommand(COMMAND, { numberOfKeys: 1, lua: SCRIPT });
    return { eval: (_, call) => redis[COMMAND](...call.keys, ...call.arguments) };
  }
  // node-redis 3 has both, and takes callbacks
  if ('eval' in client && typeof client.eval === 'function' && !('send_command' in client))
    return client as ScriptRunner;
  throw new KeysError('usage', 'client is no client of Redis', 'one of ioredis, or of node-redis 4 or newer');
}

class RedisLimiter implements RateLimiter {
  readonly #client: ScriptRunner;
  readonly #prefix: string;
  readonly #timeoutMs: number;
  readonly #now: () => number;
  readonly #fallback: MemoryLimiter | null;
  readonly #limiters = new Map<string, RateLimiterRedis>();
  /** Why Redis is down, and when to try it again; null while it is up. */
  #down: { readonly problem: unknown; readonly tryAt: number } | null = null;

  constructor(client: object, options: RedisLimiterOptions) {
    const { prefix = 'unlockos-keys', timeoutMs = 500, whenDown = 'memory' } = options;
    if (typeof prefix !== 'string') throw new KeysError('usage', 'prefix must be a string');
    if (whenDown !== 'memory' && whenDown !== 'refuse')
      throw new KeysError('usage', `whenDown ${quoted(String(whenDown))} is unknown`, 'memory, or refuse');
    if (!(timeoutMs >= 1 && timeoutMs <= 60_000)) throw new KeysError('usage', 'timeoutMs must be 1 to 60000');
    this.#client = scriptRunner(client);
    this.#prefix = prefix;
    this.#timeoutMs = timeoutMs;
    this.#now = options.now ?? (() => performance.now());
    this.#fallback = whenDown === 'memory' ? new MemoryLimiter() : null;
  }

  async admit(keyId: string, limit: RateLimit, now: number): Promise<RateDecision> {
    if (this.#down) {
      if (this.#now() < this.#down.tryAt) return this.#withoutRedis(keyId, limit, now, this.#down.problem);
      this.#down = { problem: this.#down.problem, tryAt: Number.POSITIVE_INFINITY }; // until this try has an answer, or none in time
    }
    try {
      const decision = await this.#ask(keyId, limit);
      this.#down = null;
      return decision;
    } catch (problem) {
      this.#down = { problem, tryAt: this.#now() + RETRY_AFTER_MS };
      return this.#withoutRedis(keyId, limit, now, problem);
    }
  }

  #withoutRedis(keyId: string, limit: RateLimit, now: number, cause: unknown): RateDecision {
    if (this.#fallback) return this.#fallback.admit(keyId, limit, now);
    const hint = "start Redis again, or let each process count by itself: whenDown: 'memory'";
    throw new KeysError('store_unavailable', 'Redis, which counts rate limits, is down', hint, { cause });
  }

  /** Rejects when Redis does not answer, or with an error. */
  async #ask(keyId: string, limit: RateLimit): Promise<RateDecision> {
    try {
      const { msBeforeNext, remainingPoints } = await this.#inTime(this.#limiterFor(limit).consume(keyId, 1));
      const { rate } = admitted(msBeforeNext, limit, 0);
      return { admitted: true, rate: { ...rate, remaining: remainingPoints } }; // counted there, before the milliseconds were rounded
    } catch (problem) {
      if (problem instanceof RateLimiterRes) return refused(problem.msBeforeNext, limit, 0);
      throw problem;
    }
  }

  async #inTime<T>(asked: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(reject, this.#timeoutMs, new Error(`no answer within ${this.#timeoutMs} ms`));
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
