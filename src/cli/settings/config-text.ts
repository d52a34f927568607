import { lstatSync, realpathSync, type Stats, statSync } from 'node:fs';
import path from 'node:path';
import { KeysError } from '../../domain/errors.js';
import { safeText } from '../../domain/text.js';
import { explainErrno } from '../../files/errno.js';
import { readTextFile } from '../../files/private-file.js';

// Reads the configuration file where there is one: nobody else may have written it.

export const MAX_CONFIG_BYTES = 256 * 1024;

/** Throws `unsafe_path` for what belongs neither to us nor to root. */
function assertOwned(name: string, stats: Stats): void {
  if (stats.uid !== process.getuid?.() && stats.uid !== 0)
    throw new KeysError(
      'unsafe_path',
      `refusing ${name}: it belongs to another user (uid ${stats.uid})`,
      'make it yours, or set UNLOCKOS_KEYS_CONFIG_DIR',
    );
}

/** Throws `unsafe_path` for a file or directory that others can write to: a `tokenCommand` in it is run. */
function assertOurs(file: string, stats: Stats, platform: NodeJS.Platform): void {
  if (platform === 'win32') return;
  const name = safeText(file);
  assertOwned(name, stats);
  const sticky = stats.isDirectory() && (stats.mode & 0o1000) !== 0;
  if ((stats.mode & 0o022) !== 0 && !sticky)
    throw new KeysError(
      'unsafe_path',
      `refusing ${name}: others can write to it, and it may name a command to run`,
      `chmod go-w ${name}`,
    );
}

/** Throws `unsafe_path` when others can write to the directory of `file`, which must exist. */
export function assertDirectoryOurs(file: string, platform: NodeJS.Platform): void {
  const directory = path.dirname(file);
  assertOurs(directory, statSync(directory), platform);
}

/** Throws `unsafe_path` when a link on the way to the file is somebody else's: it may lead to any file of ours, such as one of a repository. */
function assertLinksOurs(file: string, platform: NodeJS.Platform): void {
  if (platform === 'win32') return;
  for (let at = file; at !== path.dirname(at); at = path.dirname(at)) {
    const stats = lstatSync(at);
    if (stats.isSymbolicLink()) assertOwned(safeText(at), stats);
  }
}

/** Throws `usage` for a file that is too large. */
export function assertSize(file: string, bytes: number): void {
  if (bytes > MAX_CONFIG_BYTES)
    throw new KeysError('usage', `${safeText(file)} is too large for a configuration`, 'at most 256 KiB');
}

export function unreadable(file: string, error: unknown): KeysError {
  const { code } = error as NodeJS.ErrnoException;
  const hint = code === 'ENOENT' ? 'it is a link to a file that does not exist' : 'make it readable for you';
  return new KeysError('usage', `cannot read ${safeText(file)}: ${explainErrno(error)}`, hint, { cause: error });
}

/** The text of the configuration file, which must be there. Throws `unsafe_path` or `usage`. */
export function readConfigText(file: string, platform: NodeJS.Platform): string {
  try {
    assertLinksOurs(file, platform);
    for (const name of new Set([file, realpathSync(file)])) assertDirectoryOurs(name, platform);
  } catch (error) {
    throw error instanceof KeysError ? error : unreadable(file, error);
  }
  return readTextFile(file, {
    what: 'the configuration',
    code: 'usage',
    maxBytes: MAX_CONFIG_BYTES,
    check: (stats) => assertOurs(file, stats, platform),
  });
}
