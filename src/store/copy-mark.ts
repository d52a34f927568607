import type { Statement } from './database.js';
import { eq, qb } from './drizzle.js';
import { statement } from './query.js';
import { schemaMigrations } from './schema.js';

/** While a copy is being filled, this version is among the store's migrations, and nothing but the copy opens the store. */
export const COPY_MARK = 0;

/** Marks a new store as an unfinished copy, in the write that makes it, so that it never looks finished. */
export function markUnfinished(): Statement {
  return statement(qb.insert(schemaMigrations).values({ version: COPY_MARK, tag: 'copy', checksum: '', appliedAt: 0 }));
}

/** Takes the mark away. */
export function markFinished(): Statement {
  return statement(qb.delete(schemaMigrations).where(eq(schemaMigrations.version, COPY_MARK)));
}

/** Reads the mark: one row, or none for a finished store. */
export function selectMark(): Statement {
  return statement(
    qb
      .select({ version: schemaMigrations.version })
      .from(schemaMigrations)
      .where(eq(schemaMigrations.version, COPY_MARK)),
  );
}
