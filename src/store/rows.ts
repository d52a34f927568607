import { type AuditHead, type AuditRow, GENESIS } from '../domain/audit.js';
import { eventOf } from '../domain/audit-line.js';
import type { AuditEvent } from '../domain/audit-side.js';
import { KeysError } from '../domain/errors.js';
import { POLICY_SETTINGS, type PolicySettings, policyFrom, type StorePolicy } from '../domain/policy.js';
import type { CatalogueScope } from '../domain/scopes.js';
import { DEFAULT_SCHEME, type StoreScheme } from '../domain/secret-hash.js';
import { safeText } from '../domain/text.js';
import { knownScheme, readScheme } from './credential-row.js';
import type { Rows } from './database.js';

// Reads the rows of `statements.ts` that are not keys. Each function throws `store_corrupt` for a row of another form.

function corrupt(message: string): KeysError {
  return new KeysError('store_corrupt', message, 'unlockos-keys doctor says more');
}

const isSeq = (value: unknown) => Number.isSafeInteger(value) && (value as number) > 0;

/** Checks that the rows follow row `seq` in order, so that reading page after page ends, whatever a server answers. */
export function inOrder<T extends readonly (readonly unknown[])[]>(rows: T, seq: number): T {
  let last = seq;
  for (const [next] of rows) {
    if (!isSeq(next) || (next as number) <= last) throw corrupt('the rows of the store are out of order');
    last = next as number;
  }
  return rows;
}

/** The end of the audit log; {@link GENESIS} when it has no rows. */
export function headFromRows(rows: readonly (readonly unknown[])[]): AuditHead {
  const [row] = rows;
  if (!row) return GENESIS;
  const [seq, hash] = row as [number, string];
  if (!isSeq(seq) || typeof hash !== 'string')
    throw new KeysError(
      'store_corrupt',
      'the last row of the audit log is not an audit row: nothing can follow it',
      'put a backup in its place: unlockos-keys store restore FILE; a server: store copy into a new one',
    );
  return { seq, hash };
}

/** A row of seq, operation id, body, previous hash and hash. */
export function auditRowFromRow(row: readonly unknown[]): AuditRow {
  const [seq, ...texts] = row;
  if (!isSeq(seq)) throw corrupt('a row of the audit log is not an audit row');
  const damaged = ['op', 'body', 'prev', 'hash'].filter((_, i) => typeof texts[i] !== 'string');
  const [op, body, prev, hash] = texts.map((text) => (typeof text === 'string' ? text : '')) as [
    string,
    string,
    string,
    string,
  ];
  return { seq: seq as number, op, body, prev, hash, ...(damaged.length > 0 && { damaged }) };
}

/** The hash scheme of the store: bcrypt when none was ever set. */
export function schemeFromRows(rows: readonly (readonly unknown[])[]): StoreScheme {
  return rows.length === 0 ? DEFAULT_SCHEME : knownScheme(readScheme(rows[0]?.[0]));
}

/** The policy of the store: that of rows of `policyRows`. */
export function policyFromRows(rows: readonly (readonly unknown[])[]): StorePolicy {
  return policyFrom(settingsFromRows(rows));
}

/** The settings in rows of `policyRows`, whatever they say; null for those that are not set. */
export function settingsFromRows(rows: readonly (readonly unknown[])[]): PolicySettings {
  const set = Object.fromEntries(
    rows.map(([name, value]) => [String(name), typeof value === 'string' ? value : '(unreadable)']),
  );
  return Object.fromEntries(POLICY_SETTINGS.map((name) => [name, set[name] ?? null]));
}

/** The time of the database, in milliseconds since 1970. */
export function timeFromRows(rows: readonly (readonly unknown[])[]): number {
  const time = rows[0]?.[0];
  if (!Number.isSafeInteger(time)) throw corrupt('the store did not tell the time');
  return time as number;
}

/** A row of `allScopes`; null for one that is not a scope. */
function readScope(row: readonly unknown[]): CatalogueScope | null {
  const [scope, category, categoryLabel, action, retired] = row as [string, string, string, string, number];
  const texts = [scope, category, categoryLabel, action];
  if (texts.some((text) => typeof text !== 'string') || (retired !== 0 && retired !== 1)) return null;
  if (scope !== `${category}:${action}`) return null;
  return { scope, category, categoryLabel, action, retired: retired !== 0 };
}

/** The scopes in rows of `allScopes`. A damaged row is left out, so that it stops no work on others; `audit verify` names it. */
export function scopesFromRows(rows: Rows): CatalogueScope[] {
  return rows.map(readScope).filter((scope) => scope !== null);
}

/** The scopes in rows of `allScopes`, with their positions. Throws for a damaged row: a copy of it would hold something else. */
export function placedScopes(rows: Rows): (CatalogueScope & { position: number })[] {
  const [bad] = damagedScopes(rows);
  if (bad !== undefined) throw corrupt(`row ${bad} of the catalogue is damaged`);
  return scopesFromRows(rows).map((scope, i) => ({ ...scope, position: rows[i]?.[5] as number }));
}

/** The damaged ones of rows of `allScopes`: their positions. */
export function damagedScopes(rows: Rows): string[] {
  return rows.filter((row) => readScope(row) === null).map((row) => safeText(String(row[5])));
}

/** A row of seq, operation id and body. */
export function eventFromRow([seq, op, body]: readonly unknown[]): AuditEvent {
  if (!isSeq(seq)) throw corrupt('a row of the audit log is not an audit row');
  return { ...eventOf(body), seq: seq as number, op: typeof op === 'string' ? op : '' };
}
