import { asc, desc, eq, qb, sql } from './drizzle.js';
import { selectedColumns } from './key-row.js';
import { prepared } from './query.js';
import { apiKeys, keyUsage } from './schema.js';

// The first page of a list without filters, in the order of creation: what most lists are. Each is equal to what `list-query.ts` builds (a
// test compares them), and compiled by the build, so that such a list loads no query builder.

const keys = () =>
  qb
    .select({ ...selectedColumns(), sortValue: apiKeys.seq })
    .from(apiKeys)
    .crossJoin(keyUsage)
    .where(eq(keyUsage.keySeq, apiKeys.seq));
const limit = () => sql.placeholder('rows');

export const newestKeys = prepared<{ rows: number }>(() => keys().orderBy(desc(apiKeys.seq)).limit(limit()));
export const oldestKeys = prepared<{ rows: number }>(() => keys().orderBy(asc(apiKeys.seq)).limit(limit()));
export const allNewestFirst = prepared(() => keys().orderBy(desc(apiKeys.seq)));
export const allOldestFirst = prepared(() => keys().orderBy(asc(apiKeys.seq)));
