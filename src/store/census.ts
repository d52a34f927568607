import { STATUSES } from '../domain/api-key.js';
import { CENSUS_DAYS, type KeyCensus, type ModeCensus } from '../domain/key-query.js';
import type { Rows, Statement } from './database.js';
import { qb, sql } from './drizzle.js';
import { statement } from './query.js';
import { apiKeys } from './schema.js';

const DAY_MS = 86_400_000;

/** One row for each mode and status: the number of keys, how many of them expire within each of {@link CENSUS_DAYS}, the next expiry. */
export function keyCensus(now: Date): Statement {
  const at = now.getTime();
  const { mode, status, expiryOrder } = apiKeys;
  const state = sql`case when ${status} <> 'active' then 'inactive' when ${expiryOrder} <= ${at} then 'expired' else 'active' end`;
  const within = (days: number) => sql`sum(${expiryOrder} > ${at} and ${expiryOrder} <= ${at + days * DAY_MS})`;
  const [week, fortnight, month] = CENSUS_DAYS.map(within);
  return statement(
    qb
      .select({
        mode: sql`${mode}`.as('of_mode'),
        state: state.as('state'),
        keys: sql`count(*)`.as('n'),
        week: (week as typeof state).as('week'),
        fortnight: (fortnight as typeof state).as('fortnight'),
        month: (month as typeof state).as('month'),
        next: sql`min(case when ${expiryOrder} > ${at} then ${expiryOrder} end)`.as('next'),
      })
      .from(apiKeys)
      .groupBy(sql`1, 2`),
  );
}

/** Rows of a mode or status that no key has are of damaged keys, and are not counted. */
export function censusFromRows(rows: Rows): KeyCensus {
  const of = (mode: string, state: string) => rows.find((row) => row[0] === mode && row[1] === state) ?? [];
  const census = (mode: string): ModeCensus => {
    const active = of(mode, 'active');
    const next = Number(active[6] ?? Number.POSITIVE_INFINITY);
    return {
      keys: Object.fromEntries(STATUSES.map((state) => [state, Number(of(mode, state)[2] ?? 0)])) as ModeCensus['keys'],
      expiringWithin: Object.fromEntries(
        CENSUS_DAYS.map((days, i) => [days, Number(active[3 + i] ?? 0)]),
      ) as unknown as ModeCensus['expiringWithin'],
      nextExpiry: next < NEVER ? new Date(next) : null,
    };
  };
  return { live: census('live'), test: census('test') };
}

/** The `expiry_order` of keys that never expire. */
const NEVER = 8_640_000_000_000_000;
