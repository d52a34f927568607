import type Sqlite from 'better-sqlite3';
import { isDoubtful } from '../../doubtful-text.js';
import { countColumns, decoded, guardedQuery } from '../../text-guard.js';
import type { Connection, Prepared } from './engine.js';

interface Traits {
  /** `pluck()` works; libsql ignores it. */
  readonly plucks: boolean;
  /** It can read text that is not UTF-8; libsql ends the process. */
  readonly readsAnyText: boolean;
}

/** A connection with the interface of better-sqlite3, which libsql has too. */
export class Sqlite3Connection implements Connection {
  readonly #db: Sqlite.Database;
  readonly #traits: Traits;

  constructor(db: Sqlite.Database, traits: Traits) {
    this.#db = db;
    this.#traits = traits;
  }

  get inTransaction(): boolean {
    return this.#db.inTransaction;
  }

  exec(sql: string): void {
    this.#db.exec(sql);
  }

  prepare(sql: string): Prepared {
    return new Sqlite3Prepared(this.#db, sql, this.#traits);
  }

  close(): void {
    this.#db.close();
  }
}

class Sqlite3Prepared implements Prepared {
  readonly #db: Sqlite.Database;
  readonly #sql: string;
  readonly #traits: Traits;
  readonly #statement: Sqlite.Statement;
  #plucked: Sqlite.Statement | undefined;
  #guarded: Sqlite.Statement | null | undefined;

  constructor(db: Sqlite.Database, sql: string, traits: Traits) {
    this.#db = db;
    this.#sql = sql;
    this.#traits = traits;
    this.#statement = db.prepare(sql);
  }

  /** Null for a statement that is no query. */
  #guard(): Sqlite.Statement | null {
    if (this.#guarded !== undefined) return this.#guarded;
    const columns = countColumns(this.#sql, (sql) => this.#db.prepare(sql));
    const guarded = guardedQuery(this.#sql, columns);
    this.#guarded = guarded === null ? null : this.#db.prepare(guarded).raw(true);
    return this.#guarded;
  }

  all(...params: readonly unknown[]): unknown[][] {
    if (this.#traits.readsAnyText) {
      const rows = this.#statement.raw(true).all(...params) as unknown[][];
      if (!isDoubtful(rows)) return rows;
    }
    const guard = this.#guard();
    if (guard === null) return this.#statement.raw(true).all(...params) as unknown[][];
    return decoded(guard.all(...params) as unknown[][]);
  }

  value(): unknown {
    if (!this.#traits.plucks) return this.all()[0]?.[0];
    this.#plucked ??= this.#db.prepare(this.#sql).pluck(); // the fastest way to read one value; such a statement cannot read whole rows
    return this.#plucked.get();
  }

  run(...params: readonly unknown[]): number {
    return this.#statement.run(...params).changes;
  }
}
