import type { ApiKey } from '../domain/api-key.js';
import type { Creator } from '../domain/change.js';
import type { KeyPage, ListQuery } from '../domain/key-query.js';
import type { KeyStore } from '../domain/key-store.js';
import {
  DAY_MS,
  type DayCount,
  dayOf,
  dayText,
  KEPT_DAYS,
  type LastRefusal,
  NO_USE,
  type Recording,
  USUAL_DAYS,
  type UseTotals,
  useKnownSince,
} from '../domain/use.js';

/** Which keys, and since when. */
export interface UsageQuery {
  /** Keys that were looked up. Default: all that were used or refused in this time, those with the most use first. */
  readonly keys?: readonly ApiKey[] | undefined;
  /** From the beginning of that UTC day. Default: 30 days, today included. Counts are kept for 90 days. */
  readonly since?: Date | undefined;
}

/** How much a key was used and refused. */
export interface KeyUse extends UseTotals {
  readonly key: ApiKey;
  /** Since when all use of this key has been recorded: its creation, if from the beginning. Null where servers do not record use now, or none does. */
  readonly recordedSince: Date | null;
}

/** How much a key was used and refused on one UTC day. */
export interface DayUse {
  readonly key: ApiKey;
  /** `2026-11-25`. */
  readonly day: string;
  /** Null on a day on which no server recorded use, or before the key was made. */
  readonly used: number | null;
  readonly refused: number | null;
  /** How often it was refused, by verdict. */
  readonly refusals: Readonly<Record<string, number>>;
  readonly lastRefusedAt: Date | null;
  readonly lastRefusal: LastRefusal | null;
}

function firstDay({ since }: UsageQuery, now: Date): number {
  const today = dayOf(now);
  const first = since === undefined ? today - USUAL_DAYS + 1 : dayOf(since);
  return Math.min(today, Math.max(first, today - KEPT_DAYS));
}

/** See `Keyring.knownUse`. */
export async function knownUseOf(
  store: KeyStore,
  keys: readonly ApiKey[],
  query: Pick<UsageQuery, 'since'>,
  now: Date,
): Promise<{ recording: Recording; uses: KeyUse[] }> {
  const ids = keys.map(({ id }) => id);
  const { recording, totals } = await store.use.known(ids, firstDay(query, now));
  return { recording, uses: usesOf(keys, { recording, totals }, now) };
}

function usesOf(
  keys: readonly ApiKey[],
  { recording, totals }: { readonly recording: Recording; readonly totals: ReadonlyMap<string, UseTotals> },
  now: Date,
): KeyUse[] {
  return keys.map((key): KeyUse => {
    const recordedSince = useKnownSince(key, recording, now);
    return { key, recordedSince, ...(totals.get(key.id) ?? NO_USE) };
  });
}

/** A page of keys, with how often they were used and who made them. */
export interface UsePage extends KeyPage {
  /** When the use of keys was recorded, and by which servers. */
  readonly recording: Recording;
  /** The use of the keys of the page in 30 days, in their order. */
  readonly uses: readonly KeyUse[];
  /** Who made them, by key id. A key of which the log does not say is left out. */
  readonly creators: ReadonlyMap<string, Creator>;
}

/** See `Keyring.listWithUse`. */
export async function listWithUse(store: KeyStore, query: ListQuery): Promise<UsePage> {
  const { keys, next, creators, ...known } = await store.listKnown(query, firstDay({}, query.now));
  return { keys, next, creators, recording: known.recording, uses: usesOf(keys, known, query.now) };
}

/** See `Keyring.usage`. */
export async function usageOf(store: KeyStore, query: UsageQuery, now: Date): Promise<KeyUse[]> {
  const keys = query.keys ?? (await store.list({ now, sort: 'created' })).keys;
  const { uses } = await knownUseOf(store, keys, query, now);
  if (query.keys) return uses;
  return uses
    .filter(({ used, refused }) => used > 0 || refused > 0)
    .sort((a, b) => b.used - a.used || b.refused - a.refused);
}

/** The days on which some server recorded use. */
function recordedDays({ recorded }: Recording, first: number, last: number): Set<number> {
  const days = new Set<number>();
  for (const { since, until } of recorded)
    for (let day = Math.max(first, dayOf(since)); day <= Math.min(last, dayOf(until)); day++) days.add(day);
  return days;
}

function dayUse(key: ApiKey, day: number, counts: readonly DayCount[], isKnown: boolean): DayUse {
  const refusals = counts.filter(({ verdict }) => verdict !== 'valid');
  const last = refusals.reduce<DayCount | null>((a, b) => (a === null || b.lastAt > a.lastAt ? b : a), null);
  const used = counts.find(({ verdict }) => verdict === 'valid')?.times ?? 0;
  const refused = refusals.reduce((sum, { times }) => sum + times, 0);
  const seen = isKnown || counts.length > 0;
  return {
    key,
    day: dayText(day),
    used: seen ? used : null,
    refused: seen ? refused : null,
    refusals: Object.fromEntries(refusals.map(({ verdict, times }) => [verdict, times])),
    lastRefusedAt: last?.lastAt ?? null,
    lastRefusal: last && { verdict: last.verdict, detail: last.detail },
  };
}

/** See `Keyring.usageByDay`. */
export async function usageByDay(store: KeyStore, key: ApiKey, query: UsageQuery, now: Date): Promise<DayUse[]> {
  const [first, today] = [firstDay(query, now), dayOf(now)];
  const recording = await store.use.recording();
  const counts = await store.use.days([key.id], first);
  const known = recordedDays(recording, Math.max(first, dayOf(key.createdAt)), today);
  const last = Math.max(today, ...counts.map(({ day }) => day)); // the store's clock may be a little ahead of ours
  return Array.from({ length: last - first + 1 }, (_, i) => {
    const day = first + i;
    return dayUse(
      key,
      day,
      counts.filter((count) => count.day === day),
      known.has(day),
    );
  });
}

/** The beginning of the day `days` - 1 before today, so that these are that many days with today. */
export function beginningOf(days: number, now: Date): Date {
  return new Date((dayOf(now) - days + 1) * DAY_MS);
}
