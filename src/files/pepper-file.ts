import { Peppers } from '../domain/peppers.js';
import { quoted } from '../domain/text.js';
import { readTextFile } from './private-file.js';

const MAX_BYTES = 65_536;

/**
 * Reads a file of peppers. Throws `unsafe_path` for a file that cannot be read, is larger than 64 KiB or that other users can read, and
 * `usage` for one that holds something else.
 */
export function readPepperFile(file: string, platform: NodeJS.Platform): Peppers {
  const text = readTextFile(file, {
    what: 'the pepper file',
    code: 'unsafe_path',
    maxBytes: MAX_BYTES,
    ownerOnly: platform !== 'win32',
  });
  return Peppers.parse(text, quoted(file));
}
