import type { ApiKey } from '../domain/api-key.js';
import type { Labels } from '../domain/labels.js';
import type { RateLimit } from '../domain/rate-limit.js';

// What methods of a keyring take besides values: which key, which change, and what to change of it.

// What every public method of a keyring accepts. An interface with a field that has no check here does not compile.

/** How a change is carried out. */
export interface ChangeOptions {
  /** 8 to 64 letters, digits, `-` or `_`. A change is made once for each id, however often it is sent. Default: a random one. */
  readonly operationId?: string | undefined;
}

/** A key id, an exact name, the masked key string or at least 4 characters of the beginning of the id; or a key that was looked up. */
export type KeyRef = string | ApiKey;

/** For a change of a key that was looked up before. */
export interface AsSeen {
  /** The key passed in must be as it was looked up: `conflict` when somebody has changed it since. Default: false. */
  readonly asSeen?: boolean | undefined;
}

/** What to change of a key. What is left out stays. */
export interface EditInput {
  readonly name?: string | undefined;
  /** Null for none. */
  readonly description?: string | null | undefined;
  /** A text such as `600/m`, or the limit and its window. */
  readonly rateLimit?: RateLimit | string | undefined;
  /** An earlier end of the key, as on the command line: `90d`, `2027-01-31`. */
  readonly expires?: string | undefined;
  /** An earlier end of the key, instead of `expires`. */
  readonly expiresAt?: Date | null | undefined;
  /** All labels: those that are not listed are removed. */
  readonly labels?: Labels | undefined;
  /** All IP addresses and networks that the key works from, such as `10.0.0.0/8`; none: it works from everywhere. */
  readonly allowFrom?: readonly string[] | undefined;
}
