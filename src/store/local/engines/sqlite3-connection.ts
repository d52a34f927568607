import type Sqlite from 'better-sqlite3';
import type { Connection, Prepared } from './engine.js';

/** A connection with the interface of better-sqlite3, which libsql has too. `plucks`: `pluck()` works; libsql ignores it. */
export class Sqlite3Connection implements Connection {
  readonly #db: Sqlite.Database;
  readonly #plucks: boolean;

  constructor(db: Sqlite.Database, { plucks }: { plucks: boolean }) {
    this.#db = db;
    this.#plucks = plucks;
  }

  get inTransaction(): boolean {
    return this.#db.inTransaction;
  }

  exec(sql: string): void {
    this.#db.exec(sql);
  }

  prepare(sql: string): Prepared {
    const statement = this.#db.prepare(sql);
    let plucked: Sqlite.Statement | undefined;
    return {
      all: (...params) => statement.raw(true).all(...params) as unknown[][],
      value: () => {
        if (!this.#plucks) return (statement.raw(true).get() as unknown[] | undefined)?.[0];
        plucked ??= this.#db.prepare(sql).pluck(); // the fastest way to read one value; such a statement cannot read whole rows
        return plucked.get();
      },
      run: (...params) => statement.run(...params).changes,
    };
  }

  close(): void {
    this.#db.close();
  }
}
