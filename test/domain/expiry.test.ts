import { describe, expect, onTestFinished, test } from 'vitest';
import {
  assertNearer,
  durationMs,
  expiryWord,
  parseDuration,
  parseExpiry,
  parseSince,
  parseTimeout,
  readExpiry,
  readNewExpiry,
} from '../../src/domain/expiry.js';
import { refusal, usage } from '../support/refusal.js';

const NOW = new Date('2026-11-23T10:00:00.000Z');

describe('expiry', () => {
  test.each([
    ['30m', '2026-11-23T10:30:00.000Z'],
    ['12h', '2026-11-23T22:00:00.000Z'],
    ['90d', '2027-02-21T10:00:00.000Z'],
    ['6w', '2027-01-04T10:00:00.000Z'],
    ['2027-01-31', '2027-01-31T00:00:00.000Z'],
    ['2028-02-29', '2028-02-29T00:00:00.000Z'],
    ['9999-12-31', '9999-12-31T00:00:00.000Z'],
    ['2027-01-31T09:00Z', '2027-01-31T09:00:00.000Z'],
    ['2027-01-31T09:00:00.250Z', '2027-01-31T09:00:00.250Z'],
    ['2027-01-31T09:00:00+09:00', '2027-01-31T00:00:00.000Z'],
    ['2026-11-23T10:00:00.001Z', '2026-11-23T10:00:00.001Z'],
    ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
  ])('%s is %s', (text, instant) => {
    expect(parseExpiry(text, NOW)?.toISOString()).toBe(instant);
  });

  test('never is no time', () => {
    expect(parseExpiry('never', NOW)).toBeNull();
  });

  test.each([
    '',
    'Never',
    '30',
    '1M',
    '1y',
    '1.5d',
    '-1d',
    '0d',
    '1d2h',
    '1e9d',
    '2027-02-29',
    '2027-02-31',
    '2027-13-01',
    '2027-00-10',
    '0000-00-00',
    '0000-01-01',
    '+275760-09-13',
    '10000-01-01',
    '9999-12-31T23:59:59-09:00',
    '2027-01-31T25:00Z',
    '2027-06-30T23:59:60Z',
    '2027-01-31T09:00',
    '2027-1-31',
    '31.01.2027',
    'tomorrow',
    '9999999w',
    '99999999999999999999d',
  ])('%j is not a time', (text) => {
    expect(refusal(() => parseExpiry(text, NOW))).toMatchObject({
      code: 'usage',
      message: expect.stringContaining('is not a time'),
    });
  });

  test.each([
    '2020-01-01',
    '0001-01-01',
    '2026-11-23T10:00:00Z',
    '2026-11-23T10:59:59+01:00',
  ])('%s has passed', (text) => {
    expect(refusal(() => parseExpiry(text, NOW))).toMatchObject({
      code: 'usage',
      message: expect.stringContaining('has already passed'),
    });
  });

  test.each([
    'America/New_York',
    'Europe/Berlin',
    'Pacific/Apia',
    'UTC',
  ])('a day has 24 hours and a date begins at 00:00 UTC, also where clocks change: %s', (zone) => {
    const before = process.env.TZ;
    onTestFinished(() => {
      if (before === undefined) delete process.env.TZ;
      else process.env.TZ = before;
    });
    process.env.TZ = zone;
    const springEve = new Date('2027-03-13T12:00:00.000Z');
    expect(parseExpiry('30d', springEve)?.toISOString()).toBe('2027-04-12T12:00:00.000Z');
    expect(parseExpiry('2027-03-14', springEve)?.toISOString()).toBe('2027-03-14T00:00:00.000Z');
    expect(parseExpiry('2027-03-28', springEve)?.toISOString()).toBe('2027-03-28T00:00:00.000Z');
  });
});

test('the past is read as a span or a point', () => {
  expect(parseSince('7d', NOW).toISOString()).toBe('2026-11-16T10:00:00.000Z');
  expect(parseSince('2026-11-01', NOW).toISOString()).toBe('2026-11-01T00:00:00.000Z');
  for (const text of ['yesterday', '', '-7d', 'never', '2026-02-31', '9999-12-31T23:59:59-09:00'])
    expect(refusal(() => parseSince(text, NOW))).toEqual(usage);
});

