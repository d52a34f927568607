import { onTestFinished } from 'vitest';
import { type BindingName, loadBinding } from '../../src/store/local/binding.js';
import { TOKENS } from './sqld.js';

export type Row = Record<string, unknown>;

/** A connection that knows none of our rules, for attacks and for looking; the same for a file and for a server. */
export interface RawDatabase {
  /** The rows by column name; none for a statement that only writes. */
  all(sql: string, ...params: readonly unknown[]): Promise<Row[]>;
  /** The rows as lists. */
  rows(sql: string, ...params: readonly unknown[]): Promise<unknown[][]>;
  /** Runs statements without parameters, one argument each, up to the first that is refused; it throws what the engine said. */
  exec(...statements: readonly string[]): Promise<void>;
}

export async function localDatabase(file: string, binding: BindingName): Promise<RawDatabase> {
  const db = (await loadBinding(binding)).open(file);
  onTestFinished(() => {
    db.close();
  });
  const run = (sql: string, params: readonly unknown[], raw: boolean): unknown[] => {
    const prepared = db.prepare(sql);
    if (prepared.reader) return prepared.raw(raw).all(...params);
    prepared.run(...params);
    return [];
  };
  return {
    all: async (sql, ...params) => run(sql, params, false) as Row[],
    rows: async (sql, ...params) => run(sql, params, true) as unknown[][],
    exec: async (...statements) => {
      for (const sql of statements) db.exec(sql);
    },
  };
}

type Value =
  | { type: 'null' }
  | { type: 'integer'; value: string }
  | { type: 'float'; value: number }
  | { type: 'text'; value: string }
  | { type: 'blob'; base64: string };

interface Result {
  readonly cols: readonly { readonly name: string }[];
  readonly rows: readonly (readonly Value[])[];
}

type Answer =
  | { readonly type: 'ok'; readonly response: { readonly result: Result } }
  | { readonly type: 'error'; readonly error: { readonly message: string; readonly code: string } };

function encode(value: unknown): Value {
  if (value === null) return { type: 'null' };
  if (typeof value === 'number' && Number.isInteger(value)) return { type: 'integer', value: String(value) };
  if (typeof value === 'number') return { type: 'float', value };
  return { type: 'text', value: String(value) };
}

function decode(value: Value): unknown {
  switch (value.type) {
    case 'null':
      return null;
    case 'integer':
      return Number(value.value);
    case 'blob':
      return Buffer.from(value.base64, 'base64');
    default:
      return value.value;
  }
}

/** A client of its own, so that a mistake in the tool's client does not hide itself. Each statement is a request of its own. */
export function remoteDatabase(url: string, token: string = TOKENS.full): RawDatabase {
  const execute = async (sql: string, params: readonly unknown[]): Promise<Result> => {
    const stmt = { sql, args: params.map(encode) };
    const answer = await fetch(`${url}/v2/pipeline`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ requests: [{ type: 'execute', stmt }, { type: 'close' }] }),
    });
    const text = await answer.text();
    if (answer.status !== 200) throw new Error(`HTTP ${answer.status}: ${text}`);
    const [first] = (JSON.parse(text) as { results: Answer[] }).results;
    if (first?.type === 'ok') return first.response.result;
    throw new Error(`${first?.error.code}: ${first?.error.message}`);
  };
  const rows = async (sql: string, ...params: readonly unknown[]) =>
    (await execute(sql, params)).rows.map((row) => row.map(decode));
  return {
    rows,
    all: async (sql, ...params) => {
      const { cols, rows } = await execute(sql, params);
      return rows.map((row) => Object.fromEntries(cols.map(({ name }, i) => [name, decode(row[i] as Value)])));
    },
    exec: async (...statements) => {
      for (const sql of statements) await rows(sql);
    },
  };
}
