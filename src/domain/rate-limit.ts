import { type Check, shape, text, wholeNumber } from './checks.js';
import { KeysError } from './errors.js';
import { quoted } from './text.js';

/** How many requests a key may make in a window of so many seconds. */
export interface RateLimit {
  readonly limit: number;
  readonly windowSeconds: number;
}

export const DEFAULT_RATE_LIMIT: RateLimit = { limit: 600, windowSeconds: 60 };

const UNITS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;
const WORDS: Record<number, string> = { 1: 'second', 60: 'minute', 3600: 'hour', 86400: 'day' };
const MAX_LIMIT = 1_000_000_000;
const MAX_WINDOW_SECONDS = 365 * 86_400;
/** Beyond it, the time between two requests is so short that a clock in milliseconds since 1970 cannot tell it exactly (`gcra.ts`). */
export const MAX_PER_SECOND = 100_000;

/** Throws `usage` for a limit that cannot be kept exactly. */
function assertExact({ limit, windowSeconds }: RateLimit, shown: string): void {
  if (limit / windowSeconds > MAX_PER_SECOND)
    throw new KeysError(
      'usage',
      `rate limit ${shown} is more than ${MAX_PER_SECOND} requests per second`,
      `use at most ${MAX_PER_SECOND}/s, or turn limits off in the verifier`,
    );
}

const rateLimitShape = shape<RateLimit>(
  { limit: wholeNumber(1, MAX_LIMIT), windowSeconds: wholeNumber(1, MAX_WINDOW_SECONDS) },
  ['limit', 'windowSeconds'],
);

/** A rate limit that a program passes: an object, or a text such as `600/m`. */
export const rateLimitCheck: Check = (value, at) => {
  if (typeof value === 'string') return void parseRateLimit(value);
  if (typeof value !== 'object') return text(value, `${at} (600/m, or limit and windowSeconds)`);
  rateLimitShape(value, at);
  assertExact(value as RateLimit, at);
};

/** A rate limit that {@link rateLimitCheck} has accepted. */
export function readRateLimit(given: RateLimit | string): RateLimit {
  if (typeof given === 'string') return parseRateLimit(given);
  return { limit: given.limit, windowSeconds: given.windowSeconds };
}

/** Reads `600/m` (s, m, h or d). Throws `usage` for anything else: a limit is a promise, so nothing is guessed. */
export function parseRateLimit(text: string): RateLimit {
  const match = /^([1-9]\d{0,9})\/([smhd])$/.exec(text);
  const limit = Number(match?.[1]);
  if (!match || limit > MAX_LIMIT) {
    throw new KeysError(
      'usage',
      `rate limit ${quoted(text)} is not of the form 600/m`,
      'a whole number of requests per s, m, h or d: 10/s, 600/m, 5000/h, 100000/d',
    );
  }
  const rateLimit = { limit, windowSeconds: UNITS[match[2] as keyof typeof UNITS] };
  assertExact(rateLimit, quoted(text));
  return rateLimit;
}

/** The form that {@link parseRateLimit} reads. */
export function formatRateLimit(rate: RateLimit): string {
  const unit = Object.entries(UNITS).find(([, seconds]) => seconds === rate.windowSeconds)?.[0];
  return unit ? `${rate.limit}/${unit}` : `${rate.limit}/${rate.windowSeconds}s`;
}

/** The form for people: `600 requests per minute`. */
export function describeRateLimit(rate: RateLimit): string {
  const window = WORDS[rate.windowSeconds] ?? `${rate.windowSeconds} seconds`;
  return `${rate.limit} ${rate.limit === 1 ? 'request' : 'requests'} per ${window}`;
}
