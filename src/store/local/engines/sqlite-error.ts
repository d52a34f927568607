/** Primary result codes by number (https://www.sqlite.org/rescode.html). */
const PRIMARY: Readonly<Record<number, string>> = {
  1: 'ERROR',
  2: 'INTERNAL',
  3: 'PERM',
  4: 'ABORT',
  5: 'BUSY',
  6: 'LOCKED',
  7: 'NOMEM',
  8: 'READONLY',
  9: 'INTERRUPT',
  10: 'IOERR',
  11: 'CORRUPT',
  12: 'NOTFOUND',
  13: 'FULL',
  14: 'CANTOPEN',
  15: 'PROTOCOL',
  17: 'SCHEMA',
  18: 'TOOBIG',
  19: 'CONSTRAINT',
  20: 'MISMATCH',
  21: 'MISUSE',
  22: 'NOLFS',
  23: 'AUTH',
  24: 'FORMAT',
  25: 'RANGE',
  26: 'NOTADB',
};

/** The extended codes that this project distinguishes; for all others, the primary name is enough. */
const EXTENDED: Readonly<Record<number, string>> = {
  [10 | (3 << 8)]: 'IOERR_WRITE',
  [10 | (4 << 8)]: 'IOERR_FSYNC',
  [10 | (5 << 8)]: 'IOERR_DIR_FSYNC',
  [10 | (6 << 8)]: 'IOERR_TRUNCATE',
  [10 | (19 << 8)]: 'IOERR_SHMSIZE',
  [5 | (2 << 8)]: 'BUSY_SNAPSHOT',
  [19 | (1 << 8)]: 'CONSTRAINT_CHECK',
  [19 | (3 << 8)]: 'CONSTRAINT_FOREIGNKEY',
  [19 | (5 << 8)]: 'CONSTRAINT_NOTNULL',
  [19 | (6 << 8)]: 'CONSTRAINT_PRIMARYKEY',
  [19 | (7 << 8)]: 'CONSTRAINT_TRIGGER',
  [19 | (8 << 8)]: 'CONSTRAINT_UNIQUE',
};

/** An error of SQLite under the name of its result code, as better-sqlite3 and libsql throw it. */
export class SqliteError extends Error {
  override readonly name = 'SqliteError';
  readonly code: string;

  private constructor(message: string, code: string, cause: unknown) {
    super(message, { cause });
    this.code = code;
  }

  /** Takes what `node:sqlite` threw: its `errcode` is the extended result code. Other errors are returned as they are. */
  static from(error: unknown): unknown {
    if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return error;
    const name = EXTENDED[error.errcode] ?? PRIMARY[error.errcode & 0xff] ?? 'ERROR';
    return new SqliteError(error.message, `SQLITE_${name}`, error);
  }
}
