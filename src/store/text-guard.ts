import { isUtf8 } from 'node:buffer';
import type { Rows } from './database.js';

// Text that is not UTF-8 is in no store, until something damages it. libsql ends the whole process when it reads such text, and cuts text at
// a NUL; a server answers nothing at all; the other engines put U+FFFD in its place, which hides it. So doubtful text is read as bytes, and
// decoded here.

/** Text of printable ASCII alone, without a NUL behind which more may follow. */
const isPlain = (column: string) => `(${column} not glob '*[^ -~]*' and length(${column}) = octet_length(${column}))`;

/** Doubtful text becomes bytes, and a blob, which nothing of ours writes, an empty one. */
const guardedColumn = (column: string) =>
  `case typeof(${column}) when 'blob' then zeroblob(0) when 'text' then case when ${isPlain(column)} then ${column} else cast(${column} as blob) end else ${column} end`;

const isQuery = (sql: string) => /^\s*(?:select|with)\b/i.test(sql);

const named = (sql: string, names: readonly string[]) => `with guarded (${names.join(', ')}) as (${sql})`;

/** The same query with doubtful text as bytes, for {@link decoded}; null for a statement that is no query. `columns`: how many it has. */
export function guardedQuery(sql: string, columns: number): string | null {
  if (columns === 0 || !isQuery(sql)) return null;
  const names = Array.from({ length: columns }, (_, i) => `c${i}`);
  return `${named(sql, names)} select ${names.map(guardedColumn).join(', ')} from guarded`;
}

/**
 * How many columns a query has, found out by `prepare`, which throws SQLite's error for a wrong number; 0 for a statement that is no query. For
 * libsql, which reads the names and types of columns where it is asked for their number, and those may be damaged as well.
 */
export function countColumns(sql: string, prepare: (sql: string) => unknown): number {
  if (!isQuery(sql)) return 0;
  try {
    prepare(`${named(sql, ['c0'])} select 1 from guarded`);
    return 1;
  } catch (error) {
    const [, found] = /has (\d+) values for 1 columns/.exec(error instanceof Error ? error.message : '') ?? [];
    if (found === undefined) throw error;
    return Number(found);
  }
}

function decodedValue(value: unknown): unknown {
  if (!(value instanceof Uint8Array) || value.length === 0 || !isUtf8(value)) return value;
  return Buffer.from(value.buffer, value.byteOffset, value.length).toString('utf8');
}

/** The rows of a {@link guardedQuery}. Text that is not UTF-8 stays bytes, which every reader of rows takes for damage. */
export function decoded(rows: Rows): unknown[][] {
  return rows.map((row) => row.map(decodedValue));
}
