import { describe, expect, test } from 'vitest';
import { mixedScripts, nameKey, readDescription, readName, statusAt } from '../../src/domain/api-key.js';
import { KeysError } from '../../src/domain/errors.js';
import { parseDuration, parseExpiry, parseSince, parseTimeout } from '../../src/domain/expiry.js';
import { mintKeyString } from '../../src/domain/key-string.js';
import { describeRateLimit, formatRateLimit, parseRateLimit } from '../../src/domain/rate-limit.js';
import { assertScopeForm, type CatalogueScope, didYouMean, resolveScopes, splitList } from '../../src/domain/scopes.js';

const NOW = new Date('2026-11-23T10:00:00.000Z');
const usage = expect.objectContaining({ code: 'usage' });

/** The error that `read` throws; none is a failure of the test. */
function refusal(read: () => unknown): KeysError {
  try {
    read();
  } catch (error) {
    expect(error).toBeInstanceOf(KeysError);
    return error as KeysError;
  }
  throw new Error('nothing was refused');
}

describe('names', () => {
  test.each([
    'a',
    '7',
    'partner-checkin',
    '施設連携',
    'team 👩‍💻 keys',
    'Ñandú',
    'x'.repeat(64),
    '=not first'.slice(1),
  ])('%s is a name', (name) => {
    expect(readName(name)).toBe(name.normalize('NFC'));
  });

  test.each([
    ['nothing', ''],
    ['blanks', '   '],
    ['an option', '--help'],
    ['a hyphen', '-'],
    ['a formula', '=1+1'],
    ['a leading blank', ' a'],
    ['a trailing blank', 'a '],
    ['65 characters', 'x'.repeat(65)],
    ['a million', 'x'.repeat(1_000_000)],
    ['an escape', 'a\u001b[2J'],
    ['bidi', 'a\u202eb'],
    ['zero width', 'a\u200bb'],
    ['a line break', 'a\n{"forged":true}'],
    ['a key string', `my ${mintKeyString('live').keyString}`],
  ])('%s is not', (_, name) => {
    expect(refusal(() => readName(name))).toEqual(usage);
  });

  test('a refusal of a key string does not repeat it', () => {
    const { keyString, secret } = mintKeyString('live');
    const { message, hint } = refusal(() => readName(keyString));
    expect(`${message}${hint}`).not.toContain(secret.slice(0, 6));
  });

  test('names are compared in NFC and without case', () => {
    expect(nameKey('Café')).toBe(nameKey('CAFE\u0301'));
    expect(readName('Cafe\u0301')).toBe('Café');
  });

  test('only names that mix look-alike scripts are worth a warning', () => {
    expect(mixedScripts('р\u0430rtner')).toEqual(['Latin', 'Cyrillic']);
    expect([mixedScripts('partner'), mixedScripts('партнёр'), mixedScripts('施設 checkin')]).toEqual([[], [], []]);
  });
});

test.each([
  ['', null],
  ['   ', null],
  [' for the kiosk ', 'for the kiosk'],
  ['=1+1', '=1+1'],
])('description %j is stored as %j', (text, stored) => {
  expect(readDescription(text)).toBe(stored);
});

test.each([
  'a\nb',
  'x'.repeat(501),
  'x'.repeat(10_000),
  '\u001b]52;c;eA==\u0007',
  mintKeyString('test').keyString,
])('description %# is refused', (text) => {
  expect(refusal(() => readDescription(text))).toEqual(usage);
});

test('a key expires at its instant, and an inactive one stays inactive', () => {
  const at = (ms: number) => new Date(NOW.getTime() + ms);
  expect(statusAt({ status: 'active', expiresAt: at(1) }, NOW)).toBe('active');
  expect(statusAt({ status: 'active', expiresAt: NOW }, NOW)).toBe('expired');
  expect(statusAt({ status: 'inactive', expiresAt: at(-1) }, NOW)).toBe('inactive');
  expect(statusAt({ status: 'active', expiresAt: null }, NOW)).toBe('active');
});

describe('rate limits', () => {
  test.each([
    ['10/s', '10 requests per second'],
    ['600/m', '600 requests per minute'],
    ['1/h', '1 request per hour'],
    ['100000/d', '100000 requests per day'],
  ])('%s means %s, and prints as it was read', (text, words) => {
    expect(describeRateLimit(parseRateLimit(text))).toBe(words);
    expect(formatRateLimit(parseRateLimit(text))).toBe(text);
  });

  test.each([
    '',
    '600',
    '0/m',
    '-1/m',
    '1.5/m',
    '1e3/m',
    '0x10/m',
    '600/w',
    '600/M',
    ' 600/m',
    '600/m ',
    '9999999999/m',
    'NaN/m',
    '600/mm',
  ])('%j is refused', (text) => {
    expect(refusal(() => parseRateLimit(text))).toEqual(usage);
  });
});

