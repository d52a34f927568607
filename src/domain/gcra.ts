import { MAX_PER_SECOND, type RateLimit } from './rate-limit.js';

/** The state of a key's rate limit after a request. A caller may see it. */
export interface RateState {
  /** Requests in each window. */
  readonly limit: number;
  readonly windowSeconds: number;
  /** How many more requests would be admitted now. */
  readonly remaining: number;
  /** Until the whole limit is available again, in milliseconds. */
  readonly resetMs: number;
}

/** Whether a request is admitted; if not, when the next one will be. */
export type RateDecision =
  | { readonly admitted: true; readonly rate: RateState }
  | { readonly admitted: false; readonly rate: RateState; readonly retryAfterMs: number };

/** In emission intervals: adding many small numbers is slightly inexact, and that must not refuse a request. */
export const TOLERANCE = 1e-6;

/** The shortest interval, in milliseconds, that still changes a time in milliseconds since 1970 by what was added. */
const SHORTEST_INTERVAL = 1000 / MAX_PER_SECOND;

/**
 * The time between two requests at the rate of the limit, in milliseconds. A key of an earlier version can have a limit of more than
 * `MAX_PER_SECOND`; that limit applies to it, because a shorter interval would be lost in rounding and admit everything.
 */
export function emissionIntervalOf({ limit, windowSeconds }: RateLimit): number {
  return Math.max((windowSeconds * 1000) / limit, SHORTEST_INTERVAL);
}

/**
 * The generic cell rate algorithm (ITU-T I.371, virtual scheduling). It keeps one number for each key: `tat`, the theoretical arrival time,
 * at which the whole limit would be available again without further requests. It admits `limit` requests at once, and then one in each
 * emission interval (`window / limit`): no window boundary admits twice as many, and the time of the next request is exact. Times are in
 * milliseconds.
 *
 * `tat` is the value that the last call returned, undefined for a new key. When the clock was set back, `tat` is further ahead than it can
 * ever be; the key then starts again, instead of being refused until the clock has caught up.
 */
export function admit(
  tat: number | undefined,
  rateLimit: RateLimit,
  now: number,
): { decision: RateDecision; tat: number } {
  const window = rateLimit.windowSeconds * 1000;
  const emissionInterval = emissionIntervalOf(rateLimit);
  const known = tat === undefined || tat < now || tat > now + window + emissionInterval ? now : tat;
  const next = known + emissionInterval;
  if (next - window - now > emissionInterval * TOLERANCE)
    return { decision: refused(known, rateLimit, now), tat: known };
  return { decision: admitted(next, rateLimit, now), tat: next };
}

/** The decision for a request that was admitted, and that moved the arrival time to `tat`. */
export function admitted(tat: number, { limit, windowSeconds }: RateLimit, now: number): RateDecision {
  const window = windowSeconds * 1000;
  const remaining = Math.max(
    0,
    Math.floor((window - (tat - now)) / emissionIntervalOf({ limit, windowSeconds }) + TOLERANCE),
  );
  return { admitted: true, rate: { limit, windowSeconds, remaining, resetMs: Math.max(0, tat - now) } };
}

/** The decision for a request that was refused: it leaves the arrival time as it is. */
export function refused(tat: number, { limit, windowSeconds }: RateLimit, now: number): RateDecision {
  const window = windowSeconds * 1000;
  const rate = { limit, windowSeconds, remaining: 0, resetMs: Math.max(0, tat - now) };
  return {
    admitted: false,
    rate,
    retryAfterMs: Math.max(0, tat + emissionIntervalOf({ limit, windowSeconds }) - window - now),
  };
}
