import type { ApiKey } from '../domain/api-key.js';
import { KeysError } from '../domain/errors.js';
import type { KeyStore } from '../domain/key-store.js';
import { quoted } from '../domain/text.js';
import { isRecordedFrom, NOTHING_RECORDED, type Recording } from '../domain/use.js';
import { assertRecorded } from './recorded.js';
import { describeKey, keyById } from './references.js';

const MINUTE_MS = 60_000;
const DEFAULT_QUIET_MS = 3_600_000;

/** A key that was rotated, and how far the change to its successor is. */
export interface Rotation {
  /** The key that was rotated. Its expiry is the end of the overlap. */
  readonly old: ApiKey;
  /** The key that is in its place now, after any further rotations; null when that key was deleted. */
  readonly successor: ApiKey | null;
  readonly rotatedAt: Date;
  /**
   * The old key has been used since it was rotated: some client still has it. Uses are recorded up to 10 seconds late. Null where that is not known,
   * because not all use was recorded.
   */
  readonly usedSince: boolean | null;
  /** When the keys that replaced it were used last; null where none has a mark. */
  readonly successorUsedAt: Date | null;
}

/** When the overlap of a rotation may be ended. */
export interface FinishOptions {
  /** How long the old key must not have been used, in milliseconds. Default: 3 600 000, an hour. */
  readonly quietForMs?: number | undefined;
  /** End the overlap even though the old key is in use, the new one is not, or neither is known. Default: false. */
  readonly force?: boolean | undefined;
}

function later(a: Date | null, b: Date | null): Date | null {
  return a === null || (b !== null && b > a) ? b : a;
}

/** How far the rotation of `old` is. */
export async function rotationOf(store: KeyStore, old: ApiKey, now: Date, recording?: Recording): Promise<Rotation> {
  const direct = old.rotatedTo === null ? null : await keyById(store, old.rotatedTo);
  const seen = new Set([old.id]);
  let successor = direct;
  let successorUsedAt = direct?.lastUsedAt ?? null;
  while (successor?.rotatedTo && !seen.has(successor.id)) {
    seen.add(successor.id);
    successor = (await keyById(store, successor.rotatedTo)) ?? successor;
    successorUsedAt = later(successorUsedAt, successor.lastUsedAt);
  }
  const rotatedAt = direct?.createdAt ?? (await rotationTime(store, old));
  const used = old.lastUsedAt !== null && old.lastUsedAt >= rotatedAt;
  const usedSince = used || (isRecordedFrom(rotatedAt, recording ?? (await store.use.recording()), now) ? false : null);
  return { old, successor, rotatedAt, usedSince, successorUsedAt };
}

/** From the audit log, which outlives the successor. */
async function rotationTime(store: KeyStore, { id, updatedAt }: ApiKey): Promise<Date> {
  const [event] = await store.audit.events({ keyId: id, action: 'key.rotate', limit: 1 });
  return event ? new Date(event.at) : updatedAt;
}

function isOver({ expiresAt }: ApiKey, now: Date): boolean {
  return expiresAt !== null && expiresAt <= now;
}

/**
 * The rotations that a key is part of: those of the keys that it replaced (the last one, and earlier ones whose overlap has not ended),
 * and then its own.
 */
export async function rotationsOf(store: KeyStore, key: ApiKey, now: Date): Promise<Rotation[]> {
  const olds = key.rotatedTo === null ? [] : [key];
  const seen = new Set([key.id]);
  for (let at: ApiKey | null = key; at?.rotatedFrom && !seen.has(at.rotatedFrom); ) {
    seen.add(at.rotatedFrom);
    at = await keyById(store, at.rotatedFrom);
    if (at && (at.id === key.rotatedFrom || !isOver(at, now))) olds.unshift(at);
  }
  const rotations: Rotation[] = [];
  const recording = olds.length === 0 ? NOTHING_RECORDED : await store.use.recording();
  for (const old of olds) rotations.push(await rotationOf(store, old, now, recording));
  return rotations;
}

/** The one rotation that `key` is part of. Throws `conflict` for a key that was not rotated, `ambiguous` while several overlaps go on. */
function rotationMeant(key: ApiKey, rotations: readonly Rotation[], now: Date): Rotation {
  const open = rotations.filter(({ old }) => !isOver(old, now));
  const own = rotations.find(({ old }) => old.id === key.id);
  const meant = open.find((each) => each === own) ?? (open.length > 0 ? open[0] : (own ?? rotations.at(-1)));
  if (!meant)
    throw new KeysError(
      'conflict',
      `${describeKey(key)} was not rotated: there is no overlap to end`,
      'unlockos-keys list --rotating shows the keys that are',
    );
  if (open.length > 1 && meant !== own)
    throw new KeysError(
      'ambiguous',
      `${describeKey(key)} replaced ${open.length} keys that still work:\n${open.map(({ old }) => `  ${old.id}  ${quoted(old.name)}`).join('\n')}`,
      'name the key to end by its id',
    );
  return meant;
}

/** Throws `guarded` unless the new key was used, and the old one was not for the time asked for. */
function assertDone(rotation: Rotation, recording: Recording, options: FinishOptions, now: Date): void {
  const { old, successor, rotatedAt, successorUsedAt } = rotation;
  const { quietForMs = DEFAULT_QUIET_MS } = options;
  const { lastUsedAt } = old;
  const anyway = `end the overlap anyway: unlockos-keys rotate --finish ${old.id} --force`;
  const silence = lastUsedAt === null ? Number.POSITIVE_INFINITY : now.getTime() - lastUsedAt.getTime();
  if (lastUsedAt !== null && silence < quietForMs)
    throw new KeysError(
      'guarded',
      `${describeKey(old)} is still in use: last used ${lastUsedAt.toISOString()}, ${Math.max(0, Math.floor(silence / MINUTE_MS))} min ago, and it must be unused for ${quietForMs / MINUTE_MS} min`,
      `find out who uses it, or ${anyway}`,
    );
  const quietFrom = new Date(Math.max(now.getTime() - quietForMs, rotatedAt.getTime()));
  assertRecorded(recording, quietFrom, now, `whether ${describeKey(old)} is still in use`, `wait, or ${anyway}`);
  if (successorUsedAt !== null) return;
  const what =
    successor === null ? 'the key that replaced it was deleted' : `${describeKey(successor)} was not used yet`;
  throw new KeysError(
    'guarded',
    `${describeKey(old)} may still be needed: ${what}`,
    `make sure that every program has the new key, or ${anyway}`,
  );
}

/**
 * The rotation whose overlap is to be ended, by either of its keys; `over` when it has ended already. Throws `guarded` while the old key
 * is in use, the new one is not, or neither is known, `conflict` for a key that was not rotated, `ambiguous` for one that replaced several keys that still work.
 */
export async function planFinish(
  store: KeyStore,
  key: ApiKey,
  options: FinishOptions,
  now: Date,
): Promise<{ rotation: Rotation; over: boolean }> {
  const rotation = rotationMeant(key, await rotationsOf(store, key, now), now);
  const over = isOver(rotation.old, now);
  if (!over && !options.force && rotation.old.status !== 'inactive')
    assertDone(rotation, await store.use.recording(), options, now);
  return { rotation, over };
}
