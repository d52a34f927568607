import type { ApiKey } from '../domain/api-key.js';
import { KeysError } from '../domain/errors.js';
import { type Change, type KeyStore, type Prospect, type Retirement, UNDELIVERED } from '../domain/key-store.js';
import { type Labels, settleLabels } from '../domain/labels.js';
import { type CatalogueScope, resolveScopes } from '../domain/scopes.js';
import type { StoreScheme } from '../domain/secret-hash.js';
import { quoted } from '../domain/text.js';
import { type Mint, mintKeys, type SettledInput } from './minting.js';

/** In what the new key differs from the one that it replaces. */
export interface RotateInput {
  /** Those of the old key when absent. */
  readonly scopes?: readonly string[] | undefined;
  /** Null: never. Absent: as long a life, from now on, as the old key was made for. */
  readonly expiresAt?: Date | null | undefined;
  /** All of them; those of the old key when absent. */
  readonly labels?: Labels | undefined;
  /** How long the old key goes on working, in milliseconds, up to a year; it never lives longer than it would have. */
  readonly overlapMs: number;
}

/** What a rotation is going to do, as of now; carrying it out is refused when the key has changed meanwhile. */
export interface RotationPlan {
  readonly successor: SettledInput;
  /** What becomes of the key whose name the new one takes. */
  readonly retirement: Retirement;
  /** The key that was rotated, as it will be: its expiry is the end of the overlap. */
  readonly retired: ApiKey;
  /** The key that an earlier run of this operation made and did not hand out: it is what the new one takes the place of. */
  readonly undelivered: ApiKey | null;
  /** What the new key will be hashed by. */
  readonly scheme: StoreScheme;
  readonly operation: string | null;
}

/** A key and the one that it replaced. The key string exists in this value alone. */
export interface RotatedKey {
  readonly key: ApiKey;
  readonly keyString: string;
  /** The key that was rotated: its expiry is the end of the overlap. */
  readonly retired: ApiKey;
  /** A key of an earlier run of this operation that was not handed out, and does not work any more. */
  readonly undelivered: ApiKey | null;
}

/** A key that was rotated, and what became of it. */
export interface Rotation {
  readonly old: ApiKey;
  /** The key that has taken its place by now; null when that was deleted. */
  readonly successor: ApiKey | null;
  readonly rotatedAt: Date;
  /** The old key was used since: somebody has not changed over yet. Uses are written down up to 10 seconds late. */
  readonly usedSince: boolean;
}

export interface FinishOptions {
  /** How long the old key must not have been used, in milliseconds. Default: an hour. */
  readonly quietForMs?: number | undefined;
  /** End the overlap although the old key is in use. Default: false. */
  readonly force?: boolean | undefined;
}

const MAX_NAME = 64;
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const MAX_OVERLAP_MS = 365 * DAY_MS;
const DEFAULT_QUIET_MS = 3_600_000;
const LAST_INSTANT = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** As `create` has it: long enough for any pipeline to be run again, too short for a key that somebody put to use meanwhile. */
const FINISH_WITHIN_MS = DAY_MS;

/** The name of a key that another took the name of: short enough, whatever it was. */
export function retiredName({ name, id }: Pick<ApiKey, 'name' | 'id'>): string {
  const suffix = ` (old ${id})`;
  const kept = Array.from(name).slice(0, MAX_NAME - suffix.length);
  return `${kept.join('').trimEnd()}${suffix}`;
}

function named({ name, id }: ApiKey): string {
  return `key ${quoted(name)} (${id})`;
}

async function byId(store: KeyStore, id: string): Promise<ApiKey | null> {
  const [key = null] = await store.candidates({ id, limit: 1 });
  return key;
}

function scopesOf(key: ApiKey, { scopes }: RotateInput, catalogue: readonly CatalogueScope[]): readonly string[] {
  if (scopes === undefined) return key.scopes;
  const resolved = resolveScopes(scopes, catalogue);
  if (resolved.length > 0) return resolved;
  throw new KeysError('missing_input', 'a key needs at least one scope', 'leave --scope out to keep those that it has');
}

