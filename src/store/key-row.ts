import type { ApiKey, Status } from '../domain/api-key.js';
import { nameKey } from '../domain/api-key.js';
import { KeysError } from '../domain/errors.js';
import type { Credential, NewKey } from '../domain/key-store.js';
import { isKeyId, MODES, type Mode } from '../domain/key-string.js';
import type { Labels } from '../domain/labels.js';
import { isOfScheme, readStoreScheme, type StoreScheme } from '../domain/secret-hash.js';
import { apiKeys, keyUsage } from './schema.js';

/** The columns that make an `ApiKey`, in the order in which {@link keyFromRow} reads them. The hash is not among them. */
export const KEY_FIELDS = {
  seq: apiKeys.seq,
  id: apiKeys.id,
  name: apiKeys.name,
  description: apiKeys.description,
  mode: apiKeys.mode,
  scopes: apiKeys.scopes,
  status: apiKeys.status,
  rateLimit: apiKeys.rateLimit,
  rateWindowSeconds: apiKeys.rateWindowSeconds,
  expiresAt: apiKeys.expiresAt,
  createdAt: apiKeys.createdAt,
  updatedAt: apiKeys.updatedAt,
  lastUsedAt: keyUsage.lastUsedAt,
  labels: apiKeys.labels,
  rotatedFrom: apiKeys.rotatedFrom,
  rotatedTo: apiKeys.rotatedTo,
};

const NO_LABELS = '{}';

export const KEY_FIELD_COUNT = Object.keys(KEY_FIELDS).length;

type KeyRow = [
  number,
  string,
  string,
  string | null,
  Mode,
  string,
  Status,
  number,
  number,
  number | null,
  number,
  number,
  number,
  string,
  string | null,
  string | null,
];

const isText = (value: unknown) => typeof value === 'string';
const isNumber = (value: unknown) => typeof value === 'number' && Number.isSafeInteger(value);
const isId = (value: unknown) => isText(value) && isKeyId(value as string);
const orNull = (is: (value: unknown) => boolean) => (value: unknown) => value === null || is(value);

/** What each column may hold, in the order of {@link KEY_FIELDS}. A server, or whoever wrote to the file, may answer anything. */
const COLUMNS: readonly ((value: unknown) => boolean)[] = [
  (value) => isNumber(value) && (value as number) > 0,
  (value) => isText(value) && isKeyId(value as string),
  isText,
  orNull(isText),
  (value) => MODES.includes(value as Mode),
  isScopeList,
  (value) => value === 'active' || value === 'inactive',
  isNumber,
  isNumber,
  orNull(isNumber),
  isNumber,
  isNumber,
  isNumber,
  isLabels,
  orNull(isId),
  orNull(isId),
];

function isScopeList(value: unknown): boolean {
  try {
    const list: unknown = JSON.parse(value as string);
    return Array.isArray(list) && list.length > 0 && list.every(isText);
  } catch {
    return false;
  }
}

function isLabels(value: unknown): boolean {
  if (value === NO_LABELS) return true;
  try {
    const labels: unknown = JSON.parse(value as string);
    return typeof labels === 'object' && labels !== null && Object.values(labels).every(isText);
  } catch {
    return false;
  }
}

function assertKeyRow(row: readonly unknown[]): void {
  const wrong = COLUMNS.findIndex((holds, i) => !holds(row[i]));
  if (wrong >= 0)
    throw new KeysError(
      'store_corrupt',
      `a row of the store is not a key (its ${Object.keys(KEY_FIELDS)[wrong]})`,
      'unlockos-keys doctor says more',
    );
}

/** Throws `store_corrupt` for a row that is no key. */
export function keyFromRow(row: readonly unknown[]): ApiKey {
  assertKeyRow(row);
  const [
    ,
    id,
    name,
    description,
    mode,
    scopes,
    status,
    limit,
    windowSeconds,
    expiresAt,
    createdAt,
    updatedAt,
    lastUsedAt,
    labels,
    rotatedFrom,
    rotatedTo,
  ] = row as unknown as KeyRow;
  return {
    id,
    name,
    description,
    mode,
    scopes: JSON.parse(scopes) as string[],
    status,
    rateLimit: { limit, windowSeconds },
    expiresAt: expiresAt === null ? null : new Date(expiresAt),
    createdAt: new Date(createdAt),
    updatedAt: new Date(updatedAt),
    lastUsedAt: lastUsedAt > 0 ? new Date(lastUsedAt) : null,
    labels: labels === NO_LABELS ? {} : (JSON.parse(labels) as Labels),
    rotatedFrom,
    rotatedTo,
  };
}

/** Throws `store_corrupt` for a scheme that this tool does not know: it shall hash nothing in a way that it cannot read. */
export function schemeFrom(value: unknown): StoreScheme {
  const scheme = isText(value) ? readStoreScheme(value as string) : null;
  if (scheme === null)
    throw new KeysError('store_corrupt', 'the hash scheme of the store is none', 'unlockos-keys doctor says more');
  return scheme;
}

/** A row of the same columns with the hash and the guard behind them. */
export function credentialFromRow(row: readonly unknown[]): Credential {
  const [hash, guard, scheme] = row.slice(KEY_FIELD_COUNT);
  if (!isText(hash) || !isText(guard)) throw new KeysError('store_corrupt', 'a row of the store holds no hash');
  const credential = { hash: hash as string, guard: guard as string, scheme: schemeFrom(scheme) };
  return { key: keyFromRow(row), ...credential, outdated: !isOfScheme(credential.hash, credential.scheme) };
}

/** A new key as it will read once stored. */
export function keyFromNew(key: NewKey, at: Date): ApiKey {
  const { id, name, description, mode, scopes, rateLimit, expiresAt, labels = {}, rotatedFrom = null } = key;
  return {
    id,
    name,
    description,
    mode,
    scopes,
    status: 'active',
    rateLimit,
    expiresAt,
    createdAt: at,
    updatedAt: at,
    lastUsedAt: null,
    labels,
    rotatedFrom,
    rotatedTo: null,
  };
}

/** The columns of a key that an edit may change. */
export function editableColumns(key: ApiKey) {
  return {
    name: key.name,
    nameKey: nameKey(key.name),
    description: key.description,
    status: key.status,
    rateLimit: key.rateLimit.limit,
    rateWindowSeconds: key.rateLimit.windowSeconds,
    expiresAt: key.expiresAt?.getTime() ?? null,
    labels: JSON.stringify(key.labels),
    rotatedTo: key.rotatedTo,
    updatedAt: key.updatedAt.getTime(),
    searchText: searchText(key),
  };
}

/** What `--search` looks through. */
export function searchText(key: Pick<ApiKey, 'id' | 'name' | 'description'>): string {
  return nameKey(`${key.name}\n${key.description ?? ''}\n${key.id}`);
}
