import type { ApiKey } from '../../src/domain/api-key.js';
import type { Keyring } from '../../src/keyring/keyring.js';
import type { RotateInput } from '../../src/keyring/rotation.js';
import { freshKeyring } from './keyrings.js';
import { type Clock, type EngineName, markUsed, START, storeOf } from './stores.js';

// What tests of rotations begin with.

export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;
export const at = (ms: number) => new Date(START.getTime() + ms);
export const overlap = (ms: number, more: Partial<RotateInput> = {}): RotateInput => ({ overlapMs: ms, ...more });

export async function scene(engine: EngineName) {
  const clock: Clock = { now: START };
  return { clock, keyring: await freshKeyring(engine, clock) };
}

export async function used(keyring: Keyring, { id }: ApiKey, when: Date): Promise<void> {
  await markUsed(storeOf(keyring), [{ id, at: when }]);
}

/** The verdicts on key strings, in their order. */
export async function verdicts(keyring: Keyring, ...keyStrings: string[]): Promise<string[]> {
  const all: string[] = [];
  for (const keyString of keyStrings) all.push((await keyring.verify(keyString)).verdict);
  return all;
}
