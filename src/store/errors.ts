import { KeysError } from '../domain/errors.js';

/** The `store_incomplete` for a copy that was cut off. `store`: its path or URL, safe to print. */
export function unfinishedCopy(store: string): KeysError {
  return new KeysError(
    'store_incomplete',
    `the store ${store} is an unfinished copy of another store`,
    'run the same store copy again: it continues where it stopped; or use it as it is: unlockos-keys store finish',
  );
}

/** SQLite's extended result code by name; every local engine sets it on its errors. */
function sqliteCode(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : '';
  return typeof code === 'string' ? code : '';
}

/** True when another connection holds the lock, so that waiting may help. */
export function isBusy(error: unknown): boolean {
  return /^SQLITE_(BUSY|LOCKED)/.test(sqliteCode(error));
}

/** True for a file that is no database of SQLite at all, by whatever name it is opened. */
export function isNoDatabase(error: unknown): boolean {
  return sqliteCode(error) === 'SQLITE_NOTADB';
}

/** Refusals by our own triggers. The words are ours (`drizzle/0001_guards.sql`), not the engine's. */
const REFUSALS: Record<string, () => KeysError> = {
  'unlk:name-taken': () =>
    new KeysError('name_taken', 'a key with this name exists', 'choose another name, or delete that key first'),
  'unlk:id-taken': () =>
    new KeysError('conflict', 'a key with this id exists or existed', 'run the command again: it generates a new id'),
  'unlk:scope-taken': () => new KeysError('conflict', 'this scope is already in the catalogue'),
  'unlk:op-taken': () =>
    new KeysError('conflict', 'this operation was already carried out', 'unlockos-keys audit list shows it'),
  'unlk:immutable': () =>
    new KeysError('conflict', 'the store refuses to change a field that is fixed when a key is created'),
  'unlk:unreadable': () =>
    new KeysError('usage', 'the store refuses a value that could not be read back', 'see the types in docs/library.md'),
  'unlk:append-only': () => new KeysError('conflict', 'the store refuses to change its audit log'),
  'unlk:audit-moved': () =>
    new KeysError('conflict', 'the store was changed by someone else during this change', 'run the command again'),
};

/** The error for a refusal by one of our triggers, whose word is in `text`; undefined for any other text. */
export function refusalIn(text: string): KeysError | undefined {
  return REFUSALS[/unlk:[a-z-]+/.exec(text)?.[0] ?? '']?.();
}

/**
 * Turns an error of an engine into a `KeysError`, by its code. A `KeysError`, and an error without a code of SQLite, is returned as it is.
 * `location`: the path of the store, safe to print.
 */
export function translate(error: unknown, location: string): unknown {
  if (error instanceof KeysError) return error;
  const code = sqliteCode(error);
  const text = error instanceof Error ? error.message : '';
  const fail = (kind: ConstructorParameters<typeof KeysError>[0], message: string, hint?: string) =>
    new KeysError(kind, message, hint, { cause: error });
  if (isBusy(error))
    return fail('store_busy', `the store ${location} is in use by another process`, 'try again; nothing was changed');
  if (code === 'SQLITE_FULL')
    return fail(
      'store_full',
      `no room to write to the store ${location}`,
      'free some space on that disk; nothing was changed',
    );
  if (code === 'SQLITE_IOERR_SHMSIZE')
    return fail(
      'store_full',
      `no room beside the store ${location} for the index of its write-ahead log, which holds changes`,
      'free 32 KiB on that disk; nothing was changed',
    );
  if (/^SQLITE_IOERR_(WRITE|FSYNC|TRUNCATE)/.test(code)) {
    return fail(
      'store_full',
      `writing to the store ${location} failed (${code})`,
      'the disk is full, over a quota or failing; nothing was changed',
    );
  }
  if (/^SQLITE_(CORRUPT|NOTADB|FORMAT)/.test(code)) {
    return fail(
      'store_corrupt',
      `the store ${location} is damaged (${code})`,
      'unlockos-keys doctor says more; to put a backup in its place: unlockos-keys store restore FILE',
    );
  }
  if (/^SQLITE_(READONLY|PERM|AUTH)/.test(code)) {
    return fail(
      'store_read_only',
      `the store ${location} is not writable (${code})`,
      'you need write access to the file, to the -wal and -shm files beside it, and to its directory',
    );
  }
  if (code === 'SQLITE_CONSTRAINT_TRIGGER') return refusalIn(text) ?? fail('conflict', 'the store refused the change');
  if (code.startsWith('SQLITE_CONSTRAINT'))
    return fail('conflict', 'the store refused the change', 'run the command again');
  if (code.startsWith('SQLITE_'))
    return fail(
      'store_unavailable',
      `the store ${location} cannot be used (${code})`,
      'unlockos-keys doctor says more',
    );
  return error;
}
