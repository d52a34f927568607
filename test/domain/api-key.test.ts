import { describe, expect, test } from 'vitest';
import { isUndelivered, statusAt } from '../../src/domain/api-key.js';
import { assertNewName, mixedScripts, nameKey, readDescription, readName } from '../../src/domain/key-name.js';
import { mintKeyString } from '../../src/domain/key-parts.js';
import { refusal, usage } from '../support/refusal.js';

const NOW = new Date('2026-11-23T10:00:00.000Z');
const { keyString: KEY_STRING, secret: SECRET } = mintKeyString('live');

/** Text that would do something to a terminal, or could not be seen there. */
const UNSEEN: [what: string, text: string][] = [
  ['a title', '\u001b]0;x\u0007'],
  ['a clipboard write', '\u001b]52;c;eA==\u0007'],
  ['a link', '\u001b]8;;http://x\u001b\\'],
  ['a cleared screen', '\u001b[2J'],
  ['a question to the terminal', '\u001b[6n'],
  ['a device control string', '\u001bPx\u001b\\'],
  ['C1 controls', '\u009b2J\u009d\u0090'],
  ['a carriage return', '\rb'],
  ['a backspace', '\bb'],
  ['NUL', '\0b'],
  ['a tab', '\tb'],
  ['a line end', '\n{"forged":true}'],
  ['a line separator', '\u2028b'],
  ['right to left', '\u202eb'],
  ['an isolate', '\u2066b\u2069'],
  ['zero width', '\u200bb'],
  ['a joiner between letters', '\u200db'],
  ['a byte order mark', '\ufeffb'],
  ['a soft hyphen', '\u00adb'],
  ['tag characters', '\u{e0041}b'],
  ['Hangul fillers', '\u115f\u1160\u3164\uffa0'],
  ['private use', '\ue000'],
  ['a lone surrogate', '\ud800b'],
];

describe('names', () => {
  test.each([
    'a',
    '7',
    'partner-checkin',
    '施設連携',
    'ゲート１号機',
    'team 👩‍💻 keys',
    'Ñandú ß İ',
    'x'.repeat(64),
    '𠮷'.repeat(64),
    "x'; DROP TABLE keys;--",
    'x%s%n $(id) `id` <script> ../../x ::add-mask::x',
    'constructor',
  ])('%s is a name, as it stands', (name) => {
    expect(readName(name)).toBe(name);
  });

  test.each([
    ['nothing', ''],
    ['blanks', '   '],
    ['an ideographic blank', '\u3000'],
    ['an option', '--help'],
    ['a hyphen', '-'],
    ['a formula', '=1+1'],
    ['a call', '@SUM(1)'],
    ['a prototype', '__proto__'],
    ['a workflow command', '::set-output'],
    ['an emoji first', '👩‍💻'],
    ['a leading blank', ' a'],
    ['a trailing blank', 'a '],
    ['65 characters', 'x'.repeat(65)],
    ['65 characters beyond the basic plane', '𠮷'.repeat(65)],
    ['500 combining marks', `a${'\u0301'.repeat(500)}`],
    ['a million', 'x'.repeat(1_000_000)],
    ['a key string', `my ${KEY_STRING}`],
    ['a variation selector', 'ci\ufe0f'],
    ['a grapheme joiner', 'c\u034fi'],
    ['a blank of Braille', 'c\u2800i'],
    ['a blank that does not break', 'c\u00a0i'],
    ['a wide blank', 'c\u3000i'],
    ['a thin blank', 'c\u2009i'],
    ['most of a key string', `my ${KEY_STRING.slice(0, 40)}`],
    ...UNSEEN.map(([what, text]): [string, string] => [what, `a${text}`]),
  ])('%s is not', (_, name) => {
    expect(refusal(() => readName(name))).toEqual(usage);
  });

  test.each([
    KEY_STRING,
    `a${KEY_STRING}`,
    `${KEY_STRING}x`,
    KEY_STRING.slice(0, 45),
    KEY_STRING.toUpperCase(),
  ])('a refusal of a key string does not repeat it', (name) => {
    const { message, hint } = refusal(() => readName(name));
    expect(`${message}${hint}`.toLowerCase()).not.toContain(SECRET.slice(0, 6).toLowerCase());
  });

  test('what a refusal repeats of a name is safe to show', () => {
    for (const [, text] of UNSEEN) expect(refusal(() => readName(`a${text}`)).message).toMatch(/^[\x20-\x7e]*$/);
  });

  test('names are stored in NFC, and compared in NFC and without case', () => {
    const [composed, apart] = ['Caf\u00e9', 'Cafe\u0301'];
    expect(readName(apart)).toBe(composed);
    expect(new Set([composed, apart, 'CAF\u00c9', 'CAFE\u0301'].map(nameKey)).size).toBe(1);
    expect(nameKey('partner')).not.toBe(nameKey('раrtner'));
  });

  test('a blank that is not a space is named, not repeated', () => {
    expect(refusal(() => readName('c\u00a0i')).message).toBe(
      'name "cU+00A0i" contains the blank U+00A0, which is not a space',
    );
  });

  test.each([
    '01abcdefghjk',
    '01ABCDEFGHJK',
    'partnercheck',
    'unlk_live_01abcdefghjk',
    'unlk_test_01abcdefghjk_…',
    'UNLK_TEST_01abcdefghjk_...',
  ])('%s is no new name: it would be taken for another key', (name) => {
    expect(readName(name)).toBe(name); // keys of earlier versions have such names
    expect(refusal(() => assertNewName(name))).toEqual(usage);
  });

  test.each([
    '01abcdefghj',
    '01abcdefghjkm',
    'lloydsclinic',
    'partner-chec',
    'unlk_live_x',
    'unlk_live_01abcdefghju',
  ])('%s is a new name', (name) => {
    assertNewName(readName(name));
  });

  test('64 characters are counted as they are stored, not as they were typed', () => {
    expect(readName('e\u0301'.repeat(64))).toBe('\u00e9'.repeat(64));
    expect(refusal(() => readName('e\u0301'.repeat(65)))).toEqual(usage);
  });

  test('only names that mix look-alike scripts are worth a warning', () => {
    expect(mixedScripts('р\u0430rtner')).toEqual(['Latin', 'Cyrillic']);
    expect([mixedScripts('partner'), mixedScripts('партнёр'), mixedScripts('施設 checkin')]).toEqual([[], [], []]);
  });
});

