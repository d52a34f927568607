import { type AuditHead, formatHead, GENESIS } from '../domain/audit.js';
import { AuditChain, ownProblems } from '../domain/audit-chain.js';
import { type ReadLine, readLine } from '../domain/audit-line.js';
import type { AuditCheck } from './audit-check.js';

const MOST_PROBLEMS = 100;

/**
 * Checks lines of `audit list -o jsonl` without the store: that each row is as it was written, and that none is missing, is repeated or was
 * exchanged. Keeps no row, so a log of any size can be checked.
 */
export class AuditLineCheck {
  readonly #chain: AuditChain;
  readonly #after: AuditHead;
  readonly #anchor: AuditHead | null;
  #anchored: boolean;
  #events = 0;
  readonly #problems: string[] = [];
  #others = 0;
  /** A line before this one could not be read: the row that it held is not missing. */
  #lost = false;
  /** Rows in order that are repeated: one problem. */
  #repeats: { readonly where: string; readonly first: number; last: number } | null = null;

  /** `after`: the end of the log up to which it was checked before. `anchor`: an end that was noted; the rows must contain it. */
  constructor(after: AuditHead | null, anchor: AuditHead | null = null) {
    this.#after = after ?? GENESIS;
    this.#chain = new AuditChain(this.#after);
    this.#anchor = anchor;
    this.#anchored = anchor === null || anchor.seq === 0 || formatHead(anchor) === formatHead(this.#after);
  }

  #problem(where: string, what: string): void {
    if (this.#problems.length < MOST_PROBLEMS - 1) this.#problems.push(`${where}: ${what}`);
    else this.#others += 1;
  }

  /** `where` is the place of the line, for problems: `audit.jsonl:12`. `ended` is false for one that no line feed ends. */
  line(text: string, where: string, ended = true): void {
    const read = readLine(text);
    if ('row' in read) this.#row(read, where);
    else if (!ended && read.cut) this.unreadable(where, 'the last line is cut off');
    else this.unreadable(where, `this is not a row of an audit log: ${read.why}`);
  }

  #row({ row, written, known }: ReadLine, where: string): void {
    const isLate = row.seq <= this.#chain.head.seq;
    if (isLate) this.#comesAgain(row.seq, where);
    else {
      this.#endRepeats();
      if (this.#lost) this.#chain.goOnAt(row);
      this.#lost = false;
    }
    const problems = isLate ? ownProblems(row, written) : this.#chain.feed(row, written);
    for (const problem of problems) this.#problem(where, problem);
    if (!known) this.#problem(where, `audit row ${row.seq} is not an event that this version knows`);
    this.#events += 1;
    if (row.seq === this.#anchor?.seq) this.#anchored = row.hash === this.#anchor.hash;
  }

  /** A line that is not a row of a log. */
  unreadable(where: string, why: string): void {
    this.#lost = true;
    this.#problem(where, why);
  }

  #comesAgain(seq: number, where: string): void {
    if (this.#repeats && seq === this.#repeats.last + 1) this.#repeats.last = seq;
    else {
      this.#endRepeats();
      this.#repeats = { where, first: seq, last: seq };
    }
  }

  #endRepeats(): void {
    if (!this.#repeats) return;
    const { where, first, last } = this.#repeats;
    const rows = first === last ? `audit row ${first} is` : `audit rows ${first} to ${last} are`;
    this.#problem(where, `${rows} repeated or out of order: row ${this.#chain.head.seq + 1} is expected`);
    this.#repeats = null;
  }

  /** What was found. Call it once, after the last line. */
  finish(): AuditCheck {
    this.#endRepeats();
    const { head } = this.#chain;
    if (this.#events === 0 && this.#after.seq === 0) this.#problem('the lines', 'there is no row of an audit log');
    if (this.#anchor && !this.#anchored)
      this.#problem(
        'the lines',
        this.#anchor.seq < this.#after.seq
          ? `they begin after row ${this.#after.seq}, so they cannot show ${formatHead(this.#anchor)}`
          : `they do not contain ${formatHead(this.#anchor)}: the log was cut or rebuilt after that head was noted, or they end before it`,
      );
    const more = this.#others === 0 ? [] : [`and ${this.#others} more`];
    const problems = [...this.#problems, ...more];
    return { sound: problems.length === 0, head, events: this.#events, problems };
  }
}
