import type { NewKey } from '../domain/key-store.js';
import { mintKeyString, type RandomBytes } from '../domain/key-string.js';
import type { Peppers } from '../domain/peppers.js';
import { guardTag, hashWithPepper, pepperOf, type StoreScheme } from '../domain/secret-hash.js';
import { hashSecrets } from '../hash-pool.js';

/** What a keyring makes key strings with. */
export interface Mint {
  readonly random: RandomBytes | undefined;
  /** bcrypt cost, where the store's scheme is bcrypt. */
  readonly cost: number;
  readonly peppers: Peppers;
}

/** What was asked for, with nothing left open: all of a new key but what is made up for it. */
export type SettledInput = Omit<NewKey, 'id' | 'hash' | 'guard'>;

/**
 * New rows with their key strings, which exist nowhere else. `progress` hears of each one done. Throws `pepper_missing` where the
 * scheme needs a pepper that is not at hand.
 */
export async function mintKeys(
  inputs: readonly SettledInput[],
  scheme: StoreScheme,
  { random, cost, peppers }: Mint,
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
