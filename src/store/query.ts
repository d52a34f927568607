import type { Statement, Write } from './database.js';
import { fillPlaceholders } from './drizzle.js';

interface Compilable {
  toSQL(): { sql: string; params: unknown[] };
}

/** The number of rows after which a query stops; undefined for one without a limit. */
function limitOf(text: string, params: readonly unknown[]): number | undefined {
  const limit = text.endsWith(' limit ?') ? params.at(-1) : undefined;
  return typeof limit === 'number' ? limit : undefined;
}

/** Compiles a query that was built for one call. */
export function statement(query: Compilable): Statement {
  const { sql, params } = query.toSQL();
  return { sql, params, most: limitOf(sql, params) };
}

/**
 * Compiles a query at its first use: to build one for each call would cost about ten times as much as running it. The returned function
 * fills in the placeholders. `most`: the rows of a query without a limit.
 */
export function prepared<P extends Record<string, unknown> = Record<string, never>>(
  query: () => Compilable,
  most?: number,
): (values: P) => Statement {
  let compiled: Statement | undefined;
  return (values) => {
    compiled ??= statement(query());
    const params = fillPlaceholders([...compiled.params], values);
    return { sql: compiled.sql, params, most: most ?? limitOf(compiled.sql, params) };
  };
}

/**
 * What {@link prepared} makes, from a text that the build compiled (`scripts/compiled-statements.mjs`). Of `slots`, a list of one holds
 * the name of a value, and all else is the value itself.
 */
export function compiled<P extends Record<string, unknown>>(
  text: string,
  slots: readonly unknown[],
  most?: number,
): (values: P) => Statement {
  return (values) => {
    const params = slots.map((slot) => (Array.isArray(slot) ? values[slot[0]] : slot));
    return { sql: text, params, most: most ?? limitOf(text, params) };
  };
}

/** A write that must change exactly `rows` rows, or is undone. */
export function affectingRows(rows: number, { sql, params }: Statement): Write {
  return { sql, params, rows };
}
