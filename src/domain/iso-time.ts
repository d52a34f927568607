const two = (n: number) => (n < 10 ? `0${n}` : `${n}`);

/**
 * Formats a time as `at.toISOString()` does, without looking up the time zone of the machine, which V8 does at the first call and which takes a
 * fifth of a millisecond. Throws a RangeError for an invalid date, as `toISOString` does.
 */
export function isoTime(at: Date): string {
  const year = at.getUTCFullYear();
  if (!(year >= 1000 && year <= 9999)) return at.toISOString(); // a year with more or fewer digits, or an invalid date
  const day = `${year}-${two(at.getUTCMonth() + 1)}-${two(at.getUTCDate())}`;
  const milliseconds = at.getUTCMilliseconds();
  const fraction = milliseconds < 100 ? `0${two(milliseconds)}` : milliseconds;
  return `${day}T${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())}.${fraction}Z`;
}
