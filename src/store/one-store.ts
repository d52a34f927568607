import { KeysError } from '../domain/errors.js';
import type { Database } from './database.js';

const ATTEMPTS = 5;

/**
 * Does what takes several reads, and does it again if another store took the place of this one meanwhile: no answer holds rows of two. Throws
 * `store_busy` when that happens again and again.
 */
export async function ofOneStore<T>(db: Database, work: () => Promise<T>): Promise<T> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const before = db.replaced();
    try {
      const result = await work();
      if (db.replaced() === before) return result;
    } catch (error) {
      if (db.replaced() === before) throw error;
    }
  }
  throw new KeysError('store_busy', 'the store was replaced again and again while it was read', 'try again');
}
