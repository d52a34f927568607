import type { Statement } from './database.js';

// What the statements that are written as SQL have in common.

/** The database's own clock: milliseconds since 1970, the same throughout a statement. */
export const EXACT_NOW = "((julianday('now') - 2440587.5) * 86400000.0)";

/** The same in whole milliseconds. */
export const NOW = "cast((julianday('now') - 2440587.5) * 86400000.0 as integer)";

export const of = (sql: string, ...params: unknown[]): Statement => ({ sql, params });

/** One row with the time of the database. */
export const CLOCK = { ...of(`select ${NOW}`), most: 1, volatile: true };

/** The time in the newest audit row that matches, in milliseconds. If no row matches: the time of the clock. */
export const timeOfLast = (where: string) => `coalesce((select
  cast((julianday(case when json_valid(body) then body ->> '$.at' end) - 2440587.5) * 86400000.0 as integer)
  from audit_events ${where} order by audit_events.seq desc limit 1), ${NOW})`;
