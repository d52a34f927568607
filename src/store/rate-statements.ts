import { TOLERANCE } from '../domain/gcra.js';
import { eq, qb, sql } from './drizzle.js';
import { prepared } from './query.js';
import { apiKeys, keyRates } from './schema.js';

// The statements of `rate-count.ts`; see `statements.ts`.

const $ = sql.placeholder;

/** The database's own clock: milliseconds since 1970, the same throughout a statement. */
const NOW = sql`((julianday('now') - 2440587.5) * 86400000.0)`;

/**
 * `domain/gcra.ts` as one statement. It returns the new theoretical arrival time and the clock, or no row when the limit is reached.
 * If the clock was set back, a stored time can lie further ahead than the algorithm ever puts it; the key then starts afresh.
 */
export const countRequest = prepared<{ id: string; window: number; interval: number }>(() => {
  const { tat } = keyRates;
  const [window, interval] = [$('window'), $('interval')];
  const known = sql`(case when ${tat} < ${NOW} or ${tat} > ${NOW} + ${window} + ${interval} then ${NOW} else ${tat} end)`;
  return qb
    .insert(keyRates)
    .select(
      qb
        .select({ keySeq: apiKeys.seq, tat: sql<number>`${NOW} + ${interval}`.as('whole_at') })
        .from(apiKeys)
        .where(eq(apiKeys.id, $('id'))),
    )
    .onConflictDoUpdate({
      target: keyRates.keySeq,
      set: { tat: sql`${known} + ${interval}` },
      setWhere: sql`${known} + ${interval} - ${window} - ${NOW} <= ${interval} * ${TOLERANCE}`,
    })
    .returning({ tat: keyRates.tat, now: sql<number>`${NOW}` });
});

/** The arrival time of a key, and the clock. */
export const currentTat = prepared<{ id: string }>(() =>
  qb
    .select({ tat: keyRates.tat, now: sql<number>`${NOW}` })
    .from(keyRates)
    .innerJoin(apiKeys, eq(apiKeys.seq, keyRates.keySeq))
    .where(eq(apiKeys.id, $('id'))),
);
