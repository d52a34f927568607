import { type AuditHead, type AuditRow, chainHash, GENESIS } from './audit.js';

function missing(from: number, found: number): string {
  return found - from === 1
    ? `audit row ${from} is missing (found ${found} in its place)`
    : `audit rows ${from} to ${found - 1} are missing (found ${found} in their place)`;
}

/** Follows the chain of hashes row by row, from the first row of a log or from an end up to which it was checked before. */
export class AuditChain {
  #head: AuditHead;
  /** A row that was fed holds its operation id. */
  #hadOperation = false;

  constructor(head: AuditHead = GENESIS) {
    this.#head = head;
  }

  /** The last row that was fed, or where the chain began. */
  get head(): AuditHead {
    return this.#head;
  }

  /** Takes a row for the next one, whatever was before it. */
  goOnAt(row: AuditRow): void {
    this.#head = { seq: row.seq - 1, hash: row.prev };
  }

  /** What is wrong with the next row: with its place, and with the row itself. `written` is the operation id in its text, if it holds one. */
  feed(row: AuditRow, written: unknown): string[] {
    const { seq, prev, hash } = row;
    const next = this.#head.seq + 1;
    const problems = ownProblems(row, written);
    if (seq > next) problems.unshift(missing(next, seq));
    else if (seq < next) problems.unshift(`audit row ${seq} is repeated or out of order: row ${next} is expected`);
    else if (prev !== this.#head.hash) problems.unshift(`audit row ${seq} does not follow the row before it`);
    // Its id could be changed unseen.
    if (written === undefined && this.#hadOperation)
      problems.push(
        `audit row ${seq} does not hold its operation id, as the rows before it do: it was inserted or changed`,
      );
    this.#hadOperation ||= written !== undefined;
    if (seq >= next) this.#head = { seq, hash };
    return problems;
  }
}

/** What is wrong with a row, wherever it is in the log. */
export function ownProblems({ seq, op, prev, body, hash, damaged }: AuditRow, written: unknown): string[] {
  const problems: string[] = [];
  if (damaged) problems.push(`audit row ${seq} is damaged: its ${damaged.join(', ')} cannot be read`);
  if (chainHash(prev, body) !== hash) problems.push(`audit row ${seq} was changed: its hash does not match its text`);
  if (written !== undefined && written !== op)
    problems.push(`audit row ${seq} was changed: its operation id is not the one in its text`);
  return problems;
}