/** How long a key was made to live. In full minutes: the moments between asking for a key and writing it were not meant. */
function lifetimeOf({ createdAt, expiresAt }: ApiKey): number | null {
  return expiresAt && Math.ceil((expiresAt.getTime() - createdAt.getTime()) / MINUTE_MS) * MINUTE_MS;
}

/** As long a life again as the key was made for: what is left of it would make a replacement that is about to die. */
function expiryOf(key: ApiKey, { expiresAt }: RotateInput, now: Date): Date | null {
  const lifetime = lifetimeOf(key);
  const chosen =
    expiresAt !== undefined
      ? expiresAt
      : lifetime === null
        ? null
        : new Date(Math.min(now.getTime() + lifetime, LAST_INSTANT));
  if (chosen === null || chosen > now) return chosen;
  throw new KeysError(
    'usage',
    `what takes the place of ${named(key)} would have expired ${chosen.toISOString()}`,
    'say how long it shall live: --expires 90d',
  );
}

function successorOf(key: ApiKey, input: RotateInput, catalogue: readonly CatalogueScope[], now: Date): SettledInput {
  return {
    name: key.name,
    description: key.description,
    mode: key.mode,
    scopes: scopesOf(key, input, catalogue),
    rateLimit: key.rateLimit,
    expiresAt: expiryOf(key, input, now),
    labels: settleLabels(input.labels ?? key.labels),
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
  if (key.rotatedTo !== null)
    throw new KeysError(
      'conflict',
      `${named(key)} was rotated already, to ${key.rotatedTo}`,
      `see that one: unlockos-keys show ${key.rotatedTo}; or how far it is: unlockos-keys rotate --status ${key.id}`,
    );
  if (key.status === 'inactive')
    throw new KeysError(
      'conflict',
      `${named(key)} is inactive, and what replaces it would be active`,
      `enable it first: unlockos-keys enable ${key.id}; or make another: unlockos-keys create NEW-NAME --like ${key.id}`,
    );
}

function assertOverlap(ms: number): void {
  if (!(ms >= 0 && ms <= MAX_OVERLAP_MS))
    throw new KeysError('usage', 'the overlap is not a time of up to 365 days', 'e.g. --overlap 24h, or --overlap 0');
}

function doneBefore(operation: string, why: string): KeysError {
  return new KeysError(
    'conflict',
    `operation ${operation} was already carried out: ${why}`,
    'leave --operation-id out for a new rotation; unlockos-keys audit list shows what was done',
  );
}

/** Throws unless a key that an earlier run made may be taken for one that nobody got. */
async function assertUndelivered(
  store: KeyStore,
  key: ApiKey,
  nameThen: string | null,
  operation: string,
  now: Date,
): Promise<void> {
  if (key.lastUsedAt !== null) throw doneBefore(operation, `its key ${key.id} is in use`);
  if (key.rotatedTo !== null) throw doneBefore(operation, `its key ${key.id} was rotated since, to ${key.rotatedTo}`);
  if (key.name !== nameThen) throw doneBefore(operation, `its key ${key.id} was renamed since`);
  if (now.getTime() - key.createdAt.getTime() > FINISH_WITHIN_MS)
    throw doneBefore(operation, `its key ${key.id} is more than a day old`);
  if (key.status === 'active') return;
  const [disabled] = await store.auditEvents({ keyId: key.id, action: 'key.disable', limit: 1 });
  if (disabled?.reason !== UNDELIVERED) throw doneBefore(operation, `its key ${key.id} was disabled since`);
}

/** The two keys of a run that is repeated: the one that it rotated, and the one that it made and did not hand out. */
async function keysOfEarlierRun(
  store: KeyStore,
  key: ApiKey,
  input: RotateInput,
  { operation: events, catalogue }: Prospect,
  operation: string,
  now: Date,
): Promise<{ first: ApiKey; undelivered: ApiKey }> {
  const rotated = events.find(({ action }) => action === 'key.rotate');
  const made = events.filter(({ action }) => action === 'key.create').at(-1);
  if (!rotated?.keyId || !made?.keyId) throw doneBefore(operation, `${events[0]?.action}`);
  if (!events.some(({ keyId }) => keyId === key.id))
    throw doneBefore(operation, `it rotated ${quoted(rotated.keyName ?? '')}, and this is another request`);
  const first = await byId(store, rotated.keyId);
  const undelivered = await byId(store, made.keyId);
  if (!first) throw doneBefore(operation, `key ${rotated.keyId}, which it rotated, was deleted since`);
  if (!undelivered) throw doneBefore(operation, `its key ${made.keyId} was deleted since`);
  await assertUndelivered(store, undelivered, made.keyName, operation, now);
  const wanted = scopesOf(first, input, catalogue);
  if ([...wanted].sort().join() !== [...undelivered.scopes].sort().join())
    throw doneBefore(operation, 'it asked for other scopes, and this is another request');
  return { first, undelivered };
}

/**
 * Works out what a rotation would do; hashes and writes nothing. Throws `conflict` for a key that is inactive, for its successor would
 * be active, and for one that was rotated already; `usage` for scopes that no new key can take. Scopes that stay as they are may be
 * retired: what the key may do does not change.
 *
 * With the operation id of a run that was carried out, the key which that run made is rotated instead, at once, for nobody has its key
 * string; the key that was rotated first keeps the end of its overlap.
 */
export async function planRotation(
  store: KeyStore,
  key: ApiKey,
  input: RotateInput,
  operationId: string | undefined,
  now: Date,
): Promise<RotationPlan> {
  assertOverlap(input.overlapMs);
  const prospect = await store.prospect([], operationId ?? null);
  const { catalogue, scheme, operation: events } = prospect;
  if (operationId === undefined || events.length === 0) {
    assertRotatable(key);
    const successor = successorOf(key, input, catalogue, now);
    const retirement = retire(key, new Date(now.getTime() + input.overlapMs));
    const { name, expiresAt } = retirement;
    const retired = { ...key, name, expiresAt };
    return { successor, retirement, retired, undelivered: null, scheme, operation: operationId ?? null };
  }
  const { first, undelivered } = await keysOfEarlierRun(store, key, input, prospect, operationId, now);
  const successor = successorOf(undelivered, input, catalogue, now);
  const runs = new Set(events.map(({ op }) => op.replace(/\/\d+$/, '')));
  const operation = `${operationId}.${runs.size + 1}`;
  return { successor, retirement: retire(undelivered, now), retired: first, undelivered, scheme, operation };
}

/** Carries out a plan. When it resolves, the new key is stored and was read back. */
export async function makeRotation(
  store: KeyStore,
  { successor, retirement, retired, undelivered, scheme }: RotationPlan,
  mint: Mint,
  change: () => Change,
): Promise<RotatedKey> {
  const [minted] = await mintKeys([successor], scheme, mint);
  if (!minted) throw new KeysError('internal', 'no key was made');
  const stored = await store.rotate(retirement.seen.id, minted.row, retirement, change());
  const { keyString } = minted;
  return undelivered
    ? { key: stored.key, keyString, retired, undelivered: stored.retired }
    : { ...stored, keyString, undelivered: null };
}

/** What became of a key that was rotated. */
export async function rotationOf(store: KeyStore, old: ApiKey): Promise<Rotation> {
  const direct = old.rotatedTo === null ? null : await byId(store, old.rotatedTo);
  const seen = new Set([old.id]);
  let successor = direct;
  while (successor?.rotatedTo && !seen.has(successor.id)) {
    seen.add(successor.id);
    successor = (await byId(store, successor.rotatedTo)) ?? successor;
  }
  const rotatedAt = direct?.createdAt ?? (await rotationTime(store, old));
  return { old, successor, rotatedAt, usedSince: old.lastUsedAt !== null && old.lastUsedAt >= rotatedAt };
}

/** By the audit log, which outlives the key that took the place. */
async function rotationTime(store: KeyStore, { id, updatedAt }: ApiKey): Promise<Date> {
  const [event] = await store.auditEvents({ keyId: id, action: 'key.rotate', limit: 1 });
  return event ? new Date(event.at) : updatedAt;
}

function isOver({ expiresAt }: ApiKey, now: Date): boolean {
  return expiresAt !== null && expiresAt <= now;
}

/**
 * The rotations that a key is part of: of the keys that it took the place of, the last one, and earlier ones whose overlap goes on; then
 * its own.
 */
export async function rotationsOf(store: KeyStore, key: ApiKey, now: Date): Promise<Rotation[]> {
  const olds = key.rotatedTo === null ? [] : [key];
  const seen = new Set([key.id]);
  for (let at: ApiKey | null = key; at?.rotatedFrom && !seen.has(at.rotatedFrom); ) {
    seen.add(at.rotatedFrom);
    at = await byId(store, at.rotatedFrom);
    if (at && (at.id === key.rotatedFrom || !isOver(at, now))) olds.unshift(at);
  }
  const rotations: Rotation[] = [];
  for (const old of olds) rotations.push(await rotationOf(store, old));
  return rotations;
}

/** The one rotation that `key` means, by either of its keys. Throws `conflict` where there is none, `ambiguous` where several go on. */
function rotationMeant(key: ApiKey, rotations: readonly Rotation[], now: Date): Rotation {
  const open = rotations.filter(({ old }) => !isOver(old, now));
  const own = rotations.find(({ old }) => old.id === key.id);
  const meant = open.find((each) => each === own) ?? (open.length > 0 ? open[0] : (own ?? rotations.at(-1)));
  if (!meant)
    throw new KeysError(
      'conflict',
      `${named(key)} is in no rotation: nothing took its place, and it took the place of none that exists`,
      'unlockos-keys list --rotating shows what is',
    );
  if (open.length > 1 && meant !== own)
    throw new KeysError(
      'ambiguous',
      `${named(key)} took the place of ${open.length} keys that still work:\n${open.map(({ old }) => `  ${old.id}  ${quoted(old.name)}`).join('\n')}`,
      'name the one to end by its id',
    );
  return meant;
}

function assertQuiet({ old }: Rotation, { quietForMs = DEFAULT_QUIET_MS, force }: FinishOptions, now: Date): void {
  const { lastUsedAt, status } = old;
  if (force || lastUsedAt === null || status === 'inactive') return;
  const silence = now.getTime() - lastUsedAt.getTime();
  if (silence >= quietForMs) return;
  throw new KeysError(
    'guarded',
    `${named(old)} is still in use: last used ${lastUsedAt.toISOString()}, ${Math.max(0, Math.floor(silence / MINUTE_MS))} min ago, and it must be quiet for ${quietForMs / MINUTE_MS} min`,
    `find out who uses it, or end it all the same: unlockos-keys rotate --finish ${old.id} --force`,
  );
}

/**
 * The rotation whose overlap is to be ended, by either of its keys. Throws `guarded` while the old key is in use, `conflict` for a key in
 * no rotation, `ambiguous` for one that took the place of several that still work.
 */
export async function planFinish(
  store: KeyStore,
  key: ApiKey,
  options: FinishOptions,
  now: Date,
): Promise<{ rotation: Rotation; over: boolean }> {
  const rotation = rotationMeant(key, await rotationsOf(store, key, now), now);
  const over = isOver(rotation.old, now);
  if (!over) assertQuiet(rotation, options, now);
  return { rotation, over };
}