describe('times', () => {
  test.each([
    ['30m', '2026-11-23T10:30:00.000Z'],
    ['12h', '2026-11-23T22:00:00.000Z'],
    ['90d', '2027-02-21T10:00:00.000Z'],
    ['6w', '2027-01-04T10:00:00.000Z'],
    ['2027-01-31', '2027-01-31T00:00:00.000Z'],
    ['2028-02-29', '2028-02-29T00:00:00.000Z'],
    ['2027-01-31T09:00Z', '2027-01-31T09:00:00.000Z'],
    ['2027-01-31T09:00:00+09:00', '2027-01-31T00:00:00.000Z'],
  ])('expiry %s is %s', (text, instant) => {
    expect(parseExpiry(text, NOW)?.toISOString()).toBe(instant);
  });

  test('never is no time', () => {
    expect(parseExpiry('never', NOW)).toBeNull();
  });

  test.each([
    '',
    '30',
    '1M',
    '1y',
    '1.5d',
    '-1d',
    '0d',
    '1d2h',
    '2027-02-29',
    '2027-13-01',
    '2027-00-10',
    '0000-00-00',
    '+275760-09-13',
    '2027-01-31T25:00Z',
    '2027-01-31T09:00',
    '2027-1-31',
    '31.01.2027',
    'tomorrow',
    '2020-01-01',
    '2026-11-23T10:00:00Z',
    '9999999w',
  ])('expiry %j is refused', (text) => {
    expect(refusal(() => parseExpiry(text, NOW))).toEqual(usage);
  });

  test('the past is read as a span or a point', () => {
    expect(parseSince('7d', NOW).toISOString()).toBe('2026-11-16T10:00:00.000Z');
    expect(parseSince('2026-11-01', NOW).toISOString()).toBe('2026-11-01T00:00:00.000Z');
    expect(refusal(() => parseSince('yesterday', NOW))).toEqual(usage);
  });

  test('spans and timeouts want a unit', () => {
    expect(parseDuration('90d', '--unused-for')).toBe(7_776_000_000);
    expect(refusal(() => parseDuration('90', '--unused-for')).message).toContain('--unused-for "90"');
    expect([parseTimeout('500ms'), parseTimeout('10s'), parseTimeout('1m')]).toEqual([500, 10_000, 60_000]);
    for (const text of ['10', '0s', '11m', '-1s', 's']) expect(refusal(() => parseTimeout(text))).toEqual(usage);
  });
});

describe('scopes', () => {
  const entry = (scope: string, retired = false): CatalogueScope => {
    const [category = '', action = ''] = scope.split(':');
    return { scope, category, categoryLabel: category, action, retired };
  };
  const catalogue = [entry('checkin:read'), entry('checkin:create'), entry('plan:read'), entry('plan:purge', true)];

  test.each([
    [['plan:read'], ['plan:read']],
    [
      ['plan:read', 'checkin:read', 'plan:read'],
      ['checkin:read', 'plan:read'],
    ],
    [['checkin:*'], ['checkin:read', 'checkin:create']],
    [['plan:*'], ['plan:read']],
    [[], []],
  ])('%j comes to %j', (asked, stored) => {
    expect(resolveScopes(asked, catalogue)).toEqual(stored);
  });

  test.each([
    '*',
    '*:read',
    'check*',
    'Checkin:read',
    'checkin:read ',
    'checkin',
    'checkin:rea',
    'checkin:readd',
    'constructor',
    '__proto__',
    'plan:purge',
    'other:*',
    'plan：read',
    '',
  ])('%j is refused', (scope) => {
    expect(refusal(() => resolveScopes([scope], catalogue))).toEqual(usage);
  });

  test('every bad piece is named at once, with a guess where there is one', () => {
    const { message } = refusal(() =>
      resolveScopes(['chekin:read', 'plan:read', 'nonsense', 'plan:purge', 'chekin:*'], catalogue),
    );
    expect(message.split('\n')).toEqual([
      'unknown scope "chekin:read", did you mean checkin:read?',
      'unknown scope "nonsense"',
      'scope "plan:purge" is retired',
      'unknown scope "chekin:*", did you mean checkin:*?',
    ]);
  });

  test('ten thousand entries come to what they name', () => {
    expect(
      resolveScopes(
        Array.from({ length: 10_000 }, () => 'plan:read'),
        catalogue,
      ),
    ).toEqual(['plan:read']);
  });

  test('flag values are split at commas, and empty pieces dropped', () => {
    expect(splitList(['a:b,c:d', '', ' e:f ,'])).toEqual(['a:b', 'c:d', 'e:f']);
  });

  test.each([
    'plan:*',
    'plan',
    'plan:',
    ':read',
    'Plan:read',
    'plan:read:all',
    'plan read',
    `${'p'.repeat(40)}:read`,
  ])('%j cannot join the catalogue', (scope) => {
    expect(refusal(() => assertScopeForm(scope))).toEqual(usage);
  });

  test('nothing far away is guessed', () => {
    expect(didYouMean('partner', ['partners', 'other'])).toBe('partners');
    expect(didYouMean('zzzzzz', ['partners', 'other'])).toBeNull();
    expect(didYouMean('x', [])).toBeNull();
  });
});
