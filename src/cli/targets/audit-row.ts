import { type AuditHead, parseHead } from '../../domain/audit.js';
import { readLine } from '../../domain/audit-line.js';
import type { AuditPosition } from '../../domain/audit-side.js';
import { KeysError } from '../../domain/errors.js';
import { quoted } from '../../domain/text.js';

/** A row in a line of `audit list -o jsonl`, as `tail -n 1` prints it. */
function fromLine(text: string): AuditHead | null {
  if (!text.startsWith('{')) return null;
  const line = readLine(text);
  return 'row' in line ? { seq: line.row.seq, hash: line.row.hash } : null;
}

/** The row that a flag names: seq:hash, or a line of the log. Throws `usage`; undefined is null. */
export function readHead(flag: string, text: string | undefined): AuditHead | null {
  if (text === undefined) return null;
  const head = parseHead(text) ?? fromLine(text);
  if (head) return head;
  throw new KeysError(
    'usage',
    `${flag} ${quoted(text)} is not a row of a log`,
    'pass seq:hash, as printed by unlockos-keys audit head, or a whole line of audit list -o jsonl',
  );
}

/** As {@link readHead}; the number of a row alone is enough. */
export function readPosition(flag: string, text: string | undefined): AuditPosition | null {
  return text !== undefined && /^(0|[1-9]\d{0,14})$/.test(text) ? { seq: Number(text) } : readHead(flag, text);
}
