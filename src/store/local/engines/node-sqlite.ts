import { isDoubtful } from '../../doubtful-text.js';
import { decoded, guardedQuery } from '../../text-guard.js';
import { type Connection, type Engine, type Prepared, stillName } from './engine.js';
import { SqliteError } from './sqlite-error.js';

/** What we use of `node:sqlite`; the types of Node 20 do not have it. */
interface StatementSync {
  all(...params: readonly unknown[]): unknown[][];
  get(...params: readonly unknown[]): unknown[] | undefined;
  run(...params: readonly unknown[]): { changes: number | bigint };
  columns(): readonly unknown[];
  setReturnArrays(enabled: boolean): void;
  setReadBigInts(enabled: boolean): void;
}

interface DatabaseSync {
  readonly isTransaction: boolean;
  exec(sql: string): void;
  prepare(sql: string): StatementSync;
  close(): void;
}

interface NodeSqlite {
  readonly DatabaseSync: new (file: string) => DatabaseSync;
  readonly StatementSync: { readonly prototype: Partial<StatementSync> };
}

/** Node 22 warns once that the module is experimental, and people who run the tool cannot do anything about that. */
function withoutWarning<T>(load: () => T): T {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return load();
  } finally {
    process.emitWarning = emitWarning;
  }
}

/** Runs `act`; an error of SQLite gets the name of its result code. */
function named<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw SqliteError.from(error);
  }
}

/** As in the other engines, an integer beyond 2^53 loses its last digits. A row with such a value is damaged, and refused elsewhere. */
function asNumbers(rows: readonly unknown[][]): unknown[][] {
  return rows.map((row) => row.map((value) => (typeof value === 'bigint' ? Number(value) : value)));
}

function rowsOf(statement: StatementSync, params: readonly unknown[]): unknown[][] {
  try {
    return statement.all(...params);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_OUT_OF_RANGE') throw SqliteError.from(error);
  }
  statement.setReadBigInts(true);
  try {
    return named(() => asNumbers(statement.all(...params)));
  } finally {
    statement.setReadBigInts(false);
  }
}

class NodePrepared implements Prepared {
  readonly #db: DatabaseSync;
  readonly #sql: string;
  readonly #statement: StatementSync;

  constructor(db: DatabaseSync, sql: string) {
    this.#db = db;
    this.#sql = sql;
    this.#statement = db.prepare(sql);
    this.#statement.setReturnArrays(true);
  }

  all(...params: readonly unknown[]): unknown[][] {
    const rows = rowsOf(this.#statement, params);
    if (!isDoubtful(rows)) return rows;
    const guarded = guardedQuery(this.#sql, this.#statement.columns().length);
    if (guarded === null) return rows;
    const statement = named(() => this.#db.prepare(guarded));
    statement.setReturnArrays(true);
    return decoded(rowsOf(statement, params));
  }

  value(): unknown {
    return named(() => this.#statement.get()?.[0]);
  }

  run(...params: readonly unknown[]): number {
    return named(() => Number(this.#statement.run(...params).changes));
  }
}

class NodeConnection implements Connection {
  readonly #db: DatabaseSync;

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  get inTransaction(): boolean {
    return this.#db.isTransaction;
  }

  exec(sql: string): void {
    named(() => this.#db.exec(sql));
  }

  prepare(sql: string): Prepared {
    return named(() => new NodePrepared(this.#db, sql));
  }

  close(): void {
    this.#db.close();
  }
}

/** Null when Node has no `node:sqlite`, or one that cannot return rows as lists (before 22.16). */
export function load(): Engine | null {
  const sqlite = withoutWarning(() => process.getBuiltinModule('node:sqlite')) as unknown as NodeSqlite | undefined;
  if (!sqlite?.StatementSync.prototype.setReturnArrays) return null;
  const open = (file: string) => named(() => new NodeConnection(new sqlite.DatabaseSync(file)));
  return { name: 'node:sqlite', open, openStill: (file) => open(stillName(file)) };
}
