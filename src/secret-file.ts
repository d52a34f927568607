import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { KeysError } from './domain/errors.js';
import { Peppers } from './domain/peppers.js';
import { quoted } from './domain/text.js';

const MAX_BYTES = 65_536;

/**
 * The text of a file with a secret in it: a regular file that nobody but its owner can read, of 64 KiB at most. `refuse` makes the error,
 * from what is wrong and what to do. Nothing that the file holds is repeated.
 */
export function readOwnFile(
  file: string,
  platform: NodeJS.Platform,
  refuse: (why: string, hint: string) => KeysError,
): string {
  let descriptor: number;
  try {
    descriptor = openSync(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)); // a pipe would be waited for
  } catch (error) {
    throw refuse(`cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`, 'look at its path');
  }
  try {
    const stats = fstatSync(descriptor);
    if (!stats.isFile() || stats.size > MAX_BYTES) throw refuse('is no such file', 'it is a small regular file');
    if (platform !== 'win32' && (stats.mode & 0o077) !== 0) throw refuse('can be read by others', `chmod 600 ${file}`);
    return readFileSync(descriptor, 'utf8');
  } finally {
    closeSync(descriptor);
  }
}

/** Throws `unsafe_path` for a file that cannot be read or that others can, `usage` for one that holds something else. */
export function readPepperFile(file: string, platform: NodeJS.Platform): Peppers {
  const refuse = (why: string, hint: string) =>
    new KeysError('unsafe_path', `the pepper file ${quoted(file)} ${why}`, hint);
  return Peppers.parse(readOwnFile(file, platform, refuse), quoted(file));
}
