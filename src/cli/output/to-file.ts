import { randomUUID } from 'node:crypto';
import { lstatSync } from 'node:fs';
import { KeysError } from '../../domain/errors.js';
import { isThere } from '../../files/exists.js';
import { cannotWrite, createPrivateFile } from '../../files/private-file.js';

/**
 * Writes a text that is for others to read to a file, in one step, in the place of what was there, whose owner and mode it keeps; a new file is
 * for its owner. Throws `usage` for a place that cannot be written, or that is not a regular file.
 */
export function replaceFile(file: string, shown: string, text: string): void {
  try {
    const before = isThere(file, 'usage') ? lstatSync(file) : null;
    if (before && !before.isFile())
      throw Object.assign(new Error(), { code: before.isDirectory() ? 'EISDIR' : 'ENXIO' });
    const next = createPrivateFile(`${file}.${randomUUID()}`);
    try {
      if (before) next.resemble(before);
      next.replace(file, text);
    } finally {
      next.discard();
    }
  } catch (error) {
    if (error instanceof KeysError) throw error;
    throw cannotWrite(error, 'the note', shown, 'name a file in a directory that exists and is yours');
  }
}
