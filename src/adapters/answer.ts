import type { RateState } from '../domain/gcra.js';
import type { Verdict } from '../domain/verdict.js';
import type { Answer, Refusal } from './types.js';

/** A verdict, or the reason why there is none. */
export type Outcome = Verdict | { readonly verdict: 'missing' | 'invalid_request' | 'unavailable' };

type Headers = Readonly<Record<string, string>>;

const REALM = 'unlockos';
const HOW = 'send the API key once, as Authorization: Bearer <key>, and nowhere else';
const TITLES = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  429: 'Too Many Requests',
  503: 'Service Unavailable',
} as const;

/**
 * The HTTP answer to a request, the same in every framework. Before the secret is proven there is one answer to every wrong key, so that
 * nobody learns which ids exist; no answer holds a key's id, name or description.
 *
 * Statuses and `WWW-Authenticate` follow RFC 6750 section 3, the body RFC 9457, 429 RFC 6585 section 4. `scopes` are those that the
 * request needs: a 403 names them in its challenge, and in its detail those that are missing.
 */
export function answer(outcome: Outcome, scopes: readonly string[] = []): Answer {
  switch (outcome.verdict) {
    case 'valid':
      return { ok: true, key: outcome.key, headers: outcome.rate ? rateHeaders(outcome.rate) : {} };
    case 'missing':
      return refusal(401, 'missing', HOW, challenge());
    case 'invalid_request':
      return refusal(400, 'invalid_request', HOW, challenge({ error: 'invalid_request' }));
    case 'invalid':
      return invalidToken('invalid', 'the API key is not valid');
    case 'inactive':
      return invalidToken('inactive', 'the API key is disabled');
    case 'expired':
      return invalidToken('expired', 'the API key has expired');
    case 'wrong_environment':
      return invalidToken('wrong_environment', `the API key does not work in the ${outcome.environment} environment`);
    case 'missing_scope': {
      const detail = `the API key does not hold: ${outcome.missingScopes.join(', ')}`;
      const scope = (scopes.length > 0 ? scopes : outcome.missingScopes).join(' ');
      return refusal(403, 'missing_scope', detail, challenge({ error: 'insufficient_scope', scope }));
    }
    case 'rate_limited': {
      const seconds = Math.max(1, wholeSeconds(outcome.retryAfterMs));
      return refusal(429, 'rate_limited', `the rate limit is used up; try again in ${seconds} s`, {
        'Retry-After': String(seconds),
        ...rateHeaders(outcome.rate, seconds),
      });
    }
    default:
      return refusal(503, 'unavailable', 'API keys cannot be checked at the moment', { 'Retry-After': '1' });
  }
}

function invalidToken(code: string, detail: string): Refusal {
  return refusal(401, code, detail, challenge({ error: 'invalid_token' }));
}

function refusal(status: keyof typeof TITLES, code: string, detail: string, headers: Headers): Refusal {
  return {
    ok: false,
    status,
    headers: { 'Content-Type': 'application/problem+json', 'Cache-Control': 'no-store', ...headers },
    body: { type: 'about:blank', title: TITLES[status], status, detail, code },
  };
}

function challenge(parameters: Headers = {}): Headers {
  const all = Object.entries({ realm: REALM, ...parameters });
  return { 'WWW-Authenticate': `Bearer ${all.map(([name, value]) => `${name}="${bare(value)}"`).join(', ')}` };
}

/** Drops what may not stand in `error` or `scope` (RFC 6750 section 3): anything but printable ASCII, and `"` and `\`. */
function bare(value: string): string {
  return value.replace(/[^\x20-\x7e]|["\\]/g, '');
}

/**
 * The fields of draft-ietf-httpapi-ratelimit-headers-10, sections 3 and 4, as structured fields (RFC 9651) with integers only. `t` counts
 * to the moment at which more requests are allowed than now, which after a refusal is that of `Retry-After`.
 */
function rateHeaders(rate: RateState, retryAfter?: number): Headers {
  return {
    'RateLimit-Policy': `"default";q=${whole(rate.limit)};w=${whole(rate.windowSeconds)}`,
    RateLimit: `"default";r=${whole(rate.remaining)};t=${retryAfter ?? wholeSeconds(nextMs(rate))}`,
  };
}

/** Until one more request is allowed than `remaining`: the limit grows back one `window / limit` at a time (`domain/gcra.ts`). */
function nextMs({ limit, windowSeconds, remaining, resetMs }: RateState): number {
  const window = windowSeconds * 1000;
  return Math.min(resetMs, Math.max(0, resetMs - window + ((remaining + 1) * window) / limit));
}

function wholeSeconds(ms: number): number {
  return whole(Math.ceil(ms / 1000));
}

/** An integer that a structured field can hold, whatever a limiter of somebody's own makes of its numbers. */
function whole(value: number): number {
  return Number.isNaN(value) ? 0 : Math.min(Math.max(0, Math.floor(value)), 999_999_999_999_999);
}
