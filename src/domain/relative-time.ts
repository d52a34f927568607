const STEPS = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
] as const;

/**
 * A time relative to `now`: `3 hours ago`, `in 74 days`, or `just now` for less than a minute ago. Does not use
 * Intl.RelativeTimeFormat: creating one takes a short-lived process about as long as the rest of `list`.
 */
export function relativeTime(at: Date, now: Date): string {
  const seconds = Math.trunc((at.getTime() - now.getTime()) / 1000);
  const step = STEPS.find(([, size]) => Math.abs(seconds) >= size);
  if (!step) return seconds <= 0 ? 'just now' : 'in less than a minute';
  const count = Math.floor(Math.abs(seconds) / step[1]);
  const span = `${count} ${step[0]}${count === 1 ? '' : 's'}`;
  return seconds < 0 ? `${span} ago` : `in ${span}`;
}
