import { closeSync, openSync } from 'node:fs';
import path from 'node:path';
import { KeysError } from '../../domain/errors.js';
import { safeText } from '../../domain/text.js';
import { errnoOf } from '../../files/errno.js';
import { hindrance, lookAt } from './read-only.js';

// Where a store cannot be written to, or not even its log be read: why, and what to do.

/** True on a file system that is read-only here, whatever the modes of the files say. */
export function isOnReadOnlyDisk(file: string): boolean {
  return hindrance(path.dirname(file)) === 'EROFS';
}

/** The `store_read_only` for a change of such a store. */
export function readOnlyStore(file: string): KeysError {
  const name = safeText(file);
  return isOnReadOnlyDisk(file)
    ? new KeysError(
        'store_read_only',
        `the store ${name} is on a read-only file system: it can be read, not changed`,
        'mount it writable, or pass another --store',
      )
    : new KeysError(
        'store_read_only',
        `the store ${name} can be read, not changed: no permission to write to its directory`,
        `chmod u+w ${safeText(path.dirname(file))}, or pass another --store`,
      );
}

/** True when a store cannot be opened because there is no room for the index of its log, which holds nothing: it can be read as it is. */
export function lacksRoomForIndex(error: unknown, file: string): boolean {
  const code = errnoOf(error);
  if (code !== 'SQLITE_IOERR_SHMSIZE' && !(code === 'SQLITE_CANTOPEN' && isDiskFull(`${file}-shm`))) return false;
  return !lookAt(file).logged;
}

/** Whether there is no room to make `file`; makes it otherwise, as SQLite does. */
function isDiskFull(file: string): boolean {
  try {
    closeSync(openSync(file, 'a', 0o600));
    return false;
  } catch (error) {
    return ['ENOSPC', 'EDQUOT'].includes(errnoOf(error));
  }
}

/** The `store_full` for a change of a store that was opened without room for the index of its log. */
export function fullDisk(file: string): KeysError {
  return new KeysError(
    'store_full',
    `no room to write to the store ${safeText(file)}: it can be read, not changed`,
    'free some space on that disk; nothing was changed',
  );
}

/** The error for a log that holds changes and cannot be read here, because its index cannot be made; any other error as it is. */
export function unreadableLog(error: unknown, file: string): unknown {
  if (errnoOf(error) !== 'SQLITE_CANTOPEN' || hindrance(path.dirname(file)) === null) return error;
  return new KeysError(
    'store_read_only',
    `the store ${safeText(file)} has changes in its write-ahead log, which can only be read where its directory is writable`,
    'mount it writable, or run this once where it is: unlockos-keys list',
    { cause: error },
  );
}
