import type { Rows, Statement } from '../database.js';

// The few pieces of the Hrana protocol that a batch over HTTP needs, without sessions: one request, one connection of its own.
// https://github.com/tursodatabase/libsql/blob/main/docs/HTTP_V2_SPEC.md

export interface StepError {
  readonly message: string;
  readonly code: string;
}

/** What became of a batch, step by step: rows, an error, or null for a step that its condition left out. */
export interface BatchAnswer {
  readonly steps: readonly (Rows | null)[];
  readonly errors: readonly (StepError | null)[];
}

/** The server took the request and could not run the batch as a whole; how far it came is not known. */
export class BatchFailure extends Error {
  readonly code: string;
  constructor({ message, code }: StepError) {
    super(message);
    this.code = code;
  }
}

/** An answer that is not what the protocol says. */
export class GarbledAnswer extends Error {}

export type Condition = { type: 'ok'; step: number } | { type: 'not'; cond: Condition };

export interface Step extends Statement {
  readonly condition?: Condition;
}

/** Steps of which each runs only when the one before it came out well. */
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

export function encodeBatch(steps: readonly Step[]): string {
  const batch = {
    steps: steps.map(({ sql, params, condition }) => ({ stmt: { sql, args: params.map(encodeValue) }, condition })),
  };
  return JSON.stringify({ requests: [{ type: 'batch', batch }, { type: 'close' }] });
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

function decodeValue(value: unknown): unknown {
  const { type, value: held } = object(value);
  if (type === 'null') return null;
  if (type === 'text' && typeof held === 'string') return held;
  if (type === 'float' && typeof held === 'number') return held;
  if (type === 'integer' && typeof held === 'string' && /^-?\d{1,16}$/.test(held)) {
    const number = Number(held);
    if (Number.isSafeInteger(number)) return number;
  }
  throw new GarbledAnswer('a value that no column holds');
}

function decodeRows(result: unknown): Rows {
  const { cols, rows } = object(result);
  const width = list(cols).length;
  return list(rows).map((row) => list(row, width).map(decodeValue));
}

/** Reads the answer to {@link encodeBatch}. Throws {@link GarbledAnswer} or {@link BatchFailure}, and nothing else. */
export function decodeBatch(text: string, length: number): BatchAnswer {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new GarbledAnswer('not JSON');
  }
  const first = object(list(object(body).results)[0]);
  if (first.type === 'error') throw new BatchFailure(stepError(first.error));
  if (first.type !== 'ok') throw new GarbledAnswer('neither ok nor error');
  const result = object(object(first.response).result);
  return {
    steps: list(result.step_results, length).map((each) => (each === null ? null : decodeRows(each))),
    errors: list(result.step_errors, length).map((each) => (each === null ? null : stepError(each))),
  };
}
