import { mintKeyString, type RandomBytes } from '../domain/key-parts.js';
import type { NewKey } from '../domain/key-store.js';
import type { Peppers } from '../domain/peppers.js';
import { DEFAULT_BCRYPT_COST, guardTag, hashWithPepper, pepperOf, type StoreScheme } from '../domain/secret-hash.js';
import { hashSecrets } from '../hashing/bcrypt-pool.js';

/** What key strings are made with. */
export interface Mint {
  readonly random: RandomBytes | undefined;
  /** The bcrypt cost, where the store's scheme is bcrypt. Default: {@link DEFAULT_BCRYPT_COST}. */
  readonly cost: number | undefined;
  readonly peppers: Peppers;
}

/** A key to create with every default filled in: all of a new key but what is drawn at random, and its hash. */
export type CompleteInput = Omit<NewKey, 'id' | 'hash' | 'guard'>;

/**
 * New rows with their key strings, which exist nowhere else. `progress` is called with the number of secrets hashed so far. Throws
 * `pepper_missing` where the scheme needs a pepper that this process does not have.
 */
export async function mintKeys(
  inputs: readonly CompleteInput[],
  scheme: StoreScheme,
  { random, cost = DEFAULT_BCRYPT_COST, peppers }: Mint,
  progress?: (done: number) => void,
): Promise<{ row: NewKey; keyString: string }[]> {
  const pepper = pepperOf(scheme);
  const minted = inputs.map((input) => ({ input, ...mintKeyString(input.mode, random) }));
  const hashes =
    pepper === null
      ? await hashSecrets(
          minted.map(({ secret }) => secret),
          cost,
          progress,
        )
      : minted.map(({ body }) => hashWithPepper(body, pepper, peppers));
  return minted.map(({ input, id, body, keyString }, i) => ({
    row: { ...input, id, hash: hashes[i] as string, guard: guardTag(body) },
    keyString,
  }));
}
