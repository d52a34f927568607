import { expect, test } from 'vitest';
import { relativeTime } from '../../src/domain/relative-time.js';

const NOW = new Date('2026-11-23T10:00:00.000Z');
const MINUTE = 60;
const DAY = 86_400;

test.each([
  [0, 'just now'],
  [-59.9, 'just now'],
  [0.9, 'just now'],
  [1, 'in less than a minute'],
  [59.9, 'in less than a minute'],
  [-MINUTE, '1 minute ago'],
  [MINUTE, 'in 1 minute'],
  [-119, '1 minute ago'],
  [-120, '2 minutes ago'],
  [60 * MINUTE - 1, 'in 59 minutes'],
  [60 * MINUTE, 'in 1 hour'],
  [-DAY + 1, '23 hours ago'],
  [-DAY, '1 day ago'],
  [30 * DAY - 1, 'in 29 days'],
  [30 * DAY, 'in 1 month'],
  [-365 * DAY + 1, '12 months ago'],
  [-365 * DAY, '1 year ago'],
  [1000 * DAY, 'in 2 years'],
])('%s s from now: %s', (seconds, words) => {
  expect(relativeTime(new Date(NOW.getTime() + seconds * 1000), NOW)).toBe(words);
});
