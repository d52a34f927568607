import type { ApiKey } from '../domain/api-key.js';
import type { KeyPatch } from '../domain/key-store.js';
import type { Mode } from '../domain/key-string.js';
import type { Labels } from '../domain/labels.js';
import type { RateLimit } from '../domain/rate-limit.js';

/** Every field of a key that is to be created. */
export interface DesiredKey {
  readonly name: string;
  readonly description: string | null;
  readonly mode: Mode;
  readonly scopes: readonly string[];
  readonly rateLimit: RateLimit;
  readonly expiresAt: Date | null;
  readonly labels: Labels;
  readonly allowFrom: readonly string[];
}

/** One atomic change. */
export type Step =
  | { readonly action: 'add-scope'; readonly scope: string; readonly label: string | null }
  | { readonly action: 'edit'; readonly key: ApiKey; readonly patch: KeyPatch; readonly adopts: boolean }
  | { readonly action: 'enable'; readonly key: ApiKey }
  | { readonly action: 'create'; readonly desired: DesiredKey }
  /** A new key in place of one whose key string was never delivered. */
  | { readonly action: 'replace'; readonly key: ApiKey; readonly desired: DesiredKey }
  | {
      readonly action: 'rotate';
      readonly key: ApiKey;
      readonly scopes: readonly string[];
      /** Undefined: the new key lives as long as the old one was made for. */
      readonly expiresAt: Date | null | undefined;
    }
  /** `key` is null for a key that an earlier step creates. */
  | { readonly action: 'disable'; readonly key: ApiKey | null; readonly name: string; readonly pruned: boolean }
  | { readonly action: 'delete'; readonly key: ApiKey }
  | { readonly action: 'retire-scope'; readonly scope: string };

export type Action = Step['action'];

/** A step that makes a key string. */
export type MakingStep = Extract<Step, { action: 'create' | 'replace' | 'rotate' }>;

/** The order in which steps are taken: first what later steps rely on, last what cannot be undone. */
export const ACTIONS: readonly Action[] = [
  'add-scope',
  'edit',
  'enable',
  'create',
  'replace',
  'rotate',
  'disable',
  'delete',
  'retire-scope',
];

/** The name of the key, or the scope. */
export function nameOf(step: Step): string {
  switch (step.action) {
    case 'add-scope':
    case 'retire-scope':
      return step.scope;
    case 'create':
      return step.desired.name;
    case 'disable':
      return step.name;
    default:
      return step.key.name;
  }
}

/** The existing key that a step is about; null for a key that does not exist yet, and for scopes. */
export function keyOf(step: Step): ApiKey | null {
  return 'key' in step ? step.key : null;
}

/** The mode of the key that a step is about; null for scopes, and for a key that an earlier step creates. */
export function modeOf(step: Step): Mode | null {
  return 'desired' in step ? step.desired.mode : (keyOf(step)?.mode ?? null);
}

/** True for a step that makes a key string. */
export function makesKey(step: Step): step is MakingStep {
  return step.action === 'create' || step.action === 'replace' || step.action === 'rotate';
}
