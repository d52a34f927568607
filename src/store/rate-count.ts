import { KeysError } from '../domain/errors.js';
import { admitted, emissionIntervalOf, type RateDecision, refused } from '../domain/gcra.js';
import type { RateLimit } from '../domain/rate-limit.js';
import type { Database } from './database.js';
import { countRequest, currentTat } from './rate-statements.js';

/**
 * Counts one request of key `id` in the database. Throws `store_unavailable` when the key was deleted meanwhile, and the `store_…` codes
 * of the engine; the request may then have been counted.
 */
export async function countInDatabase(db: Database, id: string, rateLimit: RateLimit): Promise<RateDecision> {
  const window = rateLimit.windowSeconds * 1000;
  const counting = countRequest({ id, window, interval: emissionIntervalOf(rateLimit) });
  const [counted = [], known = []] = await db.run([counting, currentTat({ id })]);
  const [tat, now] = (counted[0] ?? known[0] ?? []) as [unknown, unknown];
  if (typeof tat !== 'number' || typeof now !== 'number')
    throw new KeysError('store_unavailable', `key ${id} was deleted while its request was counted`, 'try again');
  return counted.length > 0 ? admitted(tat, rateLimit, now) : refused(tat, rateLimit, now);
}