describe('descriptions', () => {
  test.each([
    ['', null],
    ['   ', null],
    [' for the kiosk ', 'for the kiosk'],
    ['=1+1', '=1+1'],
    ['Cafe\u0301', 'Caf\u00e9'],
    ['-- 施設 👩‍💻', '-- 施設 👩‍💻'],
    ['x'.repeat(500), 'x'.repeat(500)],
    ['𠮷'.repeat(500), '𠮷'.repeat(500)],
  ])('%.20j is stored as %.20j', (text, stored) => {
    expect(readDescription(text)).toBe(stored);
  });

  test.each([
    ['501 characters', 'x'.repeat(501)],
    ['a million', 'x'.repeat(1_000_000)],
    ['a key string', KEY_STRING],
    ['most of a key string', KEY_STRING.slice(0, 40)],
    ...UNSEEN.map(([what, text]): [string, string] => [what, `a${text}a`]),
  ])('%s is refused', (_, text) => {
    const { code, message, hint } = refusal(() => readDescription(text));
    expect(code).toBe('usage');
    expect(`${message}${hint}`).not.toContain(SECRET.slice(0, 6));
  });
});

test('a key expires at its instant, and an inactive one stays inactive', () => {
  const at = (ms: number) => new Date(NOW.getTime() + ms);
  expect(statusAt({ status: 'active', expiresAt: at(1) }, NOW)).toBe('active');
  expect(statusAt({ status: 'active', expiresAt: NOW }, NOW)).toBe('expired');
  expect(statusAt({ status: 'inactive', expiresAt: at(-1) }, NOW)).toBe('inactive');
  expect(statusAt({ status: 'active', expiresAt: null }, NOW)).toBe('active');
});

test('a damaged key is said to be damaged, whatever its status', () => {
  for (const status of ['active', 'inactive'] as const)
    expect(statusAt({ status, expiresAt: NOW, damaged: ['name'] }, NOW)).toBe('damaged');
});

test.each([
  ['readName', readName, 'name'],
  ['readDescription', readDescription, 'description'],
] as const)('%s names what it refuses: lost text, and a key string', (_name, read, what) => {
  expect(refusal(() => read('Caf\ufffd'))).toMatchObject({
    code: 'usage',
    message: `the ${what} contains U+FFFD: it was not UTF-8 text where it came from`,
  });
  expect(refusal(() => read(`a ${KEY_STRING}`))).toMatchObject({
    message: `the ${what} contains a key string`,
    hint: expect.stringContaining(`a ${what} is not secret`),
  });
});

test.each([
  ['', 'is empty'],
  ['  ', 'is empty'],
  ['(\u00e9', 'does not begin with a letter or a digit'],
  ['\u2014 dash', 'does not begin with a letter or a digit'],
  ['-x', 'does not begin with a letter or a digit'],
])('the name %j %s', (name, why) => {
  expect(refusal(() => readName(name)).message).toContain(why);
});

test('a name that could be taken for a key is refused by what it looks like', () => {
  expect(refusal(() => assertNewName('0123456789ab')).message).toContain('the form of a key id');
  expect(refusal(() => assertNewName('unlk_live_0123456789ab_')).message).toContain('the form of a masked key string');
});

test.each([
  [{}, null, false],
  [{ 'manifest/delivery': 'pending' }, null, true],
  [{ 'manifest/delivery': 'pending:run' }, null, true],
  [{ 'manifest/delivery': 'pending-x' }, null, false],
  [{ 'manifest/delivery': 'x:pending:' }, null, false],
  [{ 'manifest/delivery': 'pending' }, NOW, false],
])('a key with the labels %j, last used at %s, was handed out to nobody: %s', (labels, lastUsedAt, nobody) => {
  expect(isUndelivered({ labels, lastUsedAt } as never)).toBe(nobody);
});
