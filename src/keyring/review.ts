import type { ApiKey } from '../domain/api-key.js';
import type { ListQuery } from '../domain/key-query.js';
import type { KeyStore } from '../domain/key-store.js';
import { dayOf, USUAL_DAYS } from '../domain/use.js';
import { rotationOf } from './rotation-status.js';

const DAY_MS = 86_400_000;
/** How many keys a finding names. */
const NAMED = 3;
/** How many refusals in 30 days are a lot: three a day, and somebody should ask why. */
const OFTEN = 100;

/** Something that keys of a store have in common, and that somebody should look at. */
export interface ReviewFinding {
  readonly check: 'never-expires' | 'unused' | 'expiring' | 'overlap-in-use' | 'old' | 'undelivered' | 'refused';
  /** For people: what these keys have in common. */
  readonly what: string;
  readonly count: number;
  /** The worst of them, at most three. */
  readonly worst: readonly ApiKey[];
  /** The words of the command that shows all of them. */
  readonly list: readonly string[];
}

interface Check {
  readonly check: ReviewFinding['check'];
  /** Of one key, and of several. */
  readonly what: readonly [one: string, several: string];
  readonly query: Omit<ListQuery, 'now'>;
  readonly list: readonly string[];
}

function checksAt(now: Date): Check[] {
  const ago = (days: number) => new Date(now.getTime() - days * DAY_MS);
  return [
    {
      check: 'never-expires',
      what: ['live key that never expires', 'live keys that never expire'],
      query: { status: 'active', mode: 'live', neverExpires: true, sort: 'created' },
      list: ['list', '--status', 'active', '--mode', 'live', '--never-expires', '--sort', 'created'],
    },
    {
      check: 'unused',
      what: [
        'active key that was not used for 90 days, as far as use was recorded',
        'active keys that were not used for 90 days, as far as use was recorded',
      ],
      query: { status: 'active', unusedSince: ago(90), sort: 'last-used' },
      list: ['list', '--status', 'active', '--unused-for', '90d', '--sort', 'last-used'],
    },
    {
      check: 'expiring',
      what: ['active key that expires within 14 days', 'active keys that expire within 14 days'],
      query: { expiringBefore: new Date(now.getTime() + 14 * DAY_MS), sort: 'expires' },
      list: ['list', '--expiring-within', '14d', '--sort', 'expires'],
    },
    {
      check: 'old',
      what: ['active key that is older than a year', 'active keys that are older than a year'],
      query: { status: 'active', createdBefore: ago(365), sort: 'created' },
      list: ['list', '--status', 'active', '--older-than', '365d', '--sort', 'created'],
    },
    {
      check: 'undelivered',
      what: ['key that was created and never handed out', 'keys that were created and never handed out'],
      query: { undelivered: true, sort: 'created' },
      list: ['list', '--undelivered', '--sort', 'created'],
    },
  ];
}

/** Keys that were rotated, still work, and are still used. */
async function overlapsInUse(store: KeyStore, now: Date): Promise<ReviewFinding> {
  const inUse: ApiKey[] = [];
  const recording = await store.use.recording();
  for (const old of (await store.list({ rotating: true, sort: 'expires', now })).keys)
    if ((await rotationOf(store, old, now, recording)).usedSince) inUse.push(old);
  return {
    check: 'overlap-in-use',
    what: inUse.length === 1 ? 'rotated key that is still in use' : 'rotated keys that are still in use',
    count: inUse.length,
    worst: inUse.slice(0, NAMED),
    list: ['list', '--rotating'],
  };
}

/** Keys whose programs fail, or that somebody tries where they should not work: those that were refused most. */
async function refusedOften(store: KeyStore, now: Date): Promise<ReviewFinding> {
  const { keys } = await store.list({ refusedAtLeast: OFTEN, sort: 'created', now });
  const ids = keys.map(({ id }) => id);
  const totals = await store.use.totals(ids, dayOf(now) - USUAL_DAYS + 1);
  const refused = ({ id }: ApiKey) => totals.get(id)?.refused ?? 0;
  return {
    check: 'refused',
    what: `keys that were refused ${OFTEN} times or more in ${USUAL_DAYS} days`,
    count: keys.length,
    worst: [...keys].sort((a, b) => refused(b) - refused(a)).slice(0, NAMED),
    list: ['list', '--refused', String(OFTEN)],
  };
}

/** A finding for each check, in the order of {@link ReviewFinding.check}, including those that no key has. */
export async function reviewKeys(store: KeyStore, now: Date): Promise<ReviewFinding[]> {
  const findings: ReviewFinding[] = [];
  for (const { check, what, query, list } of checksAt(now)) {
    const count = await store.count({ ...query, now });
    const { keys: worst } = count === 0 ? { keys: [] } : await store.list({ ...query, limit: NAMED, now });
    findings.push({ check, what: what[count === 1 ? 0 : 1], count, worst, list });
  }
  return [...findings, await refusedOften(store, now), await overlapsInUse(store, now)];
}
