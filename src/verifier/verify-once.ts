import { parseKeyString } from '../domain/key-parts.js';
import type { KeyStore } from '../domain/key-store.js';
import { Peppers } from '../domain/peppers.js';
import { guardMatches, provesKeyString } from '../domain/secret-hash.js';
import { INVALID, judge, type Needs, type Verdict } from '../domain/verdict.js';

/**
 * Verifies one key string against a store, in this order: shape, checksum, credential by id, mode, guard tag, proof, status, expiry,
 * environment, scopes, address. It caches nothing, does not count against the rate limit, and does not change when the key was last used.
 *
 * Throws a `KeysError` with a `store_…` code when the store does not answer, and `pepper_missing`. A refused key is a verdict, not an error.
 */
export async function verifyOnce(
  store: KeyStore,
  keyString: unknown,
  needs: Needs,
  now: Date,
  peppers = Peppers.none,
): Promise<Verdict> {
  const parsed = parseKeyString(keyString);
  if (!parsed.ok) return INVALID;
  const credential = await store.credential(parsed.id);
  if (!credential || credential.key.mode !== parsed.mode) return INVALID;
  if (!guardMatches(parsed.body, credential.guard)) return INVALID;
  if (!(await provesKeyString(parsed, credential.hash, peppers))) return INVALID;
  return judge(credential.key, needs, now);
}
