import { closeSync, constants, lstatSync, mkdirSync, openSync, type Stats, statfsSync, statSync } from 'node:fs';
import path from 'node:path';
import { KeysError } from '../../domain/errors.js';
import { quoted, safeText } from '../../domain/text.js';

/** The identity of a file, to notice when another took its place. */
export interface FileIdentity {
  readonly dev: number;
  readonly ino: number;
}

/** Write-ahead logging needs shared memory, which these file systems do not give: NFS, SMB 1 to 3, AFS, Coda, Ceph. */
const NETWORK_FILE_SYSTEMS = new Set([0x6969, 0x517b, 0xff534d42, 0xfe534d42, 0x5346414f, 0x73757245, 0x00c36400]);

function unsafe(file: string, why: string, hint: string): KeysError {
  return new KeysError('unsafe_path', `refusing the store ${safeText(file)}: ${why}`, hint);
}

function fileError(error: unknown, file: string): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  const name = safeText(file);
  switch (code) {
    case 'EACCES':
    case 'EPERM':
      return new KeysError(
        'store_read_only',
        `no permission to use the store ${name}`,
        'its directory must be searchable and writable by you',
        { cause: error },
      );
    case 'EROFS':
      return new KeysError('store_read_only', `the store ${name} is on a read-only file system`, undefined, {
        cause: error,
      });
    case 'ENOSPC':
    case 'EDQUOT':
      return new KeysError('store_full', `no room to make the store ${name}`, 'free some space on that disk', {
        cause: error,
      });
    case 'ENOTDIR':
      return new KeysError(
        'usage',
        `the store path ${name} leads through something that is not a directory`,
        undefined,
        { cause: error },
      );
    case 'ENAMETOOLONG':
      return new KeysError('usage', `the store path ${quoted(file)} is too long`, undefined, { cause: error });
    case 'ELOOP':
      return unsafe(file, 'it is behind a loop of symbolic links', 'pass the real path');
    default:
      return error;
  }
}

/** lstat, or null when there is nothing; a directory that does not exist counts as nothing. */
function look(file: string): Stats | null {
  try {
    return lstatSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw fileError(error, file);
  }
}

function checkParent(file: string): void {
  const parent = path.dirname(file);
  let stats: Stats;
  try {
    stats = statSync(parent);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw new KeysError(
        'store_missing',
        `the directory ${safeText(parent)} does not exist`,
        'make it first, or pass another --store',
      );
    throw fileError(error, file);
  }
  if (process.platform === 'win32') return;
  const sticky = (stats.mode & 0o1000) !== 0;
  if ((stats.mode & 0o002) !== 0 && !sticky)
    throw unsafe(
      file,
      `everyone can write to ${safeText(parent)}`,
      `chmod o-w ${safeText(parent)}, or choose another place`,
    );
  if (NETWORK_FILE_SYSTEMS.has(statfsSync(parent).type))
    throw unsafe(
      file,
      'it is on a network file system, where SQLite cannot lock safely',
      'use a local disk, or a remote store',
    );
}

function checkFile(file: string, stats: Stats): FileIdentity {
  if (stats.isSymbolicLink()) throw unsafe(file, 'it is a symbolic link', 'pass the path that it points to');
  if (!stats.isFile()) throw unsafe(file, 'it is not a regular file', 'pass a file path, e.g. --store ./keys.db');
  if (process.platform !== 'win32') {
    if (stats.nlink !== 1)
      throw unsafe(
        file,
        'it has a second name (a hard link)',
        'remove the other name, or copy it with: unlockos-keys store backup FILE',
      );
    if (stats.uid !== process.getuid?.())
      throw unsafe(file, `it belongs to another user (uid ${stats.uid})`, 'run as that user');
    if ((stats.mode & 0o022) !== 0) throw unsafe(file, 'others can write to it', `chmod 600 ${safeText(file)}`);
  }
  return { dev: stats.dev, ino: stats.ino };
}

/**
 * Makes sure that `file` is a store file that only we can have put there, creating it (0600) when `create` is set, and its directory
 * (0700) when `makeParent` is set. Never opens an existing file: closing a second descriptor would drop SQLite's locks on it
 * (https://www.sqlite.org/howtocorrupt.html, section 2.2). Throws `unsafe_path`, `store_missing`, `store_read_only` or `usage`.
 */
export function secureFile(
  file: string,
  options: { create: boolean; makeParent: boolean },
): { identity: FileIdentity; created: boolean } {
  const existing = look(file);
  if (existing) {
    checkParent(file);
    return { identity: checkFile(file, existing), created: false };
  }
  if (!options.create)
    throw new KeysError('store_missing', `there is no store at ${safeText(file)}`, 'unlockos-keys create makes one');
  if (options.makeParent) {
    try {
      mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
    } catch (error) {
      throw fileError(error, file);
    }
  }
  checkParent(file);
  let created = true;
  try {
    closeSync(
      openSync(file, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0), 0o600),
    );
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw fileError(error, file);
    created = false; // another process was first
  }
  return { identity: checkFile(file, lstatSync(file)), created };
}

/** Throws `store_unavailable` when `file` is no longer the file that was opened: moved, unlinked or replaced. */
export function assertSameFile(file: string, identity: FileIdentity): void {
  const now = look(file);
  if (now?.dev === identity.dev && now.ino === identity.ino) return;
  throw new KeysError(
    'store_unavailable',
    `the store ${safeText(file)} was moved or replaced while it was in use`,
    'unlockos-keys store path shows where it is looked for',
  );
}
