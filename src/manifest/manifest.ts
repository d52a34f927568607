import type { Mode } from '../domain/key-string.js';
import type { Labels } from '../domain/labels.js';
import type { RateLimit } from '../domain/rate-limit.js';

/** Where something stands in a manifest; both count from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** Something wrong in a manifest: where, what, and what to write instead. */
export interface Problem {
  readonly place: Place;
  readonly what: string;
  readonly advice: string;
}

export interface ManifestScope {
  readonly scope: string;
  /** What its category is called; only a new category takes it. */
  readonly label: string | null;
  readonly place: Place;
}

/** When a key that is made now expires. `at`: also compared with the key that there is; `after`: only said of a new key. */
export type ManifestExpiry =
  | { readonly at: Date | null; readonly place: Place }
  | { readonly after: number | null; readonly place: Place };

/** One key as the manifest wants it. What it does not speak of (undefined) is not its business: that stays as it is. */
export interface ManifestKey {
  readonly name: string;
  readonly description: string | null | undefined;
  readonly mode: Mode;
  readonly scopes: readonly { readonly scope: string; readonly place: Place }[];
  readonly rateLimit: RateLimit | undefined;
  readonly expiry: ManifestExpiry | undefined;
  /** All of the key's labels, but for those that apply itself sets. */
  readonly labels: Labels | undefined;
  readonly disabled: boolean | undefined;
  readonly place: Place;
}

/** Which keys there shall be. `name` says whose they are: see {@link OWNER_LABEL}. */
export interface Manifest {
  /** The file, for messages. */
  readonly source: string;
  readonly name: string;
  /** Null: the manifest does not speak of the catalogue. */
  readonly scopes: readonly ManifestScope[] | null;
  readonly keys: readonly ManifestKey[];
}

export { OWN_LABELS, OWNER_LABEL, PENDING, PENDING_LABEL } from '../domain/labels.js';
