import type { Verdict } from '../domain/verdict.js';
import { problem } from './problem.js';
import { rateHeaders, wholeSeconds } from './rate-headers.js';
import type { Admission, Headers, Refusal } from './types.js';

/** The verdict on the key of a request, or the reason why the key could not be checked. */
export type RequestVerdict = Verdict | { readonly verdict: 'missing' | 'invalid_request' | 'unavailable' };

const REALM = 'unlockos';
const HOW = 'send the API key once, in the header Authorization: Bearer <key>, and nowhere else';

/**
 * The HTTP response to a request, the same in every framework and in `serve`. `scopes` are those that the request needs: a 403 names all of
 * them in its challenge, and the missing ones in its detail.
 *
 * Every key whose secret is not proven gets the same response, so that nobody can find out which ids exist. No response contains the id, the
 * name or the description of a key.
 *
 * Statuses and `WWW-Authenticate` follow RFC 6750 section 3, the body RFC 9457, 429 RFC 6585 section 4.
 */
export function responseFor(verdict: RequestVerdict, scopes: readonly string[] = []): Admission | Refusal {
  switch (verdict.verdict) {
    case 'valid':
      return { ok: true, key: verdict.key, headers: verdict.rate ? rateHeaders(verdict.rate) : {} };
    case 'missing':
      return problem(401, 'missing', HOW, challenge());
    case 'invalid_request':
      return problem(400, 'invalid_request', HOW, challenge({ error: 'invalid_request' }));
    case 'invalid':
      return invalidToken('invalid', 'the API key is not valid');
    case 'inactive':
      return invalidToken('inactive', 'the API key is disabled');
    case 'expired':
      return invalidToken('expired', 'the API key has expired');
    case 'wrong_environment':
      return invalidToken('wrong_environment', `the API key does not work in the ${verdict.environment} environment`);
    case 'missing_scope': {
      const detail = `the API key does not have: ${verdict.missingScopes.join(', ')}`;
      const scope = (scopes.length > 0 ? scopes : verdict.missingScopes).join(' ');
      return problem(403, 'missing_scope', detail, challenge({ error: 'insufficient_scope', scope }));
    }
    case 'wrong_address':
      return problem(
        403,
        'wrong_address',
        verdict.address === null
          ? 'the API key works from certain addresses only, and the address of this request is not known'
          : 'the API key does not work from this address',
      );
    case 'rate_limited': {
      const seconds = Math.max(1, wholeSeconds(verdict.retryAfterMs));
      return problem(429, 'rate_limited', `the rate limit is exceeded; try again in ${seconds} s`, {
        'Retry-After': String(seconds),
        ...rateHeaders(verdict.rate, seconds),
      });
    }
    default:
      return unavailable();
  }
}

/** The response when there is no verdict. */
export function unavailable(): Refusal {
  return problem(503, 'unavailable', 'API keys cannot be checked at the moment', { 'Retry-After': '1' });
}

function invalidToken(code: string, detail: string): Refusal {
  return problem(401, code, detail, challenge({ error: 'invalid_token' }));
}

function challenge(parameters: Headers = {}): Headers {
  const all = Object.entries({ realm: REALM, ...parameters });
  return { 'WWW-Authenticate': `Bearer ${all.map(([name, value]) => `${name}="${quotable(value)}"`).join(', ')}` };
}

/** Drops the characters that `error` and `scope` cannot contain (RFC 6750 section 3): all but printable ASCII, and `"` and `\`. */
function quotable(value: string): string {
  return value.replace(/[^\x20-\x7e]|["\\]/g, '');
}
