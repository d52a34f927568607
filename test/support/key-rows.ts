import { getTableColumns } from 'drizzle-orm';
import { type ApiKey, FIELD_DEFAULTS } from '../../src/domain/api-key.js';
import type { Credential } from '../../src/domain/credential.js';
import { keyColumns } from '../../src/store/credential-row.js';
import { hashColumn } from '../../src/store/hash-column.js';
import { selectedColumns } from '../../src/store/key-row.js';
import { networksCell } from '../../src/store/networks-cell.js';
import { apiKeys } from '../../src/store/schema.js';

/** A row as a database answers it: the columns that were written, and those of other tables. */
export function rowOf(key: ApiKey, others: Readonly<Record<string, unknown>> = {}): unknown[] {
  const written: Readonly<Record<string, unknown>> = {
    ...keyColumns(key),
    seq: 1,
    lastUsedAt: key.lastUsedAt?.getTime() ?? 0,
    ...others,
  };
  const names = new Map(Object.entries(getTableColumns(apiKeys)).map(([name, column]) => [column.name, name]));
  return Object.values(selectedColumns()).map((column) =>
    'name' in column ? written[names.get(column.name) ?? 'lastUsedAt'] : networksCell(hashColumn(key, '$2b$10$')),
  );
}

/** The same with hash, guard tag and the scheme of the store. */
export function credentialRowOf({ key, hash, guard, scheme }: Credential): unknown[] {
  return [...rowOf(key), hashColumn(key, hash), guard, scheme];
}

const CREATED = new Date('2026-11-23T10:00:00.000Z');

/** A test key that nobody has used. */
export const PLAIN_KEY: ApiKey = {
  id: '3xbb3bje4dr5',
  name: 'a',
  description: null,
  mode: 'test',
  scopes: ['plan:read'],
  status: 'active',
  rateLimit: { limit: 7, windowSeconds: 60 },
  expiresAt: null,
  createdAt: CREATED,
  updatedAt: CREATED,
  lastUsedAt: null,
  ...FIELD_DEFAULTS,
};

/** {@link PLAIN_KEY} with these fields, as a store finds it. */
export function credentialWith(fields: Partial<ApiKey> = {}, hash = `$2b$04$${'a'.repeat(53)}`): Credential {
  return { key: { ...PLAIN_KEY, ...fields }, hash, guard: '01234567', scheme: 'bcrypt', outdated: false };
}
