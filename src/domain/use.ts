import type { ApiKey } from './api-key.js';
import type { Verdict } from './verdict.js';

// When keys are used and refused, and whether anybody was there to record it: that "never used" is said only where use was recorded.

const MINUTE_MS = 60_000;
export const DAY_MS = 86_400_000;

/** For how many days counts are kept. */
export const KEPT_DAYS = 90;
/** The time that is looked at unless another one is asked for. */
export const USUAL_DAYS = 30;
/** Two times of recording that are less far apart are one: a restarted server loses no longer. */
export const SPAN_GAP_MS = 15 * MINUTE_MS;
/** How long after its last report a server is still taken to be there. Reports come each minute. */
const ALIVE_MS = 5 * MINUTE_MS;

/** A verdict that is counted: one that follows the proof of the secret. */
export type CountedVerdict = Exclude<Verdict['verdict'], 'invalid'>;
/** A refusal that is counted. */
export type CountedRefusal = Exclude<CountedVerdict, 'valid'>;

/** How often a key was proven with one verdict on one day, and when last. */
export interface Use {
  readonly id: string;
  readonly verdict: CountedVerdict;
  readonly times: number;
  readonly at: Date;
  /** What the last refusal was about: the scope that was missing, or the environment. Never a path or an address. */
  readonly detail: string | null;
}

/** What a server reports to the store, once for each `batch`, however often it is sent. */
export interface UseReport {
  /** The server: a random id, and the name of its machine. */
  readonly recorder: { readonly id: string; readonly host: string };
  /** False for a server that checks keys without recording their use; it reports no uses. */
  readonly records: boolean;
  /** Counts up from 1. */
  readonly batch: number;
  /** The time that this report is about. */
  readonly from: Date;
  readonly at: Date;
  /** The server stops. */
  readonly ended: boolean;
  readonly uses: readonly Use[];
}

/** A time, ends included. */
export interface Span {
  readonly since: Date;
  readonly until: Date;
}

/** A server that checks keys of the store. */
export interface Recorder {
  readonly host: string;
  /** False where it runs with `markUsed: false` or `--no-marks`. */
  readonly records: boolean;
  readonly since: Date;
  /** When it reported last. */
  readonly seen: Date;
}

/** When the use of keys was recorded, and by whom. Empty for a store of an earlier schema. */
export interface Recording {
  /** When at least one server recorded use. */
  readonly recorded: readonly Span[];
  /** When a server checked keys without recording their use. */
  readonly unrecorded: readonly Span[];
  /** The servers that have not said that they stopped, those that reported last first. */
  readonly recorders: readonly Recorder[];
}

export const NOTHING_RECORDED: Recording = { recorded: [], unrecorded: [], recorders: [] };

/** A refusal: its verdict, and what it was about. */
export interface LastRefusal {
  readonly verdict: string;
  readonly detail: string | null;
}

/** How often a key was used and refused in some time. */
export interface UseTotals {
  readonly used: number;
  readonly refused: number;
  /** The last refusal that the store still knows of; null for none. */
  readonly lastRefusedAt: Date | null;
  readonly lastRefusal: LastRefusal | null;
}

export const NO_USE: UseTotals = { used: 0, refused: 0, lastRefusedAt: null, lastRefusal: null };

/** One count as it is stored. `day`: days since 1970, in UTC. */
export interface DayCount {
  readonly id: string;
  readonly day: number;
  readonly verdict: string;
  readonly times: number;
  readonly lastAt: Date;
  readonly detail: string | null;
}

/** The part of a store that is about use. None of it leaves an audit row. */
export interface UseSide {
  /**
   * Adds counts and moves last-used marks forward, all or nothing, and notes that the server is there. A report that was carried out before is not
   * carried out again. Times are bounded by the store's clock, unknown keys are passed over. A store of an earlier schema takes the marks only.
   */
  record(report: UseReport): Promise<void>;
  recording(): Promise<Recording>;
  /** Both of {@link recording} and {@link totals}, in as few requests as one of them takes. */
  known(ids: readonly string[], sinceDay: number): Promise<{ recording: Recording; totals: Map<string, UseTotals> }>;
  /** The totals since a day, by key id. Keys without any count are left out. */
  totals(ids: readonly string[], sinceDay: number): Promise<Map<string, UseTotals>>;
  /** The counts of these keys since a day, in the order of days. */
  days(ids: readonly string[], sinceDay: number): Promise<DayCount[]>;
  /** Removes the counts of days that are over by more than {@link KEPT_DAYS}, and what cannot be read. Resolves to the number of counts. */
  trim(): Promise<number>;
  /** How many rows about use cannot be read. They count for nothing. */
  damaged(): Promise<number>;
}

export function dayOf(at: Date): number {
  return Math.floor(at.getTime() / DAY_MS);
}

/** `2026-11-25`. */
export function dayText(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10);
}

/**
 * A gap that makes no difference to a question about this much time: servers stop for a night, and a key is made before its server starts. Never
 * less than is between two reports, never more than a day.
 */
function toleranceMs(windowMs: number): number {
  return Math.min(DAY_MS, Math.max(SPAN_GAP_MS, windowMs / 10));
}

/**
 * Since when all use has been recorded up to `now`, but for gaps of at most `gapMs`; null where it is not recorded now. A server that does not record
 * makes the time before it was last seen unknown.
 */
export function recordedSince({ recorded, unrecorded }: Recording, now: Date, gapMs = DAY_MS): Date | null {
  let reach = now.getTime();
  let since: number | null = null;
  for (const span of [...recorded].sort((a, b) => b.until.getTime() - a.until.getTime())) {
    if (span.until.getTime() < reach - gapMs) break;
    reach = Math.min(reach, span.since.getTime());
    since = reach;
  }
  if (since === null) return null;
  const blind = Math.max(0, ...unrecorded.map(({ until }) => until.getTime()));
  if (blind >= now.getTime() - SPAN_GAP_MS) return null;
  return new Date(Math.max(since, blind));
}

/** Whether all use from `from` to `now` was recorded. */
export function isRecordedFrom(from: Date, recording: Recording, now: Date): boolean {
  const gap = toleranceMs(now.getTime() - from.getTime());
  const since = recordedSince(recording, now, gap);
  return since !== null && since.getTime() - from.getTime() <= gap;
}

/** Since when all use of this key has been recorded: its creation, if from the beginning; null where it is not recorded now. */
export function useKnownSince({ createdAt }: Pick<ApiKey, 'createdAt'>, recording: Recording, now: Date): Date | null {
  return isRecordedFrom(createdAt, recording, now) ? createdAt : recordedSince(recording, now);
}

/** Whether it is known that this key was never used. */
export function isNeverUsed(key: Pick<ApiKey, 'createdAt' | 'lastUsedAt'>, recording: Recording, now: Date): boolean {
  return key.lastUsedAt === null && isRecordedFrom(key.createdAt, recording, now);
}

/** The servers that are there now, by whether they record use. */
export function presentRecorders({ recorders }: Recording, now: Date): { recording: Recorder[]; blind: Recorder[] } {
  const present = recorders.filter(({ seen }) => now.getTime() - seen.getTime() <= ALIVE_MS);
  return { recording: present.filter(({ records }) => records), blind: present.filter(({ records }) => !records) };
}
