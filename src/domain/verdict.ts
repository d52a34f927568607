import { allows, canonicalAddress } from './addresses.js';
import type { ApiKey } from './api-key.js';
import type { RateState } from './gcra.js';
import type { Mode } from './key-string.js';

/**
 * What verifying a key string comes to. `invalid` is the only refusal before the secret is proven, and never tells whether the key id
 * exists. The others follow the proof, and carry the key. Where the store does not answer there is no verdict, but an error.
 */
export type Verdict =
  /** `rate`: what is left of the key's rate limit; absent where limits are not enforced. */
  | { readonly verdict: 'valid'; readonly key: ApiKey; readonly rate?: RateState }
  | { readonly verdict: 'invalid' }
  | { readonly verdict: 'inactive'; readonly key: ApiKey }
  | { readonly verdict: 'expired'; readonly key: ApiKey }
  | { readonly verdict: 'wrong_environment'; readonly key: ApiKey; readonly environment: Mode }
  | { readonly verdict: 'missing_scope'; readonly key: ApiKey; readonly missingScopes: readonly string[] }
  /** `address`: where the request came from; null where that is not known. */
  | { readonly verdict: 'wrong_address'; readonly key: ApiKey; readonly address: string | null }
  | {
      readonly verdict: 'rate_limited';
      readonly key: ApiKey;
      readonly rate: RateState;
      readonly retryAfterMs: number;
    };

/** The only refusal before a secret is proven. */
export const INVALID: Verdict = Object.freeze({ verdict: 'invalid' });

/** What a request needs from its key. */
export interface Needs {
  /** The environment of the server: a key of the other mode is refused. Default: not checked. */
  readonly environment?: Mode | undefined;
  /** Scopes that the key must have: all of them, exactly as written, without wildcards. */
  readonly scopes?: readonly string[] | undefined;
  /**
   * The IP address of the client. A key with a list of networks is refused where it is in none of them, not known, or not the text of an address.
   * Other keys work from everywhere.
   */
  readonly address?: string | undefined;
}

/** The part of verifying that follows the proof of the secret: status, expiry, environment, scopes, address, in that order. */
export function judge(key: ApiKey, needs: Needs, now: Date | number): Verdict {
  if (key.status !== 'active') return { verdict: 'inactive', key };
  if (key.expiresAt !== null && key.expiresAt <= now) return { verdict: 'expired', key };
  if (needs.environment !== undefined && needs.environment !== key.mode) {
    return { verdict: 'wrong_environment', key, environment: needs.environment };
  }
  const { scopes, address } = needs;
  if (scopes !== undefined && !scopes.every((scope) => key.scopes.includes(scope)))
    return { verdict: 'missing_scope', key, missingScopes: scopes.filter((scope) => !key.scopes.includes(scope)) };
  if (key.allowFrom.length === 0 || allows(key.allowFrom, address)) return { verdict: 'valid', key };
  return { verdict: 'wrong_address', key, address: address === undefined ? null : canonicalAddress(address) };
}
