import { normalizeNetworks } from '../domain/addresses.js';
import type { ApiKey } from '../domain/api-key.js';
import type { Change } from '../domain/change.js';
import { KeysError } from '../domain/errors.js';
import { readExpiry } from '../domain/expiry.js';
import { readDescription } from '../domain/key-name.js';
import type { KeyStore, Prospect, Retirement } from '../domain/key-store.js';
import { type Labels, normalizeLabels, withoutPending } from '../domain/labels.js';
import { assertLifetime, type StorePolicy, withinLifetime } from '../domain/policy.js';
import { type RateLimit, readRateLimit } from '../domain/rate-limit.js';
import { isRelative, type ScopeChange, type ScopeRequest, scopeChange, scopesFrom } from '../domain/scope-change.js';
import type { CatalogueScope } from '../domain/scopes.js';
import type { StoreScheme } from '../domain/secret-hash.js';
import { quoted } from '../domain/text.js';
import { type Claim, isAbandoned } from './claim.js';
import { EarlierRun } from './earlier-run.js';
import { sameLifetime } from './lifetime.js';
import { type CompleteInput, type Mint, mintKeys } from './minting.js';
import { sameScopes } from './namesakes.js';
import { describeKey, keyById } from './references.js';

/** How the new key differs from the one that it replaces. */
export interface RotateInput extends ScopeRequest {
  /** When the new key stops working, as on the command line: `90d`, `never`. Default: after the same time, from now on, that the old key was made for. */
  readonly expires?: string | undefined;
  /** When the new key stops working, instead of `expires`; null for never. */
  readonly expiresAt?: Date | null | undefined;
  /** Default: that of the old key. */
  readonly description?: string | null | undefined;
  /** Default: that of the old key. */
  readonly rateLimit?: RateLimit | string | undefined;
  /** All labels of the new key. Default: those of the old key. */
  readonly labels?: Labels | undefined;
  /** The networks that the new key works from; none: from everywhere. Default: those of the old key. */
  readonly allowFrom?: readonly string[] | undefined;
  /** How long the old key keeps working, in milliseconds: 0 to 365 days, but never beyond its own expiry. */
  readonly overlapMs: number;
}

/** What a rotation would do, as of now. `makeRotation` carries it out, and throws `conflict` when the key has changed since. */
export interface RotationPlan {
  readonly successor: CompleteInput;
  /** The new name and expiry of the key whose name the new one takes. */
  readonly retirement: Retirement;
  /** The key that is rotated, as it will be. Its expiry is the end of the overlap. */
  readonly retired: ApiKey;
  /** A key that an earlier run created and did not hand out: the new key replaces it, without an overlap. */
  readonly undelivered: ApiKey | null;
  /** How the new key will be hashed. */
  readonly scheme: StoreScheme;
  readonly operation: string | null;
}

/** A new key and the one that it replaces. This value is the only copy of the key string. */
export interface RotatedKey {
  readonly key: ApiKey;
  readonly keyString: string;
  /** The key that was rotated. Its expiry is the end of the overlap. */
  readonly retired: ApiKey;
  /** A key of an earlier run that was not handed out. It no longer works. */
  readonly undelivered: ApiKey | null;
  /** How its scopes differ from those of the key that was rotated; null where they do not. */
  readonly scopeChange: ScopeChange | null;
}

const MAX_NAME = 64;
const DAY_MS = 86_400_000;
const MAX_OVERLAP_MS = 365 * DAY_MS;

/** The name of a key whose name its successor has taken, cut to fit. */
export function retiredName({ name, id }: Pick<ApiKey, 'name' | 'id'>): string {
  const suffix = ` (old ${id})`;
  const kept = Array.from(name).slice(0, MAX_NAME - suffix.length);
  return `${kept.join('').trimEnd()}${suffix}`;
}

/** The scopes of a successor. What is added or dropped is so compared with `base`, the key that somebody has. */
function scopesOf(key: ApiKey, base: ApiKey, input: RotateInput, catalogue: readonly CatalogueScope[]) {
  const { id, scopes } = isRelative(input) ? base : key;
  return scopesFrom({ title: describeKey({ name: key.name, id }), scopes }, input, catalogue);
}

/** The whole lifetime again: with only the rest of it, the successor would be about to expire. */
function expiryOf(key: ApiKey, input: RotateInput, policy: StorePolicy, now: Date): Date | null {
  const expiresAt = readExpiry(input, now);
  const chosen = expiresAt !== undefined ? expiresAt : withinLifetime(policy, key.mode, sameLifetime(key, now), now);
  assertLifetime(policy, { ...key, expiresAt: chosen }, now);
  if (chosen === null || chosen > now) return chosen;
  throw new KeysError(
    'usage',
    `the successor of ${describeKey(key)} would have expired already, at ${chosen.toISOString()}`,
    'set its expiry: --expires 90d',
  );
}

function successorOf(
  key: ApiKey,
  base: ApiKey,
  input: RotateInput,
  { catalogue, policy }: Prospect,
  now: Date,
): CompleteInput {
  const scopes = scopesOf(key, base, input, catalogue);
  return {
    name: key.name,
    description: input.description === undefined ? key.description : readDescription(input.description ?? ''),
    mode: key.mode,
    scopes,
    scopeChange: scopeChange(base.id, base.scopes, scopes),
    rateLimit: input.rateLimit === undefined ? key.rateLimit : readRateLimit(input.rateLimit),
    expiresAt: expiryOf(key, input, policy, now),
    labels: normalizeLabels(input.labels ?? withoutPending(key.labels)),
    allowFrom: normalizeNetworks(input.allowFrom ?? key.allowFrom),
    rotatedFrom: key.id,
  };
}

