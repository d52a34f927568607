import { lstatSync, readdirSync, type Stats, statfsSync } from 'node:fs';
import path from 'node:path';
import { isKeysError, KeysError } from '../../domain/errors.js';
import { quoted, safeText } from '../../domain/text.js';
import { explainErrno } from '../../files/errno.js';
import { lookFor } from '../../files/exists.js';
import { makeDirectory } from '../../files/make-directory.js';
import { createPrivateFile } from '../../files/private-file.js';
import { type Surroundings, surroundingsOf } from './directories.js';
import { guardSideFiles } from './side-files.js';

/** The identity of a file, to notice when another file takes its place. While a connection holds the file open, no other gets its number. */
export interface FileIdentity {
  readonly dev: number;
  readonly ino: number;
  /** When it was made, in milliseconds: a later file may get the number of one that is gone. 0 where the file system does not say. */
  readonly born: number;
}

/** Write-ahead logging needs shared memory, which these file systems do not have: NFS, SMB 1 to 3, AFS, Coda, Ceph. */
const NETWORK_FILE_SYSTEMS = new Set([0x6969, 0x517b, 0xff534d42, 0xfe534d42, 0x5346414f, 0x73757245, 0x00c36400]);

function unsafe(file: string, why: string, hint: string): KeysError {
  return new KeysError('unsafe_path', `refusing the store ${safeText(file)}: ${why}`, hint);
}

/** What the file system says of a store, in words; anything else as it is. */
export function fileError(error: unknown, file: string): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  const name = safeText(file);
  switch (code) {
    case 'EACCES':
    case 'EPERM':
      return new KeysError(
        'store_read_only',
        `no permission to use the store ${name}`,
        'you need search and write permission on its directory',
        { cause: error },
      );
    case 'EROFS':
      return new KeysError('store_read_only', `the store ${name} is on a read-only file system`, undefined, {
        cause: error,
      });
    case 'ENOSPC':
    case 'EDQUOT':
      return new KeysError('store_full', `no space left to create the store ${name}`, 'free some space on that disk', {
        cause: error,
      });
    case 'ENOTDIR':
      return new KeysError('usage', `a part of the store path ${name} is not a directory`, undefined, { cause: error });
    case 'ENAMETOOLONG':
      return new KeysError('usage', `the store path ${quoted(file)} is too long`, undefined, { cause: error });
    case 'ELOOP':
      return unsafe(file, 'it is behind a loop of symbolic links', 'pass the real path');
    default:
      return (error as NodeJS.ErrnoException | null)?.syscall === undefined
        ? error
        : new KeysError(
            'store_unavailable',
            `the store ${name} cannot be used: ${explainErrno(error)}`,
            'pass another --store',
            { cause: error },
          );
  }
}

/** The error of a default store whose directory cannot be made: the way out is another place. */
function noPlace(error: unknown, file: string): unknown {
  const found = fileError(error, file);
  if (!isKeysError(found, 'store_read_only')) return found;
  const hint = 'name a place that you can write to: --store FILE, or XDG_DATA_HOME for the default';
  return new KeysError(found.code, found.message, hint, { cause: error });
}

/** {@link lookFor}, with the errors of a store. */
function look(file: string): Stats | null {
  try {
    return lookFor(file);
  } catch (error) {
    throw fileError(error, file);
  }
}

/** What `store restore` calls the store that it replaces; both names are one file for a moment. */
export function keptNamePrefix(file: string): string {
  return `${path.basename(file)}.before-restore-`;
}

/** The other names of a store whose restore was cut off in that moment. */
export function secondNames(file: string, { nlink, dev, ino }: Stats): string[] {
  if (nlink === 1) return [];
  const folder = path.dirname(file);
  return readdirSync(folder)
    .filter((name) => name.startsWith(keptNamePrefix(file)))
    .map((name) => path.join(folder, name))
    .filter((each) => {
      const stats = look(each);
      return stats?.dev === dev && stats.ino === ino;
    });
}

/** Answers whether others can make files in the directory of `file`, though not touch ours. */
function checkParent(file: string): boolean {
  const parent = path.dirname(file);
  let surroundings: Surroundings;
  try {
    surroundings = surroundingsOf(parent);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw new KeysError(
        'store_missing',
        `the directory ${safeText(parent)} does not exist`,
        'create it first, or pass another --store',
      );
    throw fileError(error, file);
  }
  const { exposed, shared } = surroundings;
  if (exposed) throw unsafe(file, exposed.why, exposed.hint);
  if (process.platform !== 'win32' && NETWORK_FILE_SYSTEMS.has(statfsSync(parent).type))
    throw unsafe(
      file,
      'it is on a network file system, where SQLite cannot lock safely',
      'use a local disk, or a remote store',
    );
  return shared;
}

