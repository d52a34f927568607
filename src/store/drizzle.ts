import { drizzle } from 'drizzle-orm/sqlite-proxy';

// Everything that this project uses of drizzle, in one module. In the command line the build compiles most statements before (`statements.ts`),
// and loads this file only for the others.
export { and, asc, desc, eq, fillPlaceholders, gt, gte, lt, or, type SQL, sql } from 'drizzle-orm';
export {
  check,
  index,
  integer,
  primaryKey,
  real,
  type SQLiteColumn,
  sqliteTable,
  text,
  uniqueIndex,
} from 'drizzle-orm/sqlite-core';

/** Drizzle builds the SQL; a `Database` runs it and caches the prepared statements by their text. */
export const qb = drizzle(async () => {
  throw new Error('a Database runs the statements, not the query builder');
});
