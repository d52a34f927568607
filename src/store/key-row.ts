import type { ApiKey, Status } from '../domain/api-key.js';
import { nameKey } from '../domain/api-key.js';
import type { NewKey } from '../domain/key-store.js';
import type { Mode } from '../domain/key-string.js';
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
};

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
];

export function keyFromRow(row: readonly unknown[]): ApiKey {
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
  };
}

/** A new key as it will read once stored. */
export function keyFromNew(key: NewKey, at: Date): ApiKey {
  const { id, name, description, mode, scopes, rateLimit, expiresAt } = key;
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
  };
}

/** What `--search` looks through. */
export function searchText(key: Pick<ApiKey, 'id' | 'name' | 'description'>): string {
  return nameKey(`${key.name}\n${key.description ?? ''}\n${key.id}`);
}
