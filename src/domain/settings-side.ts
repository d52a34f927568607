import type { Change } from './change.js';
import type { PolicyInput, StorePolicy } from './policy.js';
import type { CatalogueScope } from './scopes.js';
import type { StoreScheme } from './secret-hash.js';

/** The part of a store that holds for every key: the catalogue of scopes, the policy, the hash scheme. */
export interface SettingsSide {
  /** The scopes, without those whose row is damaged. */
  catalogue(): Promise<CatalogueScope[]>;
  addScope(scope: string, categoryLabel: string | null, change: Change): Promise<CatalogueScope>;
  /** `changed` is false when the scope was already retired. */
  retireScope(scope: string, change: Change): Promise<{ scope: CatalogueScope; changed: boolean }>;

  policy(): Promise<StorePolicy>;
  /** The policy as {@link setPolicy} would make it. */
  plannedPolicy(input: PolicyInput): Promise<StorePolicy>;
  /**
   * Changes the policy; what is left out stays. New keys that it does not allow are refused with `guarded`, under the lock of the change.
   * `changed` is false when it was the same. Throws `usage` for values that no policy has.
   */
  setPolicy(input: PolicyInput, change: Change): Promise<{ policy: StorePolicy; changed: boolean }>;

  /** The scheme of new hashes, also one that this version does not know. */
  hashScheme(): Promise<string>;
  /** `changed` is false when the store already used this scheme. */
  setHashScheme(scheme: StoreScheme, change: Change): Promise<{ scheme: StoreScheme; changed: boolean }>;
  /** The number of keys by kind of hash. The kind is the beginning of the hash, up to its cost or pepper id. */
  hashKinds(): Promise<{ kind: string; keys: number }[]>;
}
