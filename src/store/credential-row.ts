import { type ApiKey, FIELD_DEFAULTS } from '../domain/api-key.js';
import type { Credential } from '../domain/credential.js';
import { KeysError } from '../domain/errors.js';
import type { NewKey } from '../domain/key-store.js';
import { DEFAULT_SCHEME, isOfScheme, readStoreScheme, type StoreScheme } from '../domain/secret-hash.js';
import { quoted } from '../domain/text.js';
import { hashAlone, hashColumn } from './hash-column.js';
import { DERIVED_COLUMNS, type KeyInsert } from './key-fields.js';
import { FIELDS, KEY_COLUMN_COUNT, keyFromRow } from './key-row.js';
import { networksCell } from './networks-cell.js';

// A key with what proves its key string, and as columns to be written; `key-row.ts` reads keys alone.

/** Every column of a key but the hash and the guard. */
export type KeyColumns = Omit<KeyInsert, 'seq' | 'hash' | 'guard'>;

/** The names of the columns that {@link keyColumns} fills. */
export function writtenColumns(): (keyof KeyColumns)[] {
  return [...FIELDS.flatMap(([, { written }]) => written), ...Object.keys(DERIVED_COLUMNS)] as (keyof KeyColumns)[];
}

/** Null for a scheme that this version does not know. */
export function readScheme(value: unknown): StoreScheme | null {
  return typeof value === 'string' ? readStoreScheme(value) : null;
}

/** Throws `store_corrupt` for a scheme that this version does not know: it must not make hashes that it cannot check. */
export function knownScheme(scheme: StoreScheme | null): StoreScheme {
  if (scheme === null)
    throw new KeysError(
      'store_corrupt',
      'this store uses a hash scheme that this version does not know',
      'if no newer version set it: unlockos-keys store hash bcrypt',
    );
  return scheme;
}

/**
 * The credential in a row of {@link selectedColumns}, followed by hash, guard and the store's scheme. An unreadable hash or guard tag proves
 * nothing, and is empty here. Throws `store_corrupt` for a row of other columns.
 */
export function credentialFromRow(row: readonly unknown[]): Credential {
  const [hash, guard] = row
    .slice(KEY_COLUMN_COUNT, KEY_COLUMN_COUNT + 2)
    .map((cell) => (typeof cell === 'string' ? cell : '')) as [string, string];
  const scheme = readScheme(row[KEY_COLUMN_COUNT + 2]);
  const alone = hashAlone(hash);
  return {
    key: keyFromRow(row),
    hash: alone,
    guard,
    scheme,
    outdated: scheme !== null && !isOfScheme(alone, scheme),
  };
}

/** Whether a verifier may go by this key: what it does not look at may be damaged. */
export function isTrustworthy({ damaged }: ApiKey): boolean {
  return damaged === undefined || damaged.every((field) => field === 'lastUsedAt' || field === 'description');
}

/** A new key as it will read once stored. */
export function keyFromNew({ hash: _hash, guard: _guard, scopeChange: _change, ...given }: NewKey, at: Date): ApiKey {
  return {
    ...FIELD_DEFAULTS,
    ...given,
    status: 'active',
    createdAt: at,
    updatedAt: at,
    lastUsedAt: null,
  };
}

/** Throws `usage` for a value that could not be read back: what is stored is always readable. */
function columnsOfField(
  key: ApiKey,
  [name, { columns, written, read, write }]: (typeof FIELDS)[number],
): Partial<KeyInsert> {
  const cells = write(key[name]);
  if (columns.length === written.length) {
    const [cell, next] = written.map((column) => cells[column]);
    if (read(cell, next) === undefined)
      throw new KeysError(
        'usage',
        `the ${name} of key ${quoted(key.name)} cannot be stored: it could not be read back`,
      );
  }
  return cells;
}

function columnsOf(key: ApiKey, fields: typeof FIELDS): Partial<KeyInsert> {
  return Object.assign(
    Object.fromEntries(Object.entries(DERIVED_COLUMNS).map(([name, derive]) => [name, derive(key)])),
    ...fields.map((field) => columnsOfField(key, field)),
  ) as Partial<KeyInsert>;
}

/** A key as columns of a new row. */
export function keyColumns(key: ApiKey): KeyColumns {
  return columnsOf(key, FIELDS) as KeyColumns; // each field of `ApiKey` has a line in the table, and each line its columns
}

/** The columns that {@link keyColumns} leaves out. */
export function secretColumns({ key, hash, guard }: Pick<Credential, 'key' | 'hash' | 'guard'>): {
  hash: string;
  guard: string;
} {
  return { hash: hashColumn(key, hash), guard };
}

/** The columns of a key that a change may write. Those of damaged fields stay as they are. */
export function changingColumns(key: ApiKey): Partial<KeyColumns> {
  const left = key.damaged ?? [];
  const columns = columnsOf(
    key,
    FIELDS.filter(([name, { fixed }]) => !fixed && !left.includes(name)),
  );
  if (left.includes('name')) delete columns.nameKey;
  if (left.includes('name') || left.includes('description')) delete columns.searchText;
  return columns;
}

/** A key with everything that a store keeps of it, as one text. */
export function recordOf({ key, hash, guard }: Pick<Credential, 'key' | 'hash' | 'guard'>): string {
  return JSON.stringify({
    ...keyColumns(key),
    ...secretColumns({ key, hash, guard }),
    lastUsedAt: key.lastUsedAt?.getTime() ?? 0,
  });
}

function cellsOf(record: string): Record<string, unknown> | null {
  try {
    const cells: unknown = JSON.parse(record);
    return typeof cells === 'object' && !Array.isArray(cells) ? (cells as Record<string, unknown> | null) : null;
  } catch {
    return null;
  }
}

/** Whether a text can be one of {@link recordOf}. */
export function isRecord(record: string): boolean {
  return cellsOf(record) !== null;
}

/** The credential in a text of {@link recordOf}. A field that cannot be read is named in `damaged`, as in a row. */
export function credentialFromRecord(seq: number, record: string): Credential {
  const kept = cellsOf(record) ?? {};
  const cells: Record<string, unknown> = { ...kept, allowFrom: networksCell(kept.hash) };
  const names = FIELDS.flatMap(([name, { columns, written }]): readonly string[] =>
    written.length > 0 ? written : columns.map(() => name),
  );
  const values = [...names, 'hash', 'guard'].map((name) => cells[name] ?? null);
  return credentialFromRow([seq, ...values, DEFAULT_SCHEME]);
}
