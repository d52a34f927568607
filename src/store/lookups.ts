import type { ApiKey } from '../domain/api-key.js';
import type { AuditEvent } from '../domain/audit-side.js';
import { KeysError } from '../domain/errors.js';
import { nameKey } from '../domain/key-name.js';
import type { KeyStore, Prospect } from '../domain/key-store.js';
import type { NamePattern } from '../domain/lookalikes.js';
import { belongsToOperation, endOfOperation } from '../domain/operation.js';
import type { Database, Rows, Statement } from './database.js';
import { keyFromRow } from './key-row.js';
import { ofOneStore } from './one-store.js';
import { readRows } from './read-rows.js';
import { eventFromRow, policyFromRows, schemeFromRows, scopesFromRows } from './rows.js';
import {
  allScopes,
  hashScheme,
  keyByIdOrName,
  keysByIdRange,
  keysByNames,
  operationRows,
  policyRows,
} from './statements.js';

// What a use case looks up before it decides: reads that go by names, ids or an operation id, always of what is committed by now.

export type CandidateQuery = Parameters<KeyStore['candidates']>[0];

/** Names as the parameter of statements that look keys up by name. */
export function byNames(names: readonly string[]): { names: string } {
  return { names: JSON.stringify(names.map(nameKey)) };
}

/** Patterns as the parameter of the statement that looks for names like them. */
export function globsOf(patterns: readonly NamePattern[]): string {
  return JSON.stringify(patterns.map(({ places, longest }) => [places.map(globOf).join(''), longest]));
}

/** One of these characters. In a set, GLOB reads `]` and `-` at its beginning as themselves, and `^` anywhere else. */
function globOf(chars: readonly string[] | null): string {
  if (chars === null) return '*';
  const ordered = [...new Set(chars)].sort(
    (a, b) => ']-'.indexOf(b) - ']-'.indexOf(a) || Number(a === '^') - Number(b === '^'),
  );
  return ordered.length === 1 && ordered[0] === '^' ? '^' : `[${ordered.join('')}]`;
}

function misfiled({ id }: ApiKey): KeysError {
  return new KeysError(
    'store_corrupt',
    `key ${id} is filed under a name that is not its own`,
    'nothing was changed; unlockos-keys audit verify lists what is wrong, and the key can be named by its id',
  );
}

/** The keys, each of which has one of the names. Throws `store_corrupt` for one that was found by a name that it does not have. */
export function filedUnder(names: readonly string[], keys: readonly ApiKey[]): ApiKey[] {
  const wanted = new Set(names.map(nameKey));
  for (const key of keys) if (!wanted.has(nameKey(key.name))) throw misfiled(key);
  return [...keys];
}

/** The first text that sorts after every text with this prefix. */
function endOfPrefix(prefix: string): string {
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
}

/** What creating a key in place of another takes at most: both rows, both audit rows, and keeping the deleted one. */
const STATEMENTS_OF_REPLACED = 6;
/** How many keys or events one answer of a server holds: of the widest keys, so many are some megabytes. */
const AT_ONCE = 500;

function operationStatement(op: string, seq = 0): Statement {
  return operationRows({ from: op, to: endOfOperation(op), seq, limit: AT_ONCE });
}

/** The rows of an operation that follow a page of them. The log only grows, so later pages fit the first. */
async function restOfOperation(db: Database, op: string, page: Rows): Promise<Rows> {
  const rows = [...page];
  for (let last = page; last.length === AT_ONCE; rows.push(...last)) {
    const next = await readRows(db, operationStatement(op, Number(last.at(-1)?.[0])));
    last = next;
  }
  return rows;
}

function operationEvents(rows: Rows, op: string): AuditEvent[] {
  return rows.map(eventFromRow).filter((event) => belongsToOperation(event.op, op));
}

/** See {@link KeyStore.candidates}. */
export async function findCandidates(db: Database, ref: CandidateQuery): Promise<ApiKey[]> {
  const reads = [keyByIdOrName({ id: ref.id ?? '', nameKey: nameKey(ref.name ?? '') })];
  if (ref.idPrefix) reads.push(keysByIdRange({ from: ref.idPrefix, to: endOfPrefix(ref.idPrefix), limit: ref.limit }));
  const [exact = [], alike = []] = await db.read(reads, { fresh: true });
  if (exact.length === 0) return alike.map(keyFromRow);
  const keys = exact.map(keyFromRow);
  const name = nameKey(ref.name ?? '');
  for (const key of keys) if (key.id !== ref.id && nameKey(key.name) !== name) throw misfiled(key);
  return keys;
}

/** The keys of all names but the first {@link AT_ONCE}. */
async function restOfNamesakes(db: Database, names: readonly string[]): Promise<Rows> {
  const rows: Rows[number][] = [];
  for (let from = AT_ONCE; from < names.length; from += AT_ONCE) {
    const page = await readRows(db, keysByNames(byNames(names.slice(from, from + AT_ONCE))));
    rows.push(...page);
  }
  return rows;
}

/** See {@link KeyStore.prospect}. Throws `usage` for more names than one write can create. */
export async function readProspect(db: Database, names: readonly string[], op: string | null): Promise<Prospect> {
  // Run again after an unknown outcome, each key takes the place of one that was made: six statements in one write, audit rows included.
  const most = Math.floor(db.maxStatements / STATEMENTS_OF_REPLACED);
  if (names.length > most)
    throw new KeysError(
      'usage',
      `${names.length} keys are too many for one change of this store`,
      `create at most ${most} at once`,
    );
  const reads = [allScopes({}), hashScheme({}), policyRows({}), keysByNames(byNames(names.slice(0, AT_ONCE)))];
  if (op !== null) reads.push(operationStatement(op));
  return ofOneStore(db, async () => {
    const [scopes = [], scheme = [], policy = [], namesakes = [], operation = []] = await db.read(reads, {
      fresh: true,
    });
    return {
      scheme: schemeFromRows(scheme),
      policy: policyFromRows(policy),
      catalogue: scopesFromRows(scopes),
      namesakes: filedUnder(names, [...namesakes, ...(await restOfNamesakes(db, names))].map(keyFromRow)),
      operation: op === null ? [] : operationEvents(await restOfOperation(db, op, operation), op),
    };
  });
}

/** See {@link AuditSide.operation}. */
export async function readOperation(db: Database, op: string): Promise<AuditEvent[]> {
  return ofOneStore(db, async () => {
    const rows = await readRows(db, operationStatement(op));
    return operationEvents(await restOfOperation(db, op, rows), op);
  });
}
