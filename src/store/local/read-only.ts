import { accessSync, closeSync, constants, openSync } from 'node:fs';
import path from 'node:path';
import { KeysError } from '../../domain/errors.js';
import { safeText } from '../../domain/text.js';
import { errnoOf } from '../../files/errno.js';
import { lookFor } from '../../files/exists.js';

/** Why this process cannot write at `place`: the name of the error; null when it can, or when nobody says that it cannot. */
function hindrance(place: string): string | null {
  try {
    accessSync(place, constants.W_OK);
    return null;
  } catch (error) {
    const code = errnoOf(error);
    return ['EROFS', 'EACCES', 'EPERM'].includes(code) ? code : null;
  }
}

/** True on a file system that is read-only here, whatever the modes of the files say. */
export function isOnReadOnlyDisk(file: string): boolean {
  return hindrance(path.dirname(file)) === 'EROFS';
}

/**
 * True for a store that can only be read as it is: SQLite can make no log beside it, and no log there holds changes. Another machine
 * with the same file system may still write to it, so callers compare {@link lookAt} before and after they read.
 */
export function isStill(file: string): boolean {
  return hindrance(path.dirname(file)) !== null && !lookAt(file).logged;
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

/** What is watched of a file beside its identity: when it was written to, and which files its write-ahead log and its index are. */
export interface FileLook {
  readonly written: string | null;
  readonly log: string | null;
  readonly index: string | null;
  /** Whether there is anything in that log. */
  readonly logged: boolean;
}

export function lookAt(file: string): FileLook {
  const main = lookFor(file);
  const log = lookFor(`${file}-wal`);
  const index = lookFor(`${file}-shm`);
  return {
    written: main ? `${main.mtimeMs} ${main.size}` : null,
    log: log && `${log.dev}:${log.ino}`,
    index: index && `${index.dev}:${index.ino}`,
    logged: log !== null && log.size > 0,
  };
}
