import { KeysError } from '../domain/errors.js';
import type { Mode } from '../domain/key-string.js';
import type { Labels } from '../domain/labels.js';
import type { RateLimit } from '../domain/rate-limit.js';
import { describeProblems, type Place, type Problem } from '../yaml/problems.js';

export type { Place, Problem } from '../yaml/problems.js';

export interface ManifestScope {
  readonly scope: string;
  /** The label of its category, for a category that is new. */
  readonly label: string | null;
  readonly place: Place;
}

/**
 * When a key expires. `at`: this time; a key that has another is rotated. `after`: this many milliseconds after the key is created; it
 * says nothing about a key that exists. Null: never.
 */
export type ManifestExpiry =
  | { readonly at: Date | null; readonly place: Place }
  | { readonly after: number | null; readonly place: Place };

/** One key as the manifest describes it. A field that is undefined is not in the manifest, and apply leaves it as it is. */
export interface ManifestKey {
  readonly name: string;
  readonly description: string | null | undefined;
  readonly mode: Mode;
  readonly scopes: readonly { readonly scope: string; readonly place: Place }[];
  readonly rateLimit: RateLimit | undefined;
  readonly expiry: ManifestExpiry | undefined;
  /** All labels of the key except those that apply sets. */
  readonly labels: Labels | undefined;
  /** In the form in which they are stored; none: the key works from everywhere. */
  readonly allowFrom: readonly string[] | undefined;
  readonly disabled: boolean | undefined;
  readonly place: Place;
}

/** The keys that should exist. */
export interface Manifest {
  /** The file, for messages. */
  readonly source: string;
  /** Marks the keys that this manifest owns: see {@link OWNER_LABEL}. */
  readonly name: string;
  /** Null: the manifest does not mention the catalogue. */
  readonly scopes: readonly ManifestScope[] | null;
  readonly keys: readonly ManifestKey[];
}

/** The error that names every problem, each with its place: `keys.yaml:4:11: …`. */
export function manifestError(
  source: string,
  problems: readonly Problem[],
  code: 'usage' | 'conflict' = 'usage',
): KeysError {
  return new KeysError(
    code,
    describeProblems(source, problems),
    'nothing was changed; for the form of a manifest, see: unlockos-keys apply --help',
  );
}

export { OWN_LABELS, OWNER_LABEL, PENDING, PENDING_LABEL } from '../domain/labels.js';