test('spans and timeouts want a unit', () => {
  expect(parseDuration('90d', '--unused-for')).toBe(7_776_000_000);
  expect(refusal(() => parseDuration('90', '--unused-for'))).toMatchObject({
    code: 'usage',
    message: '--unused-for "90" is not a duration',
  });
  expect(refusal(() => parseTimeout('90')).message).toContain('--timeout "90"');
  expect([parseTimeout('500ms'), parseTimeout('10s'), parseTimeout('1m')]).toEqual([500, 10_000, 60_000]);
  for (const text of ['10', '0s', '11m', '-1s', 's', '1e3s', ''])
    expect(refusal(() => parseTimeout(text))).toEqual(usage);
});

test('a duration is a whole number of one unit', () => {
  expect(['1m', '1h', '1d', '1w', '9999999m'].map(durationMs)).toEqual([
    60_000, 3_600_000, 86_400_000, 604_800_000, 599_999_940_000,
  ]);
  for (const text of ['', 'd', '0d', '01d', '10000000m', '1s', '1 d', ' 1d', '1d ', '1d1d', 'x1d', '1D'])
    expect(durationMs(text)).toBeNull();
});

describe('the expiry that a program passes', () => {
  const date = new Date('2027-01-31T00:00:00.000Z');
  const past = new Date(NOW.getTime() - 1);

  test('is a date, or the words of --expires, or nothing', () => {
    expect(readExpiry({}, NOW)).toBeUndefined();
    expect(readExpiry({ expiresAt: null }, NOW)).toBeNull();
    expect(readExpiry({ expiresAt: date }, NOW)).toBe(date);
    expect(readExpiry({ expires: '2027-01-31' }, NOW)).toEqual(date);
    expect(readExpiry({ expires: 'never' }, NOW)).toBeNull();
  });

  test('is not both', () => {
    for (const expiresAt of [date, null])
      expect(refusal(() => readExpiry({ expires: '1d', expiresAt }, NOW))).toMatchObject({
        code: 'usage',
        message: expect.stringContaining('both given'),
      });
  });

  test('may not be over where it is set on its own', () => {
    for (const expiresAt of [past, NOW])
      expect(refusal(() => readNewExpiry({ expiresAt }, NOW))).toMatchObject({
        code: 'usage',
        message: expect.stringContaining(`${expiresAt.toISOString()} has already passed`),
      });
    expect(readNewExpiry({ expiresAt: date }, NOW)).toBe(date);
    expect(readNewExpiry({ expiresAt: null }, NOW)).toBeNull();
    expect(readNewExpiry({}, NOW)).toBeUndefined();
    expect(readExpiry({ expiresAt: past }, NOW)).toBe(past);
  });

  test('has a word', () => {
    expect([expiryWord(null), expiryWord(date)]).toEqual(['never', '2027-01-31T00:00:00.000Z']);
  });
});

describe('an expiry only moves nearer', () => {
  const at = new Date('2027-01-31T00:00:00.000Z');
  const earlier = new Date(at.getTime() - 1);
  const later = new Date(at.getTime() + 1);
  const key = (expiresAt: Date | null, damaged?: ['expiresAt'] | ['name']) => ({
    id: '0123456789ab',
    name: 'a',
    expiresAt,
    ...(damaged && { damaged }),
  });

  test.each([
    [null, null],
    [null, at],
    [at, at],
    [at, earlier],
  ])('from %o to %o', (from, to) => {
    expect(() => assertNearer(key(from), to)).not.toThrow();
    expect(() => assertNearer(key(from, ['name']), to)).not.toThrow();
  });

  test.each([
    [at, later, later.toISOString()],
    [at, null, 'never'],
  ])('not from %o to %o', (from, to, word) => {
    expect(refusal(() => assertNearer(key(from), to))).toMatchObject({
      code: 'conflict',
      message: expect.stringContaining(`key "a" (0123456789ab) expires at ${from.toISOString()}`),
      hint: expect.stringContaining(`rotate 0123456789ab --expires ${word}`),
    });
  });

  test('and nowhere from one that cannot be read', () => {
    for (const to of [null, earlier])
      expect(refusal(() => assertNearer(key(at, ['expiresAt']), to))).toMatchObject({
        code: 'conflict',
        message: expect.stringContaining('damaged'),
        hint: expect.stringContaining('delete 0123456789ab'),
      });
  });
});

test('a timeout is at most ten minutes', () => {
  expect(['1ms', '600000ms', '600s', '10m'].map((text) => parseTimeout(text))).toEqual([1, 600_000, 600_000, 600_000]);
  for (const text of ['600001ms', '601s', '1h', ' 1s', '1s ', '10000000ms'])
    expect(refusal(() => parseTimeout(text, '--wait')).message).toContain(`--wait ${JSON.stringify(text)} is not`);
});
