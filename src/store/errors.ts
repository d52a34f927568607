import { KeysError } from '../domain/errors.js';

export function unfinishedCopy(store: string): KeysError {
  return new KeysError(
    'store_incomplete',
    `the store ${store} is an unfinished copy of another`,
    'run the same store copy again: it goes on where it was cut off',
  );
}

/** A driver's error, whatever the driver: both local bindings carry SQLite's extended code by name. */
function sqliteCode(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : '';
  return typeof code === 'string' ? code : '';
}

/** True when another connection holds a lock that waiting might free. */
export function isBusy(error: unknown): boolean {
  return /^SQLITE_(BUSY|LOCKED)/.test(sqliteCode(error));
}

/** Refusals by our own triggers: their text is ours (drizzle/0001_guards.sql), not the driver's. */
const REFUSALS: Record<string, () => KeysError> = {
  'unlk:name-taken': () =>
    new KeysError('name_taken', 'a key with this name exists', 'choose another name, or delete that key first'),
  'unlk:id-taken': () =>
    new KeysError('conflict', 'a key with this id exists or existed', 'run the command again: it makes a new id'),
  'unlk:scope-taken': () => new KeysError('conflict', 'this scope is already in the catalogue'),
  'unlk:op-taken': () =>
    new KeysError('conflict', 'this operation was already carried out', 'unlockos-keys audit list shows it'),
  'unlk:immutable': () => new KeysError('conflict', 'the store refuses to change what was fixed at creation'),
  'unlk:append-only': () => new KeysError('conflict', 'the store refuses to change its audit log'),
  'unlk:audit-moved': () =>
    new KeysError('conflict', 'the audit log moved on during this change', 'run the command again'),
};

/** What one of our triggers refused, told by its own word in the text; undefined when it was none of them. */
export function refusalIn(text: string): KeysError | undefined {
  return REFUSALS[/unlk:[a-z-]+/.exec(text)?.[0] ?? '']?.();
}

/** Turns whatever a driver threw into a `KeysError`, by error code; errors that are already ours pass through. */
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
  if (/^SQLITE_IOERR_(WRITE|FSYNC|TRUNCATE|SHMSIZE)/.test(code)) {
    return fail(
      'store_full',
      `writing to the store ${location} failed (${code})`,
      'the disk is full, over a quota, or failing; nothing was changed',
    );
  }
  if (/^SQLITE_(CORRUPT|NOTADB|FORMAT)/.test(code)) {
    return fail(
      'store_corrupt',
      `the store ${location} is damaged (${code})`,
      'run unlockos-keys doctor, then restore a copy made by: unlockos-keys store backup FILE',
    );
  }
  if (/^SQLITE_(READONLY|PERM|AUTH)/.test(code)) {
    return fail(
      'store_read_only',
      `the store ${location} cannot be written (${code})`,
      'its file, the -wal and -shm files beside it, and its directory must be writable by you',
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
