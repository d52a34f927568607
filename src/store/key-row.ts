import type { ApiKey, KeyFieldName } from '../domain/api-key.js';
import { KeysError } from '../domain/errors.js';
import type { SQL, SQLiteColumn } from './drizzle.js';
import { KEY_FIELDS, type KeyField, type SelectedColumn, WHEN_DAMAGED } from './key-fields.js';
import { networksOfColumn } from './networks-cell.js';
import { apiKeys, keyUsage } from './schema.js';

export const FIELDS = Object.entries(KEY_FIELDS) as [KeyFieldName, KeyField<unknown>][];

/** The columns that make an `ApiKey`, in the order in which {@link keyFromRow} reads them: `seq`, then those of each field. */
export function selectedColumns(): Readonly<Record<string, SQLiteColumn | SQL>> {
  return Object.fromEntries([
    ['seq', apiKeys.seq],
    ...FIELDS.flatMap(([name, { columns }]) => columns.map((column, i) => [`${name}${i}`, selected(column)])),
  ]);
}

function selected(column: SelectedColumn): SQLiteColumn | SQL {
  if (column === 'networks') return networksOfColumn();
  return column === 'lastUsedAt' ? keyUsage.lastUsedAt : apiKeys[column];
}

let cells = 1;
/** Each field's reader, and the index of its first cell in a row. */
const READERS = FIELDS.map(([name, { read, columns }]) => {
  const at = cells;
  cells += columns.length;
  return { name, read, at };
});
export const KEY_COLUMN_COUNT = cells;

function notAKey(field: string): KeysError {
  return new KeysError(
    'store_corrupt',
    `a row of the store is not a key (its ${field})`,
    'unlockos-keys doctor says more',
  );
}

/**
 * The key in a row of {@link selectedColumns}. A field that cannot be read is named in `damaged`, so that one row spoils no list. Throws
 * `store_corrupt` for a row of other columns, or without a place in the order: a server may answer anything.
 */
export function keyFromRow(row: readonly unknown[]): ApiKey {
  if (!Number.isSafeInteger(row[0]) || (row[0] as number) <= 0) throw notAKey('seq');
  if (row.length < KEY_COLUMN_COUNT) throw notAKey('columns');
  const key: Record<KeyFieldName, unknown> = { ...WHEN_DAMAGED };
  const damaged: KeyFieldName[] = [];
  for (const { name, read, at } of READERS) {
    const value = read(row[at], row[at + 1]);
    if (value === undefined) damaged.push(name);
    else key[name] = value;
  }
  if (damaged.length === 0) return key as unknown as ApiKey;
  if (damaged.includes('id') && typeof row[1] === 'string') key.id = row[1]; // by it the row is found again
  return { ...(key as unknown as ApiKey), damaged };
}
