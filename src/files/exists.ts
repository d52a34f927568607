import { lstatSync, type Stats } from 'node:fs';
import path from 'node:path';
import type { ErrorCode } from '../domain/error-codes.js';
import { KeysError } from '../domain/errors.js';
import { quoted } from '../domain/text.js';
import { explainErrno } from './errno.js';

/**
 * What is at `file`, a link itself and not what it leads to; null when there is nothing. Throws what the file system says where that cannot
 * be told: an error is not an empty answer, as it is for `existsSync`, and for `statSync` below a file since Node 22.
 */
export function lookFor(file: string | Buffer): Stats | null {
  return lstatSync(file, { throwIfNoEntry: false }) ?? null;
}

/** The last part of a path that can be looked at, and whose it is. */
function lastSeen(file: string): string {
  try {
    return `${quoted(file)} belongs to uid ${lstatSync(file).uid}`;
  } catch {
    const above = path.dirname(file);
    return above === file ? '' : lastSeen(above);
  }
}

/** {@link lookFor}, for a path that a person named: throws `code`, and names the directory in the way and its owner. */
export function lookAtNamed(file: string, code: ErrorCode = 'store_unavailable'): Stats | null {
  try {
    return lookFor(file);
  } catch (error) {
    throw new KeysError(
      code,
      `cannot tell whether ${quoted(file)} exists: ${explainErrno(error)} (${lastSeen(path.dirname(file))})`,
      'correct the owner or the mode of that directory, or name another place',
      { cause: error },
    );
  }
}

/** True when there is something at `file`, false when there is not. Throws as {@link lookAtNamed} does. */
export function isThere(file: string, code: ErrorCode = 'store_unavailable'): boolean {
  return lookAtNamed(file, code) !== null;
}
