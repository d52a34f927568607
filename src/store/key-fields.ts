import type { ApiKey, KeyFieldName, Status } from '../domain/api-key.js';
import { FIELD_DEFAULTS } from '../domain/api-key.js';
import { nameKey } from '../domain/key-name.js';
import { isKeyId, MODES, type Mode } from '../domain/key-string.js';
import type { Labels } from '../domain/labels.js';
import type { RateLimit } from '../domain/rate-limit.js';
import { networksFrom } from './networks-cell.js';
import type { apiKeys } from './schema.js';

// The one table of a key's fields. Reading a row, inserting one, changing one and copying one all follow from it (`key-row.ts`), so
// that a new field is a line here and a column in `schema.ts`. A field of `ApiKey` without a line does not compile.

export type KeyInsert = typeof apiKeys.$inferInsert;
type ColumnName = keyof KeyInsert;
/** A column of `api_keys`, the one that `key_usage` keeps, or the networks in the column of the hash. */
export type SelectedColumn = ColumnName | 'lastUsedAt' | 'networks';

/** How a value `T` is kept in one column of type `C`. `read` returns undefined for a cell that cannot be such a value. */
interface Codec<T, C> {
  readonly read: (cell: unknown) => T | undefined;
  readonly write: (value: T) => C;
}

/** How a field of a key is kept. */
export interface KeyField<T> {
  /** The columns to select, in the order in which `read` takes their cells. */
  readonly columns: readonly SelectedColumn[];
  /** The columns of `api_keys` that `write` fills; none for a field that another table keeps. */
  readonly written: readonly ColumnName[];
  /** Set when the key is made and never changed: triggers refuse it. */
  readonly fixed: boolean;
  readonly read: (cell: unknown, next: unknown) => T | undefined;
  readonly write: (value: T) => Partial<KeyInsert>;
}

const isText = (cell: unknown) => typeof cell === 'string';
const isInteger = (cell: unknown) => typeof cell === 'number' && Number.isSafeInteger(cell);
const isPositive = (cell: unknown) => isInteger(cell) && (cell as number) > 0;
/** A `Date` holds no time beyond this. */
const LAST_TIME = 8_640_000_000_000_000;
const isTime = (cell: unknown) => isInteger(cell) && Math.abs(cell as number) <= LAST_TIME;

function plain<T>(is: (cell: unknown) => boolean): Codec<T, T> {
  return { read: (cell) => (is(cell) ? (cell as T) : undefined), write: (value) => value };
}

function orNull<T, C>({ read, write }: Codec<T, C>): Codec<T | null, C | null> {
  return {
    read: (cell) => (cell === null ? null : read(cell)),
    write: (value) => (value === null ? null : write(value)),
  };
}

function json<T>(is: (value: unknown) => boolean): Codec<T, string> {
  const read = (cell: unknown): T | undefined => {
    if (!isText(cell)) return undefined;
    try {
      const value: unknown = JSON.parse(cell as string);
      return is(value) ? (value as T) : undefined;
    } catch {
      return undefined;
    }
  };
  return { read, write: (value) => JSON.stringify(value) };
}

const text = plain<string>(isText);
const keyId = plain<string>((cell) => isText(cell) && isKeyId(cell as string));
const time: Codec<Date, number> = {
  read: (cell) => (isTime(cell) ? new Date(cell as number) : undefined),
  write: (value) => value.getTime(),
};
const scopeList = json<readonly string[]>((value) => Array.isArray(value) && value.length > 0 && value.every(isText));
const labelMap = json<Labels>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every(isText),
);

function column<N extends ColumnName, T>(name: N, codec: Codec<T, KeyInsert[N]>): KeyField<T> {
  return {
    columns: [name],
    written: [name],
    fixed: false,
    read: codec.read,
    write: (value) => ({ [name]: codec.write(value) }) as Pick<KeyInsert, N>,
  };
}

function fixed<T>(field: KeyField<T>): KeyField<T> {
  return { ...field, fixed: true };
}

const rateLimit: KeyField<RateLimit> = {
  columns: ['rateLimit', 'rateWindowSeconds'],
  written: ['rateLimit', 'rateWindowSeconds'],
  fixed: false,
  read: (limit, windowSeconds) =>
    isPositive(limit) && isPositive(windowSeconds)
      ? { limit: limit as number, windowSeconds: windowSeconds as number }
      : undefined,
  write: ({ limit, windowSeconds }) => ({ rateLimit: limit, rateWindowSeconds: windowSeconds }),
};

/** Kept in a table of its own and moved forward only there; 0 is never. */
const lastUsedAt: KeyField<Date | null> = {
  columns: ['lastUsedAt'],
  written: [],
  fixed: false,
  read: (cell) => (isTime(cell) ? ((cell as number) > 0 ? new Date(cell as number) : null) : undefined),
  write: () => ({}),
};

/** Kept in front of the hash, which is written with it: `hash-column.ts` says why. */
const allowFrom: KeyField<readonly string[]> = {
  columns: ['networks'],
  written: [],
  fixed: false,
  read: networksFrom,
  write: () => ({}),
};

export const KEY_FIELDS: { readonly [F in KeyFieldName]: KeyField<ApiKey[F]> } = {
  id: fixed(column('id', keyId)),
  name: column('name', text),
  description: column('description', orNull(text)),
  mode: fixed(
    column(
      'mode',
      plain<Mode>((cell) => MODES.includes(cell as Mode)),
    ),
  ),
  scopes: fixed(column('scopes', scopeList)),
  status: column(
    'status',
    plain<Status>((cell) => cell === 'active' || cell === 'inactive'),
  ),
  rateLimit,
  expiresAt: column('expiresAt', orNull(time)),
  createdAt: fixed(column('createdAt', time)),
  updatedAt: column('updatedAt', time),
  lastUsedAt,
  labels: column('labels', labelMap),
  allowFrom,
  rotatedFrom: fixed(column('rotatedFrom', orNull(keyId))),
  rotatedTo: column('rotatedTo', orNull(keyId)),
};

/**
 * What a key with a damaged field has in its place: values that let nobody in, and that guards take for the more dangerous case. The audit
 * log and lists never show them as the key's own.
 */
export const WHEN_DAMAGED: { readonly [F in KeyFieldName]: ApiKey[F] } = {
  id: '',
  name: '(unreadable)',
  description: null,
  mode: 'live',
  scopes: [],
  status: 'inactive',
  rateLimit: { limit: 1, windowSeconds: 86_400 },
  expiresAt: new Date(0),
  createdAt: new Date(0),
  updatedAt: new Date(0),
  lastUsedAt: null,
  ...FIELD_DEFAULTS,
};

/** What `--search` looks through. */
export function searchText({ name, description, id }: Pick<ApiKey, 'name' | 'description' | 'id'>): string {
  return nameKey(`${name}\n${description ?? ''}\n${id}`);
}

/** Columns that follow from the fields, for finding keys. */
export const DERIVED_COLUMNS = {
  nameKey: (key: ApiKey) => nameKey(key.name),
  searchText,
} satisfies { readonly [N in ColumnName]?: (key: ApiKey) => KeyInsert[N] };
