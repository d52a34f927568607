import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isoTime } from '../../src/domain/iso-time.js';

test('a time is written as toISOString writes it', () => {
  fc.assert(
    fc.property(fc.date({ noInvalidDate: true }), (at) => isoTime(at) === at.toISOString()),
    { numRuns: 2000 },
  );
});

test.each([
  0,
  1,
  9,
  10,
  99,
  100,
  999,
  59_999,
  60_000,
  86_399_999,
  86_400_000,
  -1,
  951_782_400_000,
  1_709_164_799_999,
  Date.UTC(999, 11, 31, 23, 59, 59, 999),
  Date.UTC(1000, 0),
  Date.UTC(9999, 11, 31, 23, 59, 59, 999),
  Date.UTC(10_000, 0),
  8.64e15,
  -8.64e15,
])('%d milliseconds', (ms) => {
  expect(isoTime(new Date(ms))).toBe(new Date(ms).toISOString());
});

test('a time that is none is refused', () => {
  expect(() => isoTime(new Date(Number.NaN))).toThrow(RangeError);
});
