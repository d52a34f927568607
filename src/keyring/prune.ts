import type { ApiKey } from '../domain/api-key.js';
import { KeysError } from '../domain/errors.js';
import type { KeyStore, ListQuery } from '../domain/key-store.js';
import type { Mode } from '../domain/key-string.js';
import type { Labels } from '../domain/labels.js';

/** By which signs a key is no longer needed: any of the first three, of which there must be one, within the last two. */
export interface PruneQuery {
  readonly expired?: boolean | undefined;
  /** Not used since, or never, and made before. */
  readonly unusedSince?: Date | undefined;
  /** Never used, and made before. */
  readonly neverUsedBefore?: Date | undefined;
  readonly mode?: Mode | undefined;
  readonly labels?: Labels | undefined;
}

/** A key that still works beside its successor is on its way out by itself. */
function inOverlap({ rotatedTo, expiresAt }: ApiKey, now: Date): boolean {
  return rotatedTo !== null && expiresAt !== null && expiresAt > now;
}

/** Throws `usage` where no sign is given: every key would match. */
export async function prunableKeys(store: KeyStore, query: PruneQuery, now: Date): Promise<ApiKey[]> {
  const { expired, unusedSince, neverUsedBefore, mode, labels } = query;
  if (!expired && !unusedSince && !neverUsedBefore)
    throw new KeysError('usage', 'by which sign are keys no longer needed?', 'expired, unusedSince or neverUsedBefore');
  const found = new Map<string, ApiKey>();
  const gather = async (part: Partial<ListQuery>, holds: (key: ApiKey) => boolean = () => true) => {
    const { keys } = await store.list({ mode, labels, ...part, sort: 'created', now });
    for (const key of keys) if (holds(key) && !inOverlap(key, now)) found.set(key.id, key);
  };
  if (expired) await gather({ status: 'expired' });
  if (unusedSince) await gather({ unusedSince });
  if (neverUsedBefore) await gather({ unusedSince: neverUsedBefore }, ({ lastUsedAt }) => lastUsedAt === null);
  return [...found.values()].sort((a, b) => a.createdAt.getTime() - b.createdAt.getTime());
}
