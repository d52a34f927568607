import { channel } from 'node:diagnostics_channel';
import { KeysError } from '../../domain/errors.js';
import type { Rows, Statement, Write } from '../database.js';
import type { RemoteConnection } from './connection.js';
import { isPassing, isUncertain } from './faults.js';
import { type BatchResult, chained, GarbledAnswer, type Step } from './hrana.js';
import { checkThat, isCheck } from './schema.js';

/** Publishes how far a write has come. Tests subscribe in a preload and kill the process there; nothing else listens. */
const killPoints = () => channel('unlockos-keys:write');

export const BEGIN: Statement = { sql: 'BEGIN', params: [] };
export const BEGIN_IMMEDIATE: Statement = { sql: 'BEGIN IMMEDIATE', params: [] };
export const COMMIT: Statement = { sql: 'COMMIT', params: [] };
const ROLLBACK: Statement = { sql: 'ROLLBACK', params: [] };

/**
 * How a batch of writes ended. `moved`: another client changed the store after our reads. `miscounted`: a statement changed another
 * number of rows than it must, for the same reason or because the store is damaged. `unknown`: no answer says how it ended.
 */
export type CommitResult =
  | { readonly end: 'committed'; readonly back: Rows[] }
  | { readonly end: 'moved' | 'miscounted' | 'unknown'; readonly error: unknown };

/** Ends the batch unless the statement before it changed this many rows. */
function assertChanges(rows: number): Statement {
  return checkThat('changes() = ?', [rows]);
}

/**
 * Sends writes as one transaction, and reads `readBack` in the same request once they are committed. Throws for what the server has
 * definitely refused.
 */
export async function commit(
  connection: RemoteConnection,
  writes: readonly Write[],
  readBack: readonly Statement[] = [],
): Promise<CommitResult> {
  const body = writes.flatMap((write) => (write.rows === null ? [write] : [write, assertChanges(write.rows)]));
  const transaction = chained([BEGIN_IMMEDIATE, ...body, COMMIT]);
  const end = transaction.length - 1;
  const committed = { type: 'ok', step: end } as const;
  const steps: Step[] = [
    ...transaction,
    { ...ROLLBACK, condition: { type: 'not', cond: committed } },
    ...readBack.map((statement) => ({ ...statement, condition: committed })),
  ];
  let result: BatchResult;
  try {
    killPoints().publish('before-begin');
    result = await connection.send(steps);
  } catch (error) {
    if (isUncertain(error) || isPassing(error)) return { end: 'unknown', error };
    throw error;
  }
  if (!result.steps[end]) return failureOf(connection, result, body);
  killPoints().publish('after-commit');
  return { end: 'committed', back: result.steps.slice(end + 2).map((rows) => rows ?? []) };
}

/** What kept a transaction of `body` from being committed. */
function failureOf(connection: RemoteConnection, result: BatchResult, body: readonly Statement[]): CommitResult {
  const end = body.length + 1; // BEGIN comes before the body, COMMIT after it
  const failed = result.errors.slice(0, end + 1).findIndex((error) => error !== null);
  const error = result.errors[failed];
  if (!error) return { end: 'unknown', error: new GarbledAnswer('a batch without an end') };
  const refusal = connection.refusal(error);
  if (failed === end && !/^SQLITE_/.test(error.code)) return { end: 'unknown', error: refusal };
  if (/unlk:(audit-moved|op-taken)/.test(error.message) || refusal.code === 'store_busy')
    return { end: 'moved', error: refusal };
  if (!isCheck(body[failed - 1])) throw refusal;
  const miscounted = new KeysError(
    'conflict',
    'a statement did not change the expected number of rows; the change was undone',
    'run the command again',
  );
  return { end: 'miscounted', error: miscounted };
}
