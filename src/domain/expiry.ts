import type { ApiKey } from './api-key.js';
import { KeysError } from './errors.js';
import { quoted } from './text.js';

const UNIT_MS = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;
/** The latest time that a key can expire at. */
export const LAST_INSTANT = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** How long a key for one run or one job lives at most. */
export const LONGEST_JOB_MS = 86_400_000;

/** Milliseconds for a duration such as `90d`; null for anything else. */
export function durationMs(text: string): number | null {
  const match = /^([1-9]\d{0,6})([mhdw])$/.exec(text);
  return match ? Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS] : null;
}

/** Milliseconds for a date (00:00 UTC) or an ISO 8601 time with a zone; null for anything else, such as 31 February. */
function instantMs(text: string): number | null {
  const match = /^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d))?$/.exec(text);
  if (!match) return null;
  const [year, month, day] = match.slice(1, 4).map(Number) as [number, number, number];
  const calendar = new Date(Date.UTC(year, month - 1, day));
  if (year < 1 || calendar.getUTCMonth() !== month - 1) return null; // a day that its month does not have is in another month
  const at = Date.parse(text);
  return Number.isNaN(at) || at > LAST_INSTANT ? null : at;
}

const EXPIRY_FORMS =
  'a duration (30m, 12h, 90d, 6w), a date (2027-01-31, from 00:00 UTC), a time (2027-01-31T09:00:00Z) or never';

/** Parses the value of `--expires`; null means never. Throws `usage` for an unknown form and for a time in the past. */
export function parseExpiry(text: string, now: Date): Date | null {
  if (text === 'never') return null;
  const duration = durationMs(text);
  const at = duration === null ? instantMs(text) : now.getTime() + duration;
  if (at === null || at > LAST_INSTANT)
    throw new KeysError('usage', `expiry ${quoted(text)} is not a time`, EXPIRY_FORMS);
  if (at <= now.getTime()) throw new KeysError('usage', `expiry ${quoted(text)} has already passed`, EXPIRY_FORMS);
  return new Date(at);
}

/**
 * The expiry in the options of a method: `expires` as on the command line (`90d`), or `expiresAt`. Undefined when both are missing.
 * Throws `usage` for an invalid value and when both are given.
 */
export function readExpiry(
  { expires, expiresAt }: { readonly expires?: string | undefined; readonly expiresAt?: Date | null | undefined },
  now: Date,
): Date | null | undefined {
  if (expires === undefined) return expiresAt;
  if (expiresAt !== undefined) throw new KeysError('usage', 'expires and expiresAt are both given', 'use one of them');
  return parseExpiry(expires, now);
}

/** {@link readExpiry} for an expiry that is set on its own: a time that has passed is refused. */
export function readNewExpiry(given: Parameters<typeof readExpiry>[0], now: Date): Date | null | undefined {
  const expiresAt = readExpiry(given, now);
  if (expiresAt && expiresAt <= now)
    throw new KeysError(
      'usage',
      `expiry ${expiresAt.toISOString()} has already passed`,
      'to stop a key now: unlockos-keys disable KEY',
    );
  return expiresAt;
}

/** The words of `--expires` for a time. */
export function expiryWord(expiresAt: Date | null): string {
  return expiresAt?.toISOString() ?? 'never';
}

/** Throws `conflict` for an expiry that is later than that of the key: who holds the key string was promised no longer life. */
export function assertNearer(
  { name, id, expiresAt, damaged }: Pick<ApiKey, 'name' | 'id' | 'expiresAt' | 'damaged'>,
  to: Date | null,
): void {
  if (damaged?.includes('expiresAt'))
    throw new KeysError(
      'conflict',
      `the expiry of key ${id} is damaged, so nobody can say which one would be nearer`,
      `the key does not work; delete it: unlockos-keys delete ${id}`,
    );
  if (expiresAt === null || (to !== null && to <= expiresAt)) return;
  throw new KeysError(
    'conflict',
    `key ${quoted(name)} (${id}) expires at ${expiresAt.toISOString()}, and the expiry of a key only moves nearer`,
    `for a later one, replace the key: unlockos-keys rotate ${id} --expires ${expiryWord(to)}`,
  );
}

/** Parses a duration such as `90d`. Returns milliseconds. `what` names the flag in the error. Throws `usage`. */
export function parseDuration(text: string, what: string): number {
  const ms = durationMs(text);
  if (ms === null)
    throw new KeysError(
      'usage',
      `${what} ${quoted(text)} is not a duration`,
      'a whole number and a unit, m h d or w: 30m, 12h, 90d, 6w',
    );
  return ms;
}

/** Parses the value of `--since`: a duration before `now` (`7d`), a date or a time. Throws `usage`. */
export function parseSince(text: string, now: Date): Date {
  const duration = durationMs(text);
  const at = duration === null ? instantMs(text) : now.getTime() - duration;
  if (at === null)
    throw new KeysError(
      'usage',
      `--since ${quoted(text)} is not a time`,
      'a duration (7d), a date (2026-11-01) or a time (2026-11-01T09:00:00Z)',
    );
  return new Date(at);
}

/** Parses the value of `--timeout` or another flag (`500ms`, `10s`, `1m`). Returns milliseconds, at most 10 minutes. Throws `usage`. */
export function parseTimeout(text: string, flag = '--timeout'): number {
  const match = /^([1-9]\d{0,6})(ms|s|m)$/.exec(text);
  const ms = match ? Number(match[1]) * { ms: 1, s: 1000, m: 60_000 }[match[2] as 'ms' | 's' | 'm'] : 0;
  if (!match || ms > 600_000)
    throw new KeysError(
      'usage',
      `${flag} ${quoted(text)} is not a time up to 10m`,
      'a whole number and a unit: 500ms, 10s, 1m',
    );
  return ms;
}
