import { normalizeNetworks } from '../domain/addresses.js';
import { type SQL, sql } from './drizzle.js';
import { apiKeys } from './schema.js';

// The networks that a key works from are in the column of its hash, before the hash: `$from=10.0.0.0/8,192.0.2.7/32$2b$10$…`. A verifier that
// does not know of them finds a hash of no scheme that it knows, and refuses the key, instead of letting it in from everywhere (decision 32).

export const LIST = /^\$from=([^$]*)(?=\$)/;

/** Selects the text before the hash, or an empty one. */
export const networksOfColumn = (): SQL<string> =>
  sql<string>`case when ${apiKeys.hash} like '$from=%' then substr(${apiKeys.hash}, 1, instr(substr(${apiKeys.hash}, 2), '$')) else '' end`;

/** The text of {@link networksOfColumn} in the column's text. */
export function networksCell(column: unknown): string {
  return typeof column === 'string' ? (LIST.exec(column)?.[0] ?? '') : '';
}

/** The networks in a cell of {@link networksOfColumn}; undefined for a cell that was not written by this package. */
export function networksFrom(cell: unknown): readonly string[] | undefined {
  if (cell === '') return [];
  const list = typeof cell === 'string' ? LIST.exec(`${cell}$`)?.[1] : undefined;
  if (list === undefined) return undefined;
  const networks = list.split(',');
  try {
    return normalizeNetworks(networks).join() === list ? networks : undefined;
  } catch {
    return undefined;
  }
}
