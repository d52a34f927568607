import type { Statement } from './database.js';
import { NOW, of } from './raw-sql.js';
import { SOUND_COUNT, SOUND_RECORDER, SOUND_SPAN } from './use-damage.js';

// What lists of keys ask about their use; the other statements about it are in `use-counts.ts`.

/** How many keys are asked about in one statement. */
export const IDS_AT_ONCE = 500;
/** A server of which the store knew would be forgotten behind so many others that came after it. */
export const MAX_RECORDERS = 1000;

/** Without those that begin in the future: a clock was ahead. A server of that time would make all use unknown until then. */
export const SPANS = of(
  `select records, since, until from recorder_spans where ${SOUND_SPAN} and since <= ${NOW} + 60000 order by until desc`,
);
export const RECORDERS = {
  ...of(`select host, records, since, seen from recorders where ended = 0 and ${SOUND_RECORDER} order by seen desc`),
  most: MAX_RECORDERS,
};

/** Besides the one `max`, a column is that of the row with the maximum: SQLite says so of bare columns. */
export const totalsOf = (ids: Statement, sinceDay: number): Statement => ({
  ...of(
    `select k.id, sum(case when d.verdict = 'valid' and d.day >= ? then d.times else 0 end),
        sum(case when d.verdict <> 'valid' and d.day >= ? then d.times else 0 end),
        max(case when d.verdict <> 'valid' then d.last_at end), d.verdict, d.detail
      from api_keys k join key_days d on d.key_seq = k.seq where k.id in (${ids.sql}) and ${SOUND_COUNT} group by k.id`,
    ...[sinceDay, sinceDay, ...ids.params],
  ),
  most: ids.most,
});
