import type { CopiedCount } from '../domain/copy.js';
import { DAY_MS, KEPT_DAYS, SPAN_GAP_MS, type Span, type UseReport } from '../domain/use.js';
import type { Statement, Write } from './database.js';
import { NOW, of, timeOfLast } from './raw-sql.js';
import { MOST, SOUND_COUNT, SOUND_RECORDER, SOUND_SPAN } from './use-damage.js';
import { MAX_RECORDERS } from './use-statements.js';

// The statements that record the use of keys, and those about their counts by day. What lists of keys need is in `use-statements.ts`.

const TODAY = `(${NOW} / ${DAY_MS})`;
const WEEK_MS = 7 * DAY_MS;
/** How many counts of past days one write removes: a server does it between two requests. */
const TRIM_AT_ONCE = 500;

export const anyRows = (statement: Statement): Write => ({ ...statement, rows: null });

/** Stores of an earlier schema have no tables of use. */
export const HAS_TABLES = of("select count(*) from sqlite_master where type = 'table' and name = 'key_days'");

export const lastBatch = (id: string) => ({ ...of('select batch from recorders where id = ?', id), most: 1 });

/** Who does not record must not make its presence look older than it is: that would hide it. */
const AT = `case ? when 1 then min(?, ${NOW}) else ${NOW} end`;

/** Notes that a server is there. Changes one row, or none when this batch was carried out before. */
export function noted({ recorder, records, batch, at, ended }: UseReport): Statement {
  const when = [records ? 1 : 0, at.getTime()];
  return of(
    `insert into recorders (id, host, records, since, seen, ended, batch) values (?, ?, ?, ${AT}, ${AT}, ?, ?)
      on conflict (id) do update set host = excluded.host, records = excluded.records, seen = case when ${SOUND_RECORDER} then max(seen, excluded.seen) else excluded.seen end,
        ended = excluded.ended, batch = excluded.batch where typeof(batch) <> 'integer' or batch < excluded.batch`,
    ...[recorder.id, recorder.host.slice(0, 255), records ? 1 : 0, ...when, ...when, ended ? 1 : 0, batch],
  );
}

/** Extends the time of recording that reaches to this report, or begins another one. */
export function extended({ records, from, at }: UseReport): Statement[] {
  const r = records ? 1 : 0;
  const [start, end] = [
    [r, from.getTime()],
    [r, at.getTime()],
  ];
  return [
    of(
      `update recorder_spans set until = case when typeof(until) = 'integer' then max(until, ${AT}) else ${AT} end where records = ? and until >= ${AT} - ${SPAN_GAP_MS} and since <= ${AT}`,
      ...[...end, ...end, r, ...start, ...end],
    ),
    of(
      `insert or ignore into recorder_spans (records, since, until) select ?, min(${AT}, ${AT}), ${AT}
        where not exists (select 1 from recorder_spans where records = ? and until >= ${AT} - ${SPAN_GAP_MS} and since <= ${AT})`,
      ...[r, ...start, ...end, ...end, r, ...end, ...end],
    ),
  ];
}

/** `uses`: a JSON array of [key id, milliseconds, verdict, times, detail]. */
export const counted = (uses: string) =>
  of(
    `insert into key_days (key_seq, day, verdict, times, last_at, detail)
      select k.seq, min(u.value ->> 1, ${NOW}) / 86400000, u.value ->> 2, u.value ->> 3, min(u.value ->> 1, ${NOW}), u.value ->> 4
        from json_each(?) u join api_keys k on k.id = u.value ->> 0 where true
      on conflict (key_seq, day, verdict) do update set
        times = case when ${SOUND_COUNT} then min(times + excluded.times, ${MOST}) else excluded.times end,
        detail = case when ${SOUND_COUNT} and excluded.last_at < last_at then detail else excluded.detail end,
        last_at = case when ${SOUND_COUNT} then max(last_at, excluded.last_at) else excluded.last_at end`,
    uses,
  );

export const countsAfter = ([seq, day, verdict]: CopiedCount, limit: number) => ({
  ...of(
    `select key_seq, day, verdict, times, last_at, detail from key_days where (key_seq, day, verdict) > (?, ?, ?) and ${SOUND_COUNT}
      order by key_seq, day, verdict limit ?`,
    ...[seq, day, verdict, limit],
  ),
  most: limit,
});
export const BEFORE_ALL: CopiedCount = [0, 0, '', 0, 0, null];

/** `counts`: a JSON array of {@link CopiedCount}. Of two counts the higher one stays: a copy can be repeated. */
export const copied = (counts: string) =>
  of(
    `insert into key_days (key_seq, day, verdict, times, last_at, detail)
      select k.seq, c.value ->> 1, c.value ->> 2, c.value ->> 3, c.value ->> 4, c.value ->> 5
        from json_each(?) c join api_keys k on k.seq = c.value ->> 0 where true
      on conflict (key_seq, day, verdict) do update set times = max(times, excluded.times),
        detail = case when excluded.last_at >= last_at then excluded.detail else detail end, last_at = max(last_at, excluded.last_at)`,
    counts,
  );
export const copiedSpans = (records: 0 | 1, spans: readonly Span[]) =>
  spans.map(({ since, until }) =>
    of(
      `insert into recorder_spans (records, since, until) values (?, ?, ?)
        on conflict (records, since) do update set until = max(until, excluded.until)`,
      ...[records, since.getTime(), until.getTime()],
    ),
  );

/** The day of the last sign of time that this write is not: the last change, or the end of recording that began before today. */
const LAST_DAY = `(max(${timeOfLast('')},
  coalesce((select max(until) from recorder_spans where ${SOUND_SPAN} and since < ${TODAY} * ${DAY_MS}), 0)) / ${DAY_MS})`;
/**
 * Counts of days that are over for long, and of days that have not come: a text is greater than any number. A clock that was wrong once, in
 * either direction, removes nothing: that last sign must agree.
 */
const PAST = `(day < min(${TODAY}, ${LAST_DAY}) - ${KEPT_DAYS} or (day > ${TODAY} + 1 and ${LAST_DAY} <= ${TODAY} + 1))`;
/** Removes some of them. */
export const TRIM = of(
  `delete from key_days where (key_seq, day, verdict) in
    (select key_seq, day, verdict from key_days where ${PAST} limit ${TRIM_AT_ONCE})`,
);
export const TRIM_ALL = of(`delete from key_days where ${PAST} or not (${SOUND_COUNT})`);
export const OVERDUE = { ...of(`select count(*) from key_days where ${PAST} or not (${SOUND_COUNT})`), most: 1 };
/** What is known of servers that are gone. */
export const FORGET = [
  of(`delete from recorders where not (${SOUND_RECORDER})`),
  of(`delete from recorder_spans where not (${SOUND_SPAN})`),
  of(`delete from recorders where seen < ${NOW} - ${WEEK_MS} or (ended = 1 and seen < ${NOW} - ${SPAN_GAP_MS})`),
  of(
    `delete from recorders where id in (select id from recorders order by seen desc limit -1 offset ${MAX_RECORDERS})`,
  ),
];

export const daysOf = (ids: readonly string[], sinceDay: number) =>
  of(
    `select k.id, d.day, d.verdict, d.times, d.last_at, d.detail from api_keys k join key_days d on d.key_seq = k.seq
      where k.id in (select value from json_each(?)) and d.day >= ? and ${SOUND_COUNT} order by d.day, k.seq, d.verdict`,
    ...[JSON.stringify(ids), sinceDay],
  );
