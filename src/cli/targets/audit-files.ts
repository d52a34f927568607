import { isUtf8 } from 'node:buffer';
import path from 'node:path';
import type { AuditHead } from '../../domain/audit.js';
import { KeysError } from '../../domain/errors.js';
import { redactKeyStrings } from '../../domain/key-string.js';
import { quoted } from '../../domain/text.js';
import { explainErrno } from '../../files/errno.js';
import { type Line, linesOf, piecesOf } from '../../files/lines.js';
import { decodeText, NotText } from '../../files/text.js';
import type { AuditCheck } from '../../keyring/audit-check.js';
import { AuditLineCheck } from '../../keyring/line-check.js';
import type { Session } from '../session.js';

const BRACE = 0x7b;
/** No row is longer by far. */
const LONGEST = 4 * 1_048_576;

function feed(check: AuditLineCheck, { number, bytes, ended, tooLong }: Line, file: string): void {
  if (bytes.length === 0 && !tooLong) return;
  const where = `${file}:${number}`;
  try {
    const text = bytes[0] === BRACE && isUtf8(bytes) ? bytes.toString() : decodeText(bytes); // a new decoder takes longer than a row
    if (tooLong) check.unreadable(where, 'the line is longer than 4 MiB');
    else if (text.trim() !== '') check.line(text, where, ended);
  } catch (error) {
    if (!(error instanceof NotText)) throw error;
    check.unreadable(where, `this is not a row of an audit log: ${error.message}`);
  }
}

/**
 * Checks files of lines of `audit list -o jsonl`, the oldest first; `-` is stdin. Throws `usage` for a file that cannot be read.
 */
export function checkLineFiles(
  session: Session,
  files: readonly string[],
  after: AuditHead | null,
  anchor: AuditHead | null,
): AuditCheck {
  const { cwd, stdin } = session.ctx;
  const check = new AuditLineCheck(after, anchor);
  for (const file of files) {
    const shown = file === '-' ? 'stdin' : redactKeyStrings(file);
    try {
      const pieces = file === '-' ? stdin.pieces() : piecesOf(path.resolve(cwd, file));
      for (const line of linesOf(pieces, LONGEST)) feed(check, line, shown);
    } catch (error) {
      if (error instanceof KeysError || !(error instanceof Error && 'syscall' in error)) throw error;
      throw new KeysError('usage', `cannot read ${quoted(shown)}: ${explainErrno(error)}`, '--file FILE', {
        cause: error,
      });
    }
  }
  return check.finish();
}