/** A key stops working at `end`, or when it would have anyway. */
function retire(key: ApiKey, end: Date): Retirement {
  return {
    name: retiredName(key),
    expiresAt: key.expiresAt && key.expiresAt < end ? key.expiresAt : end,
    seen: key,
  };
}

function assertRotatable(key: ApiKey): void {
  if (key.damaged)
    throw new KeysError(
      'conflict',
      `${describeKey(key)} is damaged: its ${key.damaged.join(', ')} cannot be read`,
      `create another key, then delete this one: unlockos-keys delete ${key.id}`,
    );
  if (key.rotatedTo !== null)
    throw new KeysError(
      'conflict',
      `${describeKey(key)} was already rotated, to ${key.rotatedTo}`,
      `see its successor: unlockos-keys show ${key.rotatedTo}; or the overlap: unlockos-keys rotate --status ${key.id}`,
    );
  if (key.status === 'inactive')
    throw new KeysError(
      'conflict',
      `${describeKey(key)} is inactive, and its successor would be active`,
      `enable it first: unlockos-keys enable ${key.id}; or create another: unlockos-keys create NEW-NAME --like ${key.id}`,
    );
}

function assertOverlap(ms: number): void {
  if (!(Number.isSafeInteger(ms) && ms >= 0 && ms <= MAX_OVERLAP_MS))
    throw new KeysError('usage', 'the overlap must be a time of up to 365 days', 'e.g. --overlap 24h, or --overlap 0');
}

/** The two keys of an earlier run: the one that it rotated, and the one that it created and did not hand out. */
async function keysOfEarlierRun(
  store: KeyStore,
  key: ApiKey,
  input: RotateInput,
  { catalogue }: Prospect,
  run: EarlierRun,
  now: Date,
): Promise<{ first: ApiKey; undelivered: ApiKey }> {
  const { rotated } = run;
  const made = run.created.at(-1);
  if (!rotated?.keyId || !made?.keyId) throw run.refusal();
  if (!run.concerns(key)) throw run.refusal(`it rotated ${quoted(rotated.keyName ?? '')}, and this is another request`);
  const first = await keyById(store, rotated.keyId);
  const undelivered = await keyById(store, made.keyId);
  if (!first) throw run.refusal(`key ${rotated.keyId}, which it rotated, has been deleted since`);
  if (!undelivered) throw run.refusal(`its key ${made.keyId} has been deleted since`);
  await run.assertNotHandedOut(store, undelivered, made.keyName, now);
  const wanted = scopesOf(first, first, input, catalogue);
  if (!sameScopes(wanted, undelivered.scopes))
    throw run.refusal('it asked for other scopes, and this is another request');
  return { first, undelivered };
}

/**
 * Works out what a rotation would do; hashes and writes nothing. Throws `conflict` for a key that is inactive or was already rotated, and
 * `usage` for scopes that no new key can hold. Scopes that stay the same may be retired ones.
 *
 * With the operation id of an earlier run, the key that this run created is replaced instead, without an overlap, because nobody has its
 * key string. The key that was rotated first keeps the end of its overlap.
 */
export async function planRotation(
  store: KeyStore,
  key: ApiKey,
  input: RotateInput,
  operationId: string | undefined,
  now: Date,
  claim?: Claim,
): Promise<RotationPlan> {
  assertOverlap(input.overlapMs);
  const prospect = await store.prospect([], operationId ?? null);
  const { scheme } = prospect;
  const run = EarlierRun.find(operationId, prospect.operation, 'leave --operation-id out for a new rotation');
  if (!run && isAbandoned(key, claim)) {
    const retirement = retire(key, now);
    const { name, expiresAt } = retirement;
    const first = key.rotatedFrom === null ? null : await keyById(store, key.rotatedFrom);
    const retired = first ?? { ...key, name, expiresAt };
    const successor = successorOf(key, first ?? key, input, prospect, now);
    return { successor, retirement, retired, undelivered: key, scheme, operation: operationId ?? null };
  }
  if (!run) {
    assertRotatable(key);
    const successor = successorOf(key, key, input, prospect, now);
    const retirement = retire(key, new Date(now.getTime() + input.overlapMs));
    const { name, expiresAt } = retirement;
    const retired = { ...key, name, expiresAt };
    return { successor, retirement, retired, undelivered: null, scheme, operation: operationId ?? null };
  }
  const { first, undelivered } = await keysOfEarlierRun(store, key, input, prospect, run, now);
  const successor = successorOf(undelivered, first, input, prospect, now);
  const retirement = retire(undelivered, now);
  return { successor, retirement, retired: first, undelivered, scheme, operation: run.nextId };
}

/** Carries out a plan. When it resolves, the new key is stored and was read back. */
export async function makeRotation(
  store: KeyStore,
  { successor, retirement, retired, undelivered, scheme }: RotationPlan,
  mint: Mint,
  change: () => Change,
): Promise<RotatedKey> {
  const [minted] = await mintKeys([successor], scheme, mint);
  if (!minted) throw new KeysError('internal', 'no key was created');
  const stored = await store.rotate(retirement.seen.id, minted.row, retirement, change());
  const { keyString } = minted;
  const { scopeChange = null } = successor;
  return undelivered
    ? { key: stored.key, keyString, retired, undelivered: stored.retired, scopeChange }
    : { ...stored, keyString, undelivered: null, scopeChange };
}
