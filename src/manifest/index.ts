/**
 * Manifests for programs: make the keys of a store what a YAML or JSON file says.
 *
 * @example
 * ```ts
 * import { openKeyring } from 'unlockos-keys';
 * import { apply, plan, readManifest } from 'unlockos-keys/manifest';
 *
 * const keyring = await openKeyring({ store: './keys.db' });
 * const text = 'version: 1\nname: team\nkeys:\n  - { name: ci, mode: test, scopes: [checkin:read] }\n';
 * const changes = await plan(keyring, readManifest(text, 'keys.yaml'));
 * console.log(changes.steps.map(({ action }) => action));
 *
 * const vault = new Map<string, string>();
 * await apply(keyring, changes, {
 *   destinationOf: () => ({
 *     probe() {},
 *     deliver: ({ key, keyString }) => void vault.set(key.name, keyString ?? ''),
 *     abandon() {},
 *   }),
 * });
 * console.log(vault.size);
 * ```
 */
import { randomUUID } from 'node:crypto';
import {
  abortSignal,
  callback,
  text as checkText,
  expiryTime,
  flag,
  orNull,
  shape,
  time,
  wholeNumber,
} from '../domain/checks.js';
import { rateLimitCheck } from '../domain/rate-limit.js';
import type { Keyring } from '../keyring/keyring.js';
import { type ApplyOptions, applyPlan, type Done } from './apply.js';
import { readCurrentState } from './current-state.js';
import type { Manifest } from './manifest.js';
import { withNameNotes } from './name-notes.js';
import { parseManifest } from './parse.js';
import { type Plan, type PlanOptions, planManifest } from './plan.js';

export type { Destination, NewKey } from '../keyring/delivery.js';
export { type Changes, changesOf } from './changes.js';
export type { ManifestExpiry, ManifestKey, ManifestScope, Place } from './manifest.js';
export { type Action, type DesiredKey, keyOf, type MakingStep, makesKey, modeOf, nameOf, type Step } from './steps.js';
export { manifestDocument } from './write.js';
export type { ApplyOptions, Done, Manifest, Plan, PlanOptions };

const OVERLAP_MS = 24 * 3_600_000;

const planOptions = shape<PlanOptions>({
  now: time,
  adopt: flag,
  adoptFrom: checkText,
  prune: flag,
  defaults: shape<NonNullable<PlanOptions['defaults']>>({ rateLimit: rateLimitCheck, expiresAt: orNull(expiryTime) }),
});

const applyOptions = shape<ApplyOptions>(
  {
    operationId: checkText,
    overlapMs: wholeNumber(0, 365 * 86_400_000),
    destinationOf: callback,
    signal: abortSignal,
    onDone: callback,
  },
  ['destinationOf'],
);

/**
 * Reads a manifest, YAML or JSON. `source` names the file in messages. Throws a `KeysError` with code `usage`, whose message names every
 * problem by line and column.
 */
export function readManifest(text: string, source = 'manifest'): Manifest {
  checkText(text, 'readManifest: text');
  checkText(source, 'readManifest: source');
  return parseManifest(text, source);
}

/**
 * Compares a manifest with the store of a keyring, and changes nothing: the plan says what {@link apply} would do. Without steps, the store
 * is as the manifest says. Throws `usage` for what no store could do, `conflict` for keys that are in the way, and what `Keyring#list`
 * throws.
 */
export async function plan(keyring: Keyring, manifest: Manifest, options: Partial<PlanOptions> = {}): Promise<Plan> {
  planOptions(options, 'plan: options');
  const planned = planManifest(manifest, await readCurrentState(keyring, manifest), {
    ...options,
    now: options.now ?? new Date(),
  });
  return withNameNotes(keyring, planned);
}

/**
 * Carries out a plan, one atomic change after another, and resolves to the steps that were taken. `destinationOf` says where a new key
 * string goes; it is called only for steps that make one ({@link makesKey}). Rotated keys keep working for `overlapMs` milliseconds, by
 * default 24 hours. With the `operationId` of an earlier run that was interrupted, that run is finished. Throws the error of the first
 * step that fails; the steps before it are complete, and a new plan has the rest. A key whose key string cannot be delivered is disabled,
 * and the error is `delivery_failed`.
 */
export async function apply(
  keyring: Keyring,
  plan: Plan,
  options: Pick<ApplyOptions, 'destinationOf'> & Partial<ApplyOptions>,
): Promise<Done[]> {
  applyOptions(options, 'apply: options');
  return applyPlan(keyring, plan, {
    ...options,
    operationId: options.operationId ?? randomUUID(),
    overlapMs: options.overlapMs ?? OVERLAP_MS,
  });
}