function checkFile(file: string, stats: Stats, mayBeRestored = false): FileIdentity {
  if (stats.isSymbolicLink()) throw unsafe(file, 'it is a symbolic link', 'pass the path that it points to');
  if (!stats.isFile()) throw unsafe(file, 'it is not a regular file', 'pass a file path, e.g. --store ./keys.db');
  if (process.platform !== 'win32') {
    const names = secondNames(file, stats);
    if (stats.nlink !== 1 && !(mayBeRestored && names.length === stats.nlink - 1))
      throw unsafe(
        file,
        names.length > 0 ? 'a restore was cut off' : 'it has a second name (a hard link)',
        names.length > 0
          ? `run the same store restore again, or to leave it as it is: rm ${safeText(names.join(' '))}`
          : 'remove the other name, or copy the store: unlockos-keys store backup FILE',
      );
    if (stats.uid !== process.getuid?.())
      throw unsafe(file, `it belongs to another user (uid ${stats.uid})`, 'run as that user');
    if ((stats.mode & 0o022) !== 0) throw unsafe(file, 'others can write to it', `chmod 600 ${safeText(file)}`);
  }
  return { dev: stats.dev, ino: stats.ino, born: stats.birthtimeMs };
}

/** Throws as {@link secureFile} does, of the directory of a file that does not exist and of what lies beside its name. */
export function securePlace(file: string): void {
  checkParent(file);
  guardSideFiles(file, false);
}

/**
 * Checks that nobody else can have placed `file` or what SQLite reads beside it. Creates it (0600) when `create` is set, and its directory
 * (0700) when `makeParent` is set. Never opens an existing file: closing a second descriptor would drop SQLite's locks on it
 * (https://www.sqlite.org/howtocorrupt.html, section 2.2). Throws `unsafe_path`, `store_missing`, `store_read_only` or `usage`.
 */
export function secureFile(
  file: string,
  options: { create: boolean; makeParent: boolean; mayBeRestored?: boolean },
): { identity: FileIdentity; created: boolean } {
  const existing = look(file);
  if (existing) {
    guardSideFiles(file, checkParent(file));
    return { identity: checkFile(file, existing, options.mayBeRestored), created: false };
  }
  if (!options.create) {
    refuseOrphanedLog(file);
    throw new KeysError('store_missing', `there is no store at ${safeText(file)}`, 'unlockos-keys create makes one');
  }
  if (options.makeParent) {
    try {
      makeDirectory(path.dirname(file));
    } catch (error) {
      throw noPlace(error, file);
    }
  }
  const shared = checkParent(file);
  guardSideFiles(file, false);
  refuseOrphanedLog(file);
  let created = true;
  try {
    createPrivateFile(file).fill('');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw fileError(error, file);
    created = false; // another process was first
  }
  guardSideFiles(file, shared);
  return { identity: checkFile(file, lstatSync(file)), created };
}

/** A write-ahead log without its store can hold changes that are nowhere else; SQLite would delete it for a new store. */
function refuseOrphanedLog(file: string): void {
  const log = `${file}-wal`;
  if ((look(log)?.size ?? 0) === 0 || look(file)) return;
  throw new KeysError(
    'store_missing',
    `there is no store at ${safeText(file)}, but its write-ahead log ${safeText(log)} is still there`,
    'if the store was moved, its last changes are in that log: move it back, or the log to its new place; to start again, move the log away as well',
  );
}

/** True when `file` is still the file that was opened: not moved, unlinked or replaced. */
export function isSameFile(file: string, identity: FileIdentity): boolean {
  const now = look(file);
  return now?.dev === identity.dev && now.ino === identity.ino;
}

/**
 * To be called once SQLite has opened `file` and read from it: throws as {@link secureFile} does if anything there is unsafe by now, and
 * `store_unavailable` when `file` is no longer the file that was checked.
 */
export function assertUnchanged(file: string, identity: FileIdentity): void {
  assertSameFile(file, identity);
  guardSideFiles(file, checkParent(file));
}

/** Throws `store_unavailable` when `file` is no longer the file that was opened: moved, unlinked or replaced. */
export function assertSameFile(file: string, identity: FileIdentity): void {
  if (isSameFile(file, identity)) return;
  throw new KeysError(
    'store_unavailable',
    `the store ${safeText(file)} was moved or replaced while it was in use`,
    'unlockos-keys store path shows where it is expected',
  );
}
