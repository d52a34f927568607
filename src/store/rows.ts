import { type AuditHead, type AuditRow, GENESIS } from '../domain/audit.js';
import { KeysError } from '../domain/errors.js';
import type { CatalogueScope } from '../domain/scopes.js';
import { DEFAULT_SCHEME, type StoreScheme } from '../domain/secret-hash.js';
import { schemeFrom } from './key-row.js';

// What the rows of `statements.ts` hold besides keys.

function corrupt(what: string): KeysError {
  return new KeysError('store_corrupt', `${what} of the store is none`, 'unlockos-keys doctor says more');
}

const isSeq = (value: unknown) => Number.isSafeInteger(value) && (value as number) > 0;

/** Rows behind row `seq`, in order: whoever asks for page after page gets to an end, whatever a server answers. */
export function inOrder<T extends readonly (readonly unknown[])[]>(rows: T, seq: number): T {
  let last = seq;
  for (const [next] of rows) {
    if (!isSeq(next) || (next as number) <= last) throw corrupt('the order of the rows');
    last = next as number;
  }
  return rows;
}

export function headFromRows(rows: readonly (readonly unknown[])[]): AuditHead {
  const [row] = rows;
  if (!row) return GENESIS;
  const [seq, hash] = row as [number, string];
  if (!isSeq(seq) || typeof hash !== 'string') throw corrupt('the end of the audit log');
  return { seq, hash };
}

export function auditRowFromRow(row: readonly unknown[]): AuditRow {
  const [seq, op, body, prev, hash] = row as [number, string, string, string, string];
  if (!isSeq(seq) || [op, body, prev, hash].some((text) => typeof text !== 'string')) throw corrupt('an audit row');
  return { seq, op, body, prev, hash };
}

/** What the store makes new hashes by: bcrypt where nothing was ever set. */
export function schemeFromRows(rows: readonly (readonly unknown[])[]): StoreScheme {
  return rows.length === 0 ? DEFAULT_SCHEME : schemeFrom(rows[0]?.[0]);
}

export function scopeFromRow(row: readonly unknown[]): CatalogueScope {
  const [scope, category, categoryLabel, action, retired] = row as [string, string, string, string, number];
  if (
    [scope, category, categoryLabel, action].some((text) => typeof text !== 'string') ||
    (retired !== 0 && retired !== 1)
  )
    throw corrupt('a scope');
  return { scope, category, categoryLabel, action, retired: retired !== 0 };
}
