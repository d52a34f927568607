import type { ApiKey } from './api-key.js';
import type { RateState } from './gcra.js';
import type { Mode } from './key-string.js';

/**
 * What verifying answers. `invalid` is the one answer before the secret is proven: it never says whether the id exists. The others
 * come only after proof, and carry the key. A store that cannot answer is `unavailable`: never `valid`, never `invalid`.
 */
export type Verdict =
  /** `rate`: what is left of the key's limit; absent where limits are not enforced. */
  | { readonly verdict: 'valid'; readonly key: ApiKey; readonly rate?: RateState }
  | { readonly verdict: 'invalid' }
  | { readonly verdict: 'inactive'; readonly key: ApiKey }
  | { readonly verdict: 'expired'; readonly key: ApiKey }
  | { readonly verdict: 'wrong_environment'; readonly key: ApiKey; readonly environment: Mode }
  | { readonly verdict: 'missing_scope'; readonly key: ApiKey; readonly missingScopes: readonly string[] }
  | {
      readonly verdict: 'rate_limited';
      readonly key: ApiKey;
      readonly rate: RateState;
      readonly retryAfterMs: number;
    };

/** The one answer before a secret is proven. */
export const INVALID: Verdict = Object.freeze({ verdict: 'invalid' });

export interface Demands {
  /** The server's own environment; a key of the other mode is refused. Left out: not checked. */
  readonly environment?: Mode | undefined;
  /** Scopes that the key must hold, exactly as written: no wildcard, prefix or case folding. */
  readonly scopes?: readonly string[] | undefined;
}

/** The part of verifying that follows the proof of the secret: status, expiry, environment, scopes, in that order. */
export function judge(key: ApiKey, demands: Demands, now: Date | number): Verdict {
  if (key.status !== 'active') return { verdict: 'inactive', key };
  if (key.expiresAt !== null && key.expiresAt <= now) return { verdict: 'expired', key };
  if (demands.environment !== undefined && demands.environment !== key.mode) {
    return { verdict: 'wrong_environment', key, environment: demands.environment };
  }
  const { scopes } = demands;
  if (scopes === undefined || scopes.every((scope) => key.scopes.includes(scope))) return { verdict: 'valid', key };
  return { verdict: 'missing_scope', key, missingScopes: scopes.filter((scope) => !key.scopes.includes(scope)) };
}
