import type { Statement, Write } from './database.js';
import { drizzle, fillPlaceholders } from './drizzle.js';

/**
 * Drizzle as the writer of SQL. Statements are compiled here and run by a {@link Database}, which keeps them prepared by their text;
 * building one per call costs about ten times as much as running it.
 */
export const qb = drizzle(async () => {
  throw new Error('statements are run by a Database, never by the query builder');
});

interface Compilable {
  toSQL(): { sql: string; params: unknown[] };
}

/** Compiles a query built for this one call. */
export function statement(query: Compilable): Statement {
  const { sql, params } = query.toSQL();
  return { sql, params };
}

/** Compiles a query once; the function returned fills in its placeholders. */
export function prepared<P extends Record<string, unknown> = Record<string, never>>(
  query: () => Compilable,
): (values: P) => Statement {
  let compiled: Statement | undefined;
  return (values) => {
    compiled ??= statement(query());
    return { sql: compiled.sql, params: fillPlaceholders([...compiled.params], values) };
  };
}

/** Marks a statement as a write that must touch exactly `rows` rows. */
export function touching(rows: number, { sql, params }: Statement): Write {
  return { sql, params, rows };
}
