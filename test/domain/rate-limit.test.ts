import { describe, expect, test } from 'vitest';
import {
  describeRateLimit,
  formatRateLimit,
  parseRateLimit,
  rateLimitCheck,
  readRateLimit,
} from '../../src/domain/rate-limit.js';
import { refusal, usage } from '../support/refusal.js';

test.each([
  ['10/s', '10 requests per second'],
  ['600/m', '600 requests per minute'],
  ['1/h', '1 request per hour'],
  ['100000/d', '100000 requests per day'],
  ['100000/s', '100000 requests per second'],
  ['1000000000/d', '1000000000 requests per day'],
])('%s means %s, and prints as it was read', (text, words) => {
  expect(describeRateLimit(parseRateLimit(text))).toBe(words);
  expect(formatRateLimit(parseRateLimit(text))).toBe(text);
});

test.each([
  '',
  '600',
  '/m',
  '0/m',
  '00600/m',
  '-1/m',
  '1.5/m',
  '1e3/m',
  '0x10/m',
  '600/w',
  '600/M',
  '600/constructor',
  ' 600/m',
  '600/m ',
  '600/m\n',
  '100001/s',
  '6000001/m',
  '1000000000/h',
  '1000000001/d',
  '9999999999/m',
  '9007199254740993/m',
  'NaN/m',
  'Infinity/m',
  '600/mm',
  '６００/m',
  `${'9'.repeat(1_000_000)}/m`,
])('%.20j is refused', (text) => {
  expect(refusal(() => parseRateLimit(text))).toEqual(usage);
});

test('a window that has no unit of its own is told in seconds', () => {
  const odd = { limit: 5, windowSeconds: 90 };
  expect([formatRateLimit(odd), describeRateLimit(odd)]).toEqual(['5/90s', '5 requests per 90 seconds']);
});

describe('a limit that a program passes', () => {
  test.each(['600/m', { limit: 600, windowSeconds: 60 }])('%j is taken, and read', (given) => {
    expect(() => rateLimitCheck(given, 'x')).not.toThrow();
    expect(readRateLimit(given)).toEqual({ limit: 600, windowSeconds: 60 });
  });

  test('of other properties, only limit and window are read', () => {
    expect(readRateLimit({ limit: 1, windowSeconds: 2, more: 3 } as never)).toEqual({ limit: 1, windowSeconds: 2 });
  });

  test.each<[unknown, RegExp]>([
    ['600', /"600"/],
    [600, /^x \(600\/m, or limit and windowSeconds\) must be a string, not 600$/],
    [undefined, /^x .* is missing/],
    [null, /^x must be an object with limit, windowSeconds/],
    [{ limit: 600 }, /^x.windowSeconds is missing/],
    [{ limit: 0, windowSeconds: 60 }, /^x.limit must be a whole number/],
    [{ limit: 1.5, windowSeconds: 60 }, /^x.limit must be a whole number/],
    [{ limit: 1, windowSeconds: 31_536_001 }, /^x.windowSeconds must be a whole number/],
    [{ limit: 100_001, windowSeconds: 1 }, /^rate limit x is more than 100000 requests per second/],
    [{ limit: 1, windowSeconds: 1, per: 's' }, /^x has an unknown property "per"/],
  ])('%j is refused', (given, message) => {
    expect(refusal(() => rateLimitCheck(given, 'x'))).toMatchObject({
      code: 'usage',
      message: expect.stringMatching(message),
    });
  });
});
