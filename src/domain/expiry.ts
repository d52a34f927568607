import { KeysError } from './errors.js';
import { quoted } from './text.js';

const UNIT_MS = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;
const MAX_INSTANT = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

function durationMs(text: string): number | null {
  const match = /^([1-9]\d{0,6})([mhdw])$/.exec(text);
  return match ? Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS] : null;
}

/** A calendar date (its first instant in UTC) or a full ISO 8601 instant with a zone; null for anything else, 31 February included. */
function instantMs(text: string): number | null {
  const match = /^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d))?$/.exec(text);
  if (!match) return null;
  const [year, month, day] = match.slice(1, 4).map(Number) as [number, number, number];
  const calendar = new Date(Date.UTC(year, month - 1, day));
  if (year < 1 || calendar.getUTCMonth() !== month - 1 || calendar.getUTCDate() !== day) return null;
  const at = Date.parse(text);
  return Number.isNaN(at) || at > MAX_INSTANT ? null : at;
}

const EXPIRY_FORMS =
  'a duration (30m, 12h, 90d, 6w), a date (2027-01-31, from 00:00 UTC), an instant (2027-01-31T09:00:00Z) or never';

/** Reads `--expires`: null is never. Throws `usage` for a form it does not know and for a time that has passed. */
export function parseExpiry(text: string, now: Date): Date | null {
  if (text === 'never') return null;
  const duration = durationMs(text);
  const at = duration === null ? instantMs(text) : now.getTime() + duration;
  if (at === null || at > MAX_INSTANT)
    throw new KeysError('usage', `expiry ${quoted(text)} is not a time`, EXPIRY_FORMS);
  if (at <= now.getTime()) throw new KeysError('usage', `expiry ${quoted(text)} has already passed`, EXPIRY_FORMS);
  return new Date(at);
}

/** Reads a length of time such as `90d` into milliseconds. `what` names the flag in the error. */
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

/** Reads a point in the past: `7d` ago, a date or an instant. */
export function parseSince(text: string, now: Date): Date {
  const duration = durationMs(text);
  const at = duration === null ? instantMs(text) : now.getTime() - duration;
  if (at === null)
    throw new KeysError(
      'usage',
      `--since ${quoted(text)} is not a time`,
      'a duration (7d), a date (2026-11-01) or an instant (2026-11-01T09:00:00Z)',
    );
  return new Date(at);
}

/** Reads `--timeout`: seconds or minutes (`10s`, `500ms`, `1m`), in milliseconds. */
export function parseTimeout(text: string): number {
  const match = /^([1-9]\d{0,6})(ms|s|m)$/.exec(text);
  const ms = match ? Number(match[1]) * { ms: 1, s: 1000, m: 60_000 }[match[2] as 'ms' | 's' | 'm'] : 0;
  if (!match || ms > 600_000)
    throw new KeysError(
      'usage',
      `--timeout ${quoted(text)} is not a time up to 10m`,
      'a whole number and a unit: 500ms, 10s, 1m',
    );
  return ms;
}
