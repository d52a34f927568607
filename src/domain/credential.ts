import type { ApiKey } from './api-key.js';
import type { StoreScheme } from './secret-hash.js';

/** A key with what proves its secret. */
export interface Credential {
  readonly key: ApiKey;
  readonly hash: string;
  readonly guard: string;
  /** The store's hash scheme; null for one that this version does not know. A key with an older hash gets a new one when it is verified next. */
  readonly scheme: StoreScheme | null;
  /** True when the key's hash was made with another scheme. */
  readonly outdated: boolean;
}
