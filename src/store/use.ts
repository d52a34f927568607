import type { CopiedCount } from '../domain/copy.js';
import {
  type DayCount,
  NOTHING_RECORDED,
  type Recording,
  type UseReport,
  type UseSide,
  type UseTotals,
} from '../domain/use.js';
import { idList } from './by-ids.js';
import type { Database, Rows, Statement } from './database.js';
import { affectingRows } from './query.js';
import { readRows } from './read-rows.js';
import { MEND_MARKS, markUsed } from './statements.js';
import {
  anyRows,
  BEFORE_ALL,
  copied,
  copiedSpans,
  counted,
  countsAfter,
  daysOf,
  extended,
  FORGET,
  HAS_TABLES,
  lastBatch,
  noted,
  OVERDUE,
  TRIM,
  TRIM_ALL,
} from './use-counts.js';
import { MEND_USAGE, UNSOUND } from './use-damage.js';
import { countOf, dayFromRow, isBehind, recordingFrom, strange, textOf, totalsFromRow } from './use-rows.js';
import { IDS_AT_ONCE, RECORDERS, SPANS, totalsOf } from './use-statements.js';
import { USE_SINCE } from './versions.js';

/** {@link UseSide} over SQL. The contracts are documented there. */
export class SqliteUseSide implements UseSide {
  readonly #db: Database;
  #hasTables = false;

  constructor(database: Database) {
    this.#db = database;
  }

  /** Whether the store has the tables of use. Another process may upgrade it at any time, or put an older store in its place. */
  async has(): Promise<boolean> {
    if (this.#hasTables) return true;
    this.#hasTables = (await this.#db.schema()).version >= USE_SINCE; // of the last look at it; asks nobody again
    if (this.#hasTables) return true;
    const rows = await readRows(this.#db, HAS_TABLES);
    this.#hasTables = rows[0]?.[0] === 1;
    return this.#hasTables;
  }

  async #read(statements: readonly Statement[]): Promise<Rows[]> {
    try {
      return await this.#db.read(statements, { fresh: true });
    } catch (error) {
      this.#hasTables = false;
      throw error;
    }
  }

  async record(report: UseReport): Promise<void> {
    const { uses, records, recorder, batch } = report;
    const marks = uses.filter(({ verdict }) => verdict === 'valid').map(({ id, at }) => [id, at.getTime()]);
    const marking = records ? [MEND_MARKS, markUsed({ marks: JSON.stringify(marks) })].map(anyRows) : [];
    if (!(await this.has())) {
      await this.#db.write([], () => ({ writes: marking, result: undefined }), { wait: false });
      return;
    }
    const counts = uses.map(({ id, at, verdict, times, detail }) => [id, at.getTime(), verdict, times, detail]);
    const counting = counts.length === 0 ? [] : [counted(JSON.stringify(counts))];
    const tidying = batch === 1 ? [TRIM, ...FORGET] : [TRIM];
    const writes = [
      affectingRows(1, noted(report)),
      ...marking,
      ...[...counting, ...extended(report), ...tidying].map(anyRows),
    ];
    try {
      await this.#db.write(
        [lastBatch(recorder.id)],
        ([rows = []]: Rows[]) => ({ writes: Number(rows[0]?.[0] ?? 0) >= batch ? [] : writes, result: undefined }),
        { wait: false },
      );
    } catch (error) {
      this.#hasTables = false;
      throw error;
    }
  }

  async recording(): Promise<Recording> {
    if (!(await this.has())) return NOTHING_RECORDED;
    return recordingFrom(await this.#read([SPANS, RECORDERS]));
  }

  async known(
    ids: readonly string[],
    sinceDay: number,
  ): Promise<{ recording: Recording; totals: Map<string, UseTotals> }> {
    if (!(await this.has())) return { recording: NOTHING_RECORDED, totals: new Map() };
    const first = idList(ids.slice(0, IDS_AT_ONCE));
    const [spans = [], recorders = [], rows = []] = await this.#read([SPANS, RECORDERS, totalsOf(first, sinceDay)]);
    const others = await this.totals(ids.slice(IDS_AT_ONCE), sinceDay);
    return { recording: recordingFrom([spans, recorders]), totals: new Map([...rows.map(totalsFromRow), ...others]) };
  }

  async totals(ids: readonly string[], sinceDay: number): Promise<Map<string, UseTotals>> {
    const totals = new Map<string, UseTotals>();
    if (!(await this.has())) return totals;
    for (let from = 0; from < ids.length; from += IDS_AT_ONCE) {
      const [rows = []] = await this.#read([totalsOf(idList(ids.slice(from, from + IDS_AT_ONCE)), sinceDay)]);
      for (const [id, each] of rows.map(totalsFromRow)) totals.set(id, each);
    }
    return totals;
  }

  async days(ids: readonly string[], sinceDay: number): Promise<DayCount[]> {
    if (ids.length === 0 || !(await this.has())) return [];
    const [rows = []] = await this.#read([daysOf(ids, sinceDay)]);
    return rows.map(dayFromRow);
  }

  /** See `CopySide.counts`. */
  async copiedCounts(after: CopiedCount | null, limit: number): Promise<CopiedCount[]> {
    if (!(await this.has())) return [];
    const [rows = []] = await this.#read([countsAfter(after ?? BEFORE_ALL, limit)]);
    let last = after ?? BEFORE_ALL;
    return rows.map(([seq, day, verdict, times, lastAt, detail]) => {
      const text = detail === null ? null : textOf(detail);
      const next = [countOf(seq), countOf(day), textOf(verdict), countOf(times), countOf(lastAt), text] as const;
      if (!isBehind(next, last)) throw strange('the use of a key'); // so that reading page after page ends
      last = next;
      return next;
    });
  }

  /** See `CopySide.receiveCounts`. */
  async receiveCounts(counts: readonly CopiedCount[], { recorded, unrecorded }: Recording): Promise<void> {
    const statements = [
      ...(counts.length === 0 ? [] : [copied(JSON.stringify(counts))]),
      ...copiedSpans(1, recorded),
      ...copiedSpans(0, unrecorded),
    ];
    const writes = statements.map(anyRows);
    if (writes.length > 0) await this.#db.write([], () => ({ writes, result: undefined }), { change: true });
  }

  async trim(): Promise<number> {
    if (!(await this.has())) return 0;
    return this.#db.write([OVERDUE, UNSOUND], ([rows = [], damaged = []]: Rows[]) => {
      const overdue = countOf(rows[0]?.[0]);
      const removes = overdue > 0 || damaged[0]?.[0] !== 0;
      return { writes: removes ? [TRIM_ALL, ...FORGET, MEND_USAGE].map(anyRows) : [], result: overdue };
    });
  }

  async damaged(): Promise<number> {
    if (!(await this.has())) return 0;
    const [rows = []] = await this.#read([UNSOUND]);
    return countOf(rows[0]?.[0]);
  }
}
