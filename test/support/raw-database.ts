import { createRequire } from 'node:module';
import type Sqlite from 'better-sqlite3';
import type { EngineName } from '../../src/store/local/engines/engine.js';
import { atEnd } from './lifetime.js';
import { TOKENS } from './sqld.js';

export type Row = Record<string, unknown>;

/** A connection without any of the tool's rules, for attacks and inspection; the same for a file and a server. */
export interface RawDatabase {
  /** The rows as objects; empty for a statement that only writes. */
  all(sql: string, ...params: readonly unknown[]): Promise<Row[]>;
  /** The rows as lists. */
  rows(sql: string, ...params: readonly unknown[]): Promise<unknown[][]>;
  /** Runs statements without parameters, one per argument, and throws the engine's error at the first that fails. */
  exec(...statements: readonly string[]): Promise<void>;
}

/** The library under an engine, as it is, so that a mistake in the tool's adapter does not hide itself. */
export function openRaw(file: string, engine: EngineName): RawConnection {
  if (engine === 'node:sqlite') {
    const { DatabaseSync } = process.getBuiltinModule('node:sqlite') as unknown as NodeSqlite;
    const db = new DatabaseSync(file);
    return {
      exec: (sql) => db.exec(sql),
      close: () => db.close(),
      run(sql, params, asLists) {
        const statement = db.prepare(sql);
        statement.setReturnArrays(asLists);
        return statement.all(...params).map((row) => (asLists ? row : { ...(row as Row) }));
      },
    };
  }
  const Database = createRequire(import.meta.url)(engine) as typeof Sqlite;
  const db = new Database(file);
  return {
    exec: (sql) => db.exec(sql),
    close: () => db.close(),
    run(sql, params, asLists) {
      const prepared = db.prepare(sql);
      if (prepared.reader) return prepared.raw(asLists).all(...params);
      prepared.run(...params);
      return [];
    },
  };
}

export interface RawConnection {
  exec(sql: string): unknown;
  close(): unknown;
  run(sql: string, params: readonly unknown[], asLists: boolean): unknown[];
}

interface NodeSqlite {
  readonly DatabaseSync: new (
    file: string,
  ) => {
    exec(sql: string): void;
    close(): void;
    prepare(sql: string): { setReturnArrays(on: boolean): void; all(...params: readonly unknown[]): unknown[] };
  };
}

export async function localDatabase(file: string, engine: EngineName): Promise<RawDatabase> {
  const db = openRaw(file, engine);
  atEnd(() => void db.close());
  return {
    all: async (sql, ...params) => db.run(sql, params, false) as Row[],
    rows: async (sql, ...params) => db.run(sql, params, true) as unknown[][],
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

/** A separate client, so that a mistake in the tool's client does not hide itself. Each statement is one request. */
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
