import type { RateState } from '../domain/gcra.js';
import type { Headers } from './types.js';

/**
 * The fields of draft-ietf-httpapi-ratelimit-headers-10, sections 3 and 4, as structured fields (RFC 9651) with integers only. `t` is the
 * time in seconds until one more request is allowed. After a refusal that is `retryAfter`.
 */
export function rateHeaders(rate: RateState, retryAfter = wholeSeconds(nextMs(rate))): Headers {
  return {
    'RateLimit-Policy': `"default";q=${whole(rate.limit)};w=${whole(rate.windowSeconds)}`,
    RateLimit: `"default";r=${whole(rate.remaining)};t=${retryAfter}`,
  };
}

/** Milliseconds until `remaining` grows by one: the limit refills one request per `window / limit` (`domain/gcra.ts`). */
function nextMs({ limit, windowSeconds, remaining, resetMs }: RateState): number {
  const window = windowSeconds * 1000;
  return Math.min(resetMs, Math.max(0, resetMs - window + ((remaining + 1) * window) / limit));
}

/** Rounded up. */
export function wholeSeconds(ms: number): number {
  return whole(Math.ceil(ms / 1000));
}

/** An integer that a structured field can hold, whatever number a custom limiter returns. */
function whole(value: number): number {
  return Number.isNaN(value) ? 0 : Math.min(Math.max(0, Math.floor(value)), 999_999_999_999_999);
}
