import { NOW } from './raw-sql.js';

// Rows about the use of keys that nothing of ours writes. None of them may stop work on others.

/** A count goes no further, so that it stays a number that can be read. */
export const MOST = Number.MAX_SAFE_INTEGER;

/** Whether a row of `key_days` can be read. One that cannot counts for nothing, and stops no work on others. */
export const SOUND_COUNT = `typeof(day) = 'integer' and day between 0 and 100000000 and typeof(verdict) = 'text'
  and typeof(times) = 'integer' and times between 1 and ${MOST} and typeof(last_at) = 'integer' and last_at between 0 and 8640000000000000
  and (detail is null or typeof(detail) = 'text')`;
/** The same of a server; a time in the future came from a clock that was wrong. */
export const SOUND_RECORDER = `typeof(host) = 'text' and records in (0, 1) and typeof(since) = 'integer' and typeof(seen) = 'integer'
  and typeof(batch) = 'integer' and seen between 0 and ${NOW} + 60000`;
/** The same of a time in which use was recorded. */
export const SOUND_SPAN = `records in (0, 1) and typeof(since) = 'integer' and typeof(until) = 'integer' and since >= 0
  and until between since and 8640000000000000`;

/** A key without its row of last use is found by nobody. */
export const MEND_USAGE = {
  sql: 'insert or ignore into key_usage (key_seq) select seq from api_keys where seq not in (select key_seq from key_usage)',
  params: [],
};

/** Counts the rows that cannot be read, which the first report of a server and `prune` remove. */
export const UNSOUND = {
  sql: `select (select count(*) from key_days where not (${SOUND_COUNT})) + (select count(*) from recorders where not (${SOUND_RECORDER}))
    + (select count(*) from recorder_spans where not (${SOUND_SPAN}))
    + (select count(*) from api_keys where seq not in (select key_seq from key_usage))`,
  params: [],
  most: 1,
};
