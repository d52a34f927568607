import type { ApiKey } from './api-key.js';
import type { RateLimit } from './rate-limit.js';

/** An ID token that is exchanged for a key, as far as a store has to know it. */
export interface Exchange {
  /** SHA-256, in hexadecimal, of what no two tokens have in common: the issuer and the token's own id, or what was signed. */
  readonly token: string;
  /** When its provider signed it. */
  readonly tokenIssued: Date;
  /** From then on, nobody accepts the token. */
  readonly tokenEnds: Date;
  /** The name of the rule that lets it ask. */
  readonly rule: string;
  /** How many keys of this rule may be active at once. */
  readonly maxAlive: number;
  /** How many keys this rule may make in a time. */
  readonly pace: RateLimit;
}

/**
 * Why a token gets no key. `spent`: it got one before (`keyId`). `over`: it has expired by the clock of the database. `early`: it is older
 * than this store, which was restored or copied then and cannot know whether the token is spent. `alive` and `pace`: a limit of the rule is
 * reached.
 */
export type ExchangeRefusal =
  | { readonly refused: 'spent'; readonly keyId: string }
  | { readonly refused: 'over' }
  | { readonly refused: 'early'; readonly since: Date }
  | { readonly refused: 'alive' | 'pace'; readonly retryAfterMs: number };

/** The result of an exchange. */
export type Exchanged<T = ApiKey> = ExchangeRefusal | { readonly refused: null; readonly key: T };
