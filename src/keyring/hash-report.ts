import type { KeyStore } from '../domain/key-store.js';
import type { Peppers } from '../domain/peppers.js';
import { pepperOf, readHashKind } from '../domain/secret-hash.js';

/** How the secrets of a store's keys are hashed. */
export interface HashReport {
  /** The scheme of new hashes, also one that this version does not know. Keys with another hash move to it when they are next used. */
  readonly scheme: string;
  /** How many keys have each kind of hash, and whether this process can check it. */
  readonly hashes: readonly { readonly scheme: string; readonly keys: number; readonly readable: boolean }[];
  /** The ids of the peppers that this process has, oldest first. */
  readonly peppers: readonly string[];
}

/** Kinds that read alike, such as bcrypt of several costs, are one line. */
function merged(hashes: HashReport['hashes']): HashReport['hashes'] {
  const sums = new Map<string, HashReport['hashes'][number]>();
  for (const each of hashes) sums.set(each.scheme, { ...each, keys: each.keys + (sums.get(each.scheme)?.keys ?? 0) });
  return [...sums.values()];
}

/** Counts the kinds of hashes in a store. Two reads. */
export async function hashReport(store: KeyStore, peppers: Peppers): Promise<HashReport> {
  const hashes = (await store.settings.hashKinds()).map(({ kind, keys }) => {
    const scheme = readHashKind(kind);
    const pepper = pepperOf(scheme);
    return { scheme, keys, readable: pepper === null ? scheme === 'bcrypt' : peppers.has(pepper) };
  });
  return { scheme: await store.settings.hashScheme(), hashes: merged(hashes), peppers: peppers.ids };
}
