import type { ApiKey } from '../domain/api-key.js';
import { KeysError } from '../domain/errors.js';
import type { ListQuery } from '../domain/key-query.js';
import type { KeyStore } from '../domain/key-store.js';
import type { Mode } from '../domain/key-string.js';
import type { Labels } from '../domain/labels.js';
import { isNeverUsed, NOTHING_RECORDED, type Recording } from '../domain/use.js';
import { assertRecorded, knownFrom } from './recorded.js';

/** Which keys are no longer needed: those that meet any of the first three conditions, among those with this mode and these labels. */
export interface PruneQuery {
  /** Expired keys. */
  readonly expired?: boolean | undefined;
  /** Keys created before this time and not used since then. */
  readonly unusedSince?: Date | undefined;
  /** Keys created before this time and never used. */
  readonly neverUsedBefore?: Date | undefined;
  readonly mode?: Mode | undefined;
  readonly labels?: Labels | undefined;
  /** Go by last use even where it is not known that all use was recorded. Default: false. */
  readonly force?: boolean | undefined;
}

/** A damaged key is left for people to look at: nothing can be concluded from what cannot be read. */
function isReadable({ damaged }: ApiKey): boolean {
  return damaged === undefined;
}

/** A key that still works beside its successor expires by itself. */
function inOverlap({ rotatedTo, expiresAt }: ApiKey, now: Date): boolean {
  return rotatedTo !== null && expiresAt !== null && expiresAt > now;
}

/** Throws `guarded` unless all use since the earlier of the two times was recorded. */
function assertUseKnown({ unusedSince, neverUsedBefore }: PruneQuery, recording: Recording, now: Date): void {
  const from = new Date(Math.min(unusedSince?.getTime() ?? now.getTime(), neverUsedBefore?.getTime() ?? now.getTime()));
  const known = knownFrom(recording, now.getTime() - from.getTime(), now);
  const wait = known === null ? '' : `it is known from ${known.toISOString().slice(0, 10)} on; `;
  assertRecorded(
    recording,
    from,
    now,
    `whether keys were used since ${from.toISOString()}`,
    `${wait}a key in use would look unused. To see them: list --unused-for; to do it anyway: --force`,
  );
}

/**
 * The keys that meet the query, oldest first. Of those that were never used, only those that were made when use was recorded already. Throws `usage`
 * without a condition, because every key would match, and `guarded` where it is not known which keys were used; neither of it with `force`.
 */
export async function prunableKeys(store: KeyStore, query: PruneQuery, now: Date): Promise<ApiKey[]> {
  const { expired, unusedSince, neverUsedBefore, mode, labels, force } = query;
  if (!expired && !unusedSince && !neverUsedBefore)
    throw new KeysError('usage', 'prune needs at least one condition', 'expired, unusedSince or neverUsedBefore');
  const recording = unusedSince || neverUsedBefore ? await store.use.recording() : NOTHING_RECORDED;
  if (!force && (unusedSince || neverUsedBefore)) assertUseKnown(query, recording, now);
  const found = new Map<string, ApiKey>();
  const gather = async (part: Partial<ListQuery>, holds: (key: ApiKey) => boolean = () => true) => {
    const { keys } = await store.list({ mode, labels, ...part, sort: 'created', now });
    for (const key of keys) if (isReadable(key) && holds(key) && !inOverlap(key, now)) found.set(key.id, key);
  };
  if (expired) await gather({ status: 'expired' });
  if (unusedSince) await gather({ unusedSince });
  if (neverUsedBefore)
    await gather(
      { unusedSince: neverUsedBefore },
      (key) => key.lastUsedAt === null && (force || isNeverUsed(key, recording, now)),
    );
  return [...found.values()].sort((a, b) => a.createdAt.getTime() - b.createdAt.getTime());
}
