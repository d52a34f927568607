import type { Rows } from './database.js';

/** What the engines put where bytes are no UTF-8. */
const REPLACEMENT = '\ufffd';

/** Whether a row may have text that is not UTF-8. */
export function isDoubtful(rows: Rows): boolean {
  return rows.some((row) => row.some((value) => typeof value === 'string' && value.includes(REPLACEMENT)));
}
