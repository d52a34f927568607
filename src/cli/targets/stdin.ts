import { KeysError } from '../../domain/errors.js';
import { decodeText, NotText } from '../../files/text.js';
import type { Session } from '../session.js';

/** The lines of a text that holds one item a line; empty lines are dropped. */
export function nonEmptyLines(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.replace(/\r$/, ''))
    .filter((line) => line !== '');
}

interface StdinOptions {
  /** Default: 1 MiB. */
  readonly maxBytes?: number;
  /** Decode what is not UTF-8 as well as it goes, for input in which one bad line must not hide the others. Default: refuse it. */
  readonly lenient?: boolean;
}

/** All of stdin, for `-` and `--stdin`. Throws `usage` for too much and for what is not UTF-8; `what` names the content in the message. */
export function readStdin(
  session: Session,
  what: string,
  { maxBytes = 1_048_576, lenient = false }: StdinOptions = {},
): string {
  let bytes: Buffer | undefined;
  try {
    bytes = session.ctx.stdin.readAll(maxBytes);
    return decodeText(bytes);
  } catch (error) {
    if (bytes !== undefined && error instanceof NotText) {
      const text = bytes.toString();
      if (lenient && !text.includes('\0')) return text;
      throw new KeysError('usage', `cannot read ${what} on stdin: ${error.message}`, 'pipe it in as UTF-8', {
        cause: error,
      });
    }
    if (error instanceof RangeError)
      throw new KeysError('usage', `stdin is too large for ${what}`, `at most ${maxBytes / 1_048_576} MiB`);
    throw error;
  }
}
