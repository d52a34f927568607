/**
 * All that this project uses of drizzle, in one module: the build makes it one small file of its own, loaded only by commands that
 * open a store.
 */
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
export { drizzle } from 'drizzle-orm/sqlite-proxy';
