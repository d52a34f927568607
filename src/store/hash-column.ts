import type { ApiKey } from '../domain/api-key.js';
import { KeysError } from '../domain/errors.js';
import { LIST, networksCell, networksFrom } from './networks-cell.js';

// The column of a key's hash, which holds its networks as well (`networks-cell.ts`).

/** The hash in the column's text. Networks that cannot be read stay part of it, so that no copy of it works from everywhere. */
export function hashAlone(column: string): string {
  const cell = networksCell(column);
  return networksFrom(cell) === undefined ? column : column.slice(cell.length);
}

/** The hash behind networks that cannot be read, for a key that is given others. */
export function hashBehind(column: string): string {
  return column.replace(LIST, '');
}

/** The column's text for a key and its hash. Throws `usage` for networks that could not be read back. */
export function hashColumn({ allowFrom, name }: Pick<ApiKey, 'allowFrom' | 'name'>, hash: string): string {
  if (allowFrom.length === 0) return hash;
  const cell = `$from=${allowFrom.join()}`;
  if (networksFrom(cell) === undefined)
    throw new KeysError(
      'usage',
      `the allowFrom of key ${JSON.stringify(name)} cannot be stored: it could not be read back`,
    );
  return `${cell}${hash}`;
}
