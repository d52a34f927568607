import type { CopiedCount } from '../domain/copy.js';
import { KeysError } from '../domain/errors.js';
import type { DayCount, Recording, Span, UseTotals } from '../domain/use.js';
import type { Rows } from './database.js';
import { MOST } from './use-damage.js';

// Reads the rows of `use-statements.ts`. Each function throws `store_corrupt` for a row of another form.

export function strange(what: string): KeysError {
  return new KeysError('store_corrupt', `a row about ${what} cannot be read`, 'unlockos-keys doctor says more');
}

export function timeOf(cell: unknown, what: string): Date {
  if (!Number.isSafeInteger(cell) || Math.abs(cell as number) > 8.64e15) throw strange(what);
  return new Date(cell as number);
}

export function textOf(cell: unknown): string {
  if (typeof cell !== 'string') throw strange('the use of a key');
  return cell;
}

export function countOf(cell: unknown): number {
  if (!Number.isInteger(cell)) throw strange('the use of a key');
  return Math.min(cell as number, MOST); // a sum may be greater
}

export function isBehind([seq, day, verdict]: CopiedCount, [lastSeq, lastDay, lastVerdict]: CopiedCount): boolean {
  if (seq !== lastSeq) return seq > lastSeq;
  return day === lastDay ? verdict > lastVerdict : day > lastDay;
}

export function totalsFromRow([id, used, refused, lastAt, verdict, detail]: readonly unknown[]): [string, UseTotals] {
  const none = lastAt === null;
  return [
    textOf(id),
    {
      used: countOf(used),
      refused: countOf(refused),
      lastRefusedAt: none ? null : timeOf(lastAt, 'the use of a key'),
      lastRefusal: none ? null : { verdict: textOf(verdict), detail: detail === null ? null : textOf(detail) },
    },
  ];
}

export function dayFromRow([id, day, verdict, times, lastAt, detail]: readonly unknown[]): DayCount {
  return {
    id: textOf(id),
    day: countOf(day),
    verdict: textOf(verdict),
    times: countOf(times),
    lastAt: timeOf(lastAt, 'the use of a key'),
    detail: detail === null ? null : textOf(detail),
  };
}

export function spansFromRows(rows: Rows, records: 0 | 1): Span[] {
  const what = 'when use was recorded';
  return rows
    .filter(([each]) => each === records)
    .map(([, since, until]) => ({ since: timeOf(since, what), until: timeOf(until, what) }));
}

/** Who records use, and when: from the rows of `SPANS` and `RECORDERS`. */
export function recordingFrom([spans = [], recorders = []]: readonly Rows[]): Recording {
  const what = 'a server that checks keys';
  return {
    recorded: spansFromRows(spans, 1),
    unrecorded: spansFromRows(spans, 0),
    recorders: recorders.map(([host, records, since, seen]) => ({
      host: textOf(host),
      records: records === 1,
      since: timeOf(since, what),
      seen: timeOf(seen, what),
    })),
  };
}
