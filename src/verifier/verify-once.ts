import type { KeyStore } from '../domain/key-store.js';
import { parseKeyString } from '../domain/key-string.js';
import { Peppers } from '../domain/peppers.js';
import { guardMatches, provesKeyString } from '../domain/secret-hash.js';
import { type Demands, INVALID, judge, type Verdict } from '../domain/verdict.js';

/**
 * Verifies a key string against a store, in this order: shape, checksum, row by id, mode, guard, proof, status, expiry, environment,
 * scopes. For one question, as the command line has it: it remembers nothing, counts nothing and marks nothing as used. Throws a
 * `KeysError` with a `store_…` code when the store cannot answer; a refused key is a value.
 */
export async function verifyOnce(
  store: KeyStore,
  keyString: unknown,
  demands: Demands,
  now: Date,
  peppers = Peppers.none,
): Promise<Verdict> {
  const parsed = parseKeyString(keyString);
  if (!parsed.ok) return INVALID;
  const credential = await store.credential(parsed.id);
  if (!credential || credential.key.mode !== parsed.mode) return INVALID;
  if (!guardMatches(parsed.body, credential.guard)) return INVALID;
  if (!(await provesKeyString(parsed, credential.hash, peppers))) return INVALID;
  return judge(credential.key, demands, now);
}
