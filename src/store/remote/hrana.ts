import type { Rows, Statement } from '../database.js';

// The part of the Hrana protocol that batches over HTTP need, without sessions: each request runs on a connection of its own.
// https://github.com/tursodatabase/libsql/blob/main/docs/HTTP_V2_SPEC.md

/** Why a statement failed, in the server's words. */
export interface StepError {
  readonly message: string;
  readonly code: string;
}

/** The result of each step of a batch: rows, an error, or null in both for a step that its condition skipped. */
export interface BatchResult {
  readonly steps: readonly (Rows | null)[];
  readonly errors: readonly (StepError | null)[];
}

/** The server accepted the request and could not run the batch; how far it came is unknown. */
export class BatchFailure extends Error {
  readonly code: string;
  constructor({ message, code }: StepError) {
    super(message);
    this.code = code;
  }
}

/** An answer that does not follow the protocol. */
export class GarbledAnswer extends Error {}

/** When a step runs: after another succeeded, or not. */
export type Condition = { type: 'ok'; step: number } | { type: 'not'; cond: Condition };

/** A statement of a batch. */
export interface Step extends Statement {
  readonly condition?: Condition;
}

/** Steps of which each runs only if the one before it succeeded. */
export function chained(statements: readonly Statement[]): Step[] {
  return statements.map((each, i) => (i === 0 ? each : { ...each, condition: { type: 'ok', step: i - 1 } }));
}

function encodeValue(value: unknown): object {
  if (value === null || value === undefined) return { type: 'null' };
  if (typeof value === 'boolean') return { type: 'integer', value: value ? '1' : '0' };
  if (typeof value === 'number')
    return Number.isSafeInteger(value) ? { type: 'integer', value: String(value) } : { type: 'float', value };
  if (typeof value === 'string') return { type: 'text', value };
  throw new TypeError(`a ${typeof value} cannot be sent to a remote store`);
}

/** The body of a request that runs a batch and closes its connection. */
export function encodeBatch(steps: readonly Step[]): string {
  const batch = {
    steps: steps.map(({ sql, params, condition }) => ({ stmt: { sql, args: params.map(encodeValue) }, condition })),
  };
  return JSON.stringify({ requests: [{ type: 'batch', batch }, { type: 'close' }] });
}

/** The body of a request that asks what the columns of statements are. */
export function encodeDescriptions(steps: readonly Step[]): string {
  return JSON.stringify({ requests: [...steps.map(({ sql }) => ({ type: 'describe', sql })), { type: 'close' }] });
}

/** More than a row of ours can hold. */
const ROW_BYTES = 262_144;
/** For all else, and for a damaged row: one cell that somebody filled must not make the store unreadable. */
const FIXED_BYTES = 760_000;
/** The answer to a question for any number of rows. */
const MAX_BYTES = 32 * 1024 * 1024;

/** How large the answer to a batch may be, in bytes: a server that sends more is not asked any longer. */
export function answerBytes(steps: readonly Step[]): number {
  const rows = steps.map(
    ({ sql, most }) => most ?? (/^\s*select\b|\breturning\b/i.test(sql) ? Number.POSITIVE_INFINITY : 0),
  );
  const fixed = FIXED_BYTES + steps.length * 1024;
  return Math.min(
    MAX_BYTES,
    rows.reduce((sum, each) => sum + each * ROW_BYTES, fixed),
  );
}

type Json = Record<string, unknown>;

function object(value: unknown): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new GarbledAnswer('not an object');
  return value as Json;
}

function list(value: unknown, length?: number): unknown[] {
  if (!Array.isArray(value) || (length !== undefined && value.length !== length))
    throw new GarbledAnswer('not a list of the right length');
  return value;
}

function stepError(value: unknown): StepError {
  const { message, code } = object(value);
  return { message: typeof message === 'string' ? message : '', code: typeof code === 'string' ? code : '' };
}

/**
 * As a local engine would return it: an integer beyond 2^53 loses its last digits, and JSON has no infinite number. Rows with such values, or
 * with a blob, are damaged; whoever reads them finds that out.
 */
function decodeValue(value: unknown): unknown {
  const { type, value: held, base64 } = object(value);
  if (type === 'null') return null;
  if (type === 'text' && typeof held === 'string') return held;
  if (type === 'float' && (typeof held === 'number' || held === null)) return held ?? Number.NaN;
  if (type === 'integer' && typeof held === 'string' && /^-?\d{1,19}$/.test(held)) return Number(held);
  if (type === 'blob' && typeof base64 === 'string') return Buffer.from(base64, 'base64');
  throw new GarbledAnswer('a value of an unknown type');
}

function decodeRows(result: unknown): Rows {
  const { cols, rows } = object(result);
  const width = list(cols).length;
  return list(rows).map((row) => list(row, width).map(decodeValue));
}

function resultsIn(text: string): unknown[] {
  try {
    return list(object(JSON.parse(text)).results);
  } catch (error) {
    throw error instanceof GarbledAnswer ? error : new GarbledAnswer('not JSON');
  }
}

/** Throws {@link GarbledAnswer}, or {@link BatchFailure} for a request that the server could not carry out. */
function resultOf(answer: unknown): Json {
  const { type, error, response } = object(answer);
  if (type === 'error') throw new BatchFailure(stepError(error));
  if (type !== 'ok') throw new GarbledAnswer('neither ok nor error');
  return object(object(response).result);
}

/** Reads the answer to {@link encodeBatch}; `length`: the number of steps. Throws only {@link GarbledAnswer} and {@link BatchFailure}. */
export function decodeBatch(text: string, length: number): BatchResult {
  const result = resultOf(resultsIn(text)[0]);
  return {
    steps: list(result.step_results, length).map((each) => (each === null ? null : decodeRows(each))),
    errors: list(result.step_errors, length).map((each) => (each === null ? null : stepError(each))),
  };
}

/** Reads the answer to {@link encodeDescriptions}: how many columns each statement has. Throws as {@link decodeBatch} does. */
export function decodeDescriptions(text: string, length: number): number[] {
  return list(resultsIn(text), length + 1)
    .slice(0, length)
    .map((each) => list(resultOf(each).cols).length);
}
