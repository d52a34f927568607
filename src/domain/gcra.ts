import type { RateLimit } from './rate-limit.js';

/** What a caller may be told of a key's limit after a request. */
export interface RateState {
  readonly limit: number;
  readonly windowSeconds: number;
  /** Requests that may follow at once. */
  readonly remaining: number;
  /** Until the whole limit is there again, in milliseconds. */
  readonly resetMs: number;
}

export type RateDecision =
  | { readonly admitted: true; readonly rate: RateState }
  | { readonly admitted: false; readonly rate: RateState; readonly retryAfterMs: number };

/** Of one step: the sum of many small ones is a little off, and that is no reason to refuse. */
export const TOLERANCE = 1e-6;

/**
 * The generic cell rate algorithm (ITU-T I.371, as the virtual scheduling form): one number per key, the time at which its limit would be
 * whole again if nothing more came. It lets `limit` requests through at once and then one per `window / limit`, so no edge of a window
 * lets twice as many through, and the time of the next one is exact. Times are milliseconds.
 *
 * `whole` is what the last call answered, undefined for a key that was not seen. A clock that was set back would make it lie further
 * ahead than it ever can; then the key starts anew, rather than being locked out until the clock has caught up.
 */
export function admit(
  whole: number | undefined,
  { limit, windowSeconds }: RateLimit,
  now: number,
): { decision: RateDecision; whole: number } {
  const window = windowSeconds * 1000;
  const each = window / limit;
  const known = whole === undefined || whole < now || whole > now + window + each ? now : whole;
  const after = known + each;
  if (after - window - now > each * TOLERANCE)
    return { decision: refused(known, { limit, windowSeconds }, now), whole: known };
  return { decision: admitted(after, { limit, windowSeconds }, now), whole: after };
}

/** The answer to a request that moved the limit's time on to `whole`. */
export function admitted(whole: number, { limit, windowSeconds }: RateLimit, now: number): RateDecision {
  const window = windowSeconds * 1000;
  const remaining = Math.max(0, Math.floor((window - (whole - now)) / (window / limit) + TOLERANCE));
  return { admitted: true, rate: { limit, windowSeconds, remaining, resetMs: Math.max(0, whole - now) } };
}

/** The answer to a request for which there was no room, the limit being whole again at `whole`. */
export function refused(whole: number, { limit, windowSeconds }: RateLimit, now: number): RateDecision {
  const window = windowSeconds * 1000;
  const rate = { limit, windowSeconds, remaining: 0, resetMs: Math.max(0, whole - now) };
  return { admitted: false, rate, retryAfterMs: Math.max(0, whole + window / limit - window - now) };
}
