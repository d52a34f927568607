import { counted } from '../domain/counted.js';
import { isKeysError } from '../domain/errors.js';
import type { ExchangeRefusal } from '../domain/issue.js';
import { problem } from '../http/problem.js';
import { wholeSeconds } from '../http/rate-headers.js';
import type { Headers, Problem, Refusal } from '../http/types.js';
import type { IssueRule } from './rules.js';
import type { TokenProblem } from './tokens.js';

/** A refusal with one more property, which OpenAPI names. */
function withProperty(refusal: Refusal, more: { readonly claim: string } | { readonly keyId: string }): Refusal {
  const body: Problem = { ...refusal.body, ...more };
  return { ...refusal, body };
}

const CHALLENGE: Headers = { 'WWW-Authenticate': 'Bearer realm="unlockos-keys issue"' };
const WRONG_TOKEN: Headers = { 'WWW-Authenticate': 'Bearer realm="unlockos-keys issue", error="invalid_token"' };

const retryAfter = (ms: number): Headers => ({ 'Retry-After': String(Math.max(1, wholeSeconds(ms))) });

export function tokenMissing(): Refusal {
  return problem(401, 'token_missing', 'send the ID token of the job: Authorization: Bearer TOKEN', CHALLENGE);
}

export function tokenMalformed(): Refusal {
  return problem(401, 'token_invalid', 'send one ID token, as Authorization: Bearer TOKEN', WRONG_TOKEN);
}

export function tokenRefused({ code, detail, retryAfterMs = 0 }: TokenProblem): Refusal {
  if (code === 'provider_unavailable') return problem(503, code, detail, retryAfter(retryAfterMs));
  return problem(401, code, detail, WRONG_TOKEN);
}

export function notAllowed(claim: string, detail: string): Refusal {
  return withProperty(problem(403, 'not_allowed', detail), { claim });
}

export function scopeNotAllowed(scopes: readonly string[], { name }: IssueRule): Refusal {
  return problem(403, 'scope_not_allowed', `the rule ${name} does not allow: ${scopes.join(', ')}`);
}

export function ttlTooLong(detail: string): Refusal {
  return problem(400, 'ttl_too_long', detail);
}

export function exchangeRefused(refusal: ExchangeRefusal, { name, maxAlive, maxIssued }: IssueRule): Refusal {
  switch (refusal.refused) {
    case 'over':
      return tokenRefused({ code: 'token_expired', detail: 'the token has expired' });
    case 'early':
      return tokenRefused({
        code: 'token_expired',
        detail: `the token is from before ${refusal.since.toISOString()}, when the store was restored or copied: it may be spent`,
      });
    case 'spent':
      return withProperty(
        problem(
          401,
          'token_replayed',
          `this token was exchanged before, for key ${refusal.keyId}; each key needs a token of its own`,
          WRONG_TOKEN,
        ),
        { keyId: refusal.keyId },
      );
    case 'alive':
      return problem(
        429,
        'too_many_keys',
        `the rule ${name} allows ${counted(maxAlive, 'active key')} at once`,
        retryAfter(refusal.retryAfterMs),
      );
    case 'pace':
      return problem(
        429,
        'too_many_keys',
        `the rule ${name} makes ${counted(maxIssued.limit, 'key')} in ${maxIssued.windowSeconds} s`,
        retryAfter(refusal.retryAfterMs),
      );
  }
}

/** The refusal for what a store throws; undefined for a bug. */
export function storeRefused(error: unknown): Refusal | undefined {
  if (!isKeysError(error) || error.code === 'internal') return undefined;
  if (error.code === 'guarded') return ttlTooLong(error.message);
  if (error.code === 'usage' || error.code === 'missing_input') return problem(400, 'bad_request', error.message);
  return problem(503, 'store_unavailable', 'keys cannot be created or ended at the moment', retryAfter(0));
}

export function noSuchKey(): Refusal {
  return problem(404, 'not_found', 'this job was given no such key');
}
