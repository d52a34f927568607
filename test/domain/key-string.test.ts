import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checksum, idWithin, mintKeyString, parseKeyString, readTypedId } from '../../src/domain/key-parts.js';
import { holdsKeyString, KEY_STRING_IN_TEXT, maskKey, redactKeyStrings } from '../../src/domain/key-string.js';
import { quoted } from '../../src/domain/text.js';

const SECRET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef';
const body = (mode: string) => `unlk_${mode}_0123456789ab_${SECRET}`;
const EVERY_CHARACTER = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i));

test.each([
  ['test', '1ZYncv'],
  ['live', '4SGRnb'],
])('the known answer for mode %s has check %s', (mode, check) => {
  expect(checksum(body(mode))).toBe(check);
  expect(parseKeyString(body(mode) + check)).toEqual({
    ok: true,
    mode,
    id: '0123456789ab',
    secret: SECRET,
    body: body(mode),
  });
});

test.each([
  ['nothing', '', '000000'],
  ['a text whose CRC is ffffffff', 'kMAbB0', '4gfFC3'],
])('the check of %s is six digits wide', (_, text, check) => {
  expect(checksum(text)).toBe(check);
});

test('a minted key string parses to the parts that it was minted from, whatever the randomness', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('live' as const, 'test' as const),
      fc.uint8Array({ minLength: 64, maxLength: 64 }),
      (mode, seed) => {
        let calls = 0;
        const minted = mintKeyString(mode, (size) => (calls++ === 0 ? seed.slice(0, size) : randomBytes(size)));
        const { keyString, ...parts } = minted;
        expect(keyString).toHaveLength(61);
        expect(parseKeyString(keyString)).toEqual({ ok: true, ...parts });
      },
    ),
  );
});

test('every change of a single character is refused', () => {
  const { keyString } = mintKeyString('live');
  for (let at = 0; at < keyString.length; at++) {
    for (const char of EVERY_CHARACTER) {
      if (char === keyString[at]) continue;
      expect(parseKeyString(keyString.slice(0, at) + char + keyString.slice(at + 1)).ok).toBe(false);
    }
  }
});

describe('what is not a key string', () => {
  const { keyString } = mintKeyString('test');
  const other = mintKeyString('test').keyString;
  test.each<[string, unknown]>([
    ['nothing', ''],
    ['61 blanks', ' '.repeat(61)],
    ['one character', 'u'],
    ['60 characters', keyString.slice(0, 60)],
    ['62 characters', `${keyString}x`],
    ['a megabyte', 'u'.repeat(1_000_000)],
    ['a line end after it', `${keyString}\n`],
    ['a blank before it', ` ${keyString}`],
    ['a NUL after it', `${keyString}\0`],
    ['an upper-case prefix', keyString.replace('unlk', 'UNLK')],
    ['an upper-case id', keyString.slice(0, 10) + keyString.slice(10, 22).toUpperCase() + keyString.slice(22)],
    ['full-width letters', keyString.replace('u', 'ｕ')],
    ['a Cyrillic look-alike', keyString.replace('test', 'tеst')],
    ['a lone surrogate', `${keyString.slice(0, 60)}\ud800`],
    ['two keys and a comma', `${keyString},${other}`],
    ['a Bearer header', `Bearer ${keyString}`],
    ['a Bearer header, twice', `Bearer Bearer ${keyString}`],
    ['a combining mark in place of its last character', `${keyString.slice(0, 60)}\u0301`],
    ['a list', [keyString]],
    ['an object that prints as one', { length: 61, toString: () => keyString }],
    ['a String object', Object(keyString)],
    ['a number', 61],
    ['null', null],
    ['undefined', undefined],
  ])('%s has not even its shape', (_, text) => {
    expect(parseKeyString(text)).toEqual({ ok: false, problem: 'shape' });
  });

  test.each([
    ['another key string’s check', keyString.slice(0, 55) + other.slice(55)],
    ['the other mode without its check', keyString.replace('_test_', '_live_')],
    ['another id without its check', keyString.slice(0, 10) + other.slice(10, 22) + keyString.slice(22)],
    ['another secret without its check', keyString.slice(0, 23) + other.slice(23, 55) + keyString.slice(55)],
  ])('%s has a wrong checksum', (_, text) => {
    expect(parseKeyString(text)).toMatchObject({ ok: false, problem: 'checksum', id: text.slice(10, 22) });
  });
});

test('a wrong checksum still tells mode and id, and nothing else', () => {
  expect(parseKeyString(`${body('test')}000000`)).toEqual({
    ok: false,
    problem: 'checksum',
    mode: 'test',
    id: '0123456789ab',
  });
});

test('secrets are uniform over 62 characters (chi-square over a million), and none comes twice', () => {
  const counts = new Map<string, number>();
  const rounds = 31_250;
  const minted = Array.from({ length: rounds }, () => mintKeyString('test'));
  for (const { secret } of minted) for (const char of secret) counts.set(char, (counts.get(char) ?? 0) + 1);
  for (const part of ['id', 'secret', 'keyString'] as const)
    expect(new Set(minted.map((each) => each[part])).size).toBe(rounds);
  const expected = (rounds * 32) / 62;
  const chiSquare = [...counts.values()].reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  expect(counts.size).toBe(62);
  expect(chiSquare).toBeLessThan(150); // 61 degrees of freedom: beyond 150 once in a hundred million runs; `% 62` on bytes gives over 6,000
});

test('bytes that would favour some letters are drawn again', () => {
  let calls = 0;
  const { secret } = mintKeyString('test', (size) =>
    calls++ < 2 ? new Uint8Array(size).fill(255) : new Uint8Array(size).fill(61),
  );
  expect(secret).toBe('z'.repeat(32));
});

test('nothing of a key comes from Math.random', () => {
  const original = Math.random;
  Math.random = () => {
    throw new Error('Math.random was called');
  };
  try {
    expect(parseKeyString(mintKeyString('live').keyString).ok).toBe(true);
  } finally {
    Math.random = original;
  }
});

test('ids use 32 letters, none of which is mistaken for another', () => {
  const ids = Array.from({ length: 1000 }, () => mintKeyString('live').id);
  for (const id of ids) expect(id).toMatch(/^[0-9a-hjkmnp-tv-z]{12}$/);
  expect(new Set(ids.join('')).size).toBe(32);
  expect(new Set(ids).size).toBe(1000);
});

test('an id may be typed in upper case, with i and l for 1 and o for 0', () => {
  expect(readTypedId('O1IL23ABCXYZ')).toBe('011123abcxyz');
});

test('the mask and the redactor show no character of the secret', () => {
  const { keyString, id, secret } = mintKeyString('live');
  expect(maskKey('live', id)).toBe(`unlk_live_${id}_…`);
  const text = `first ${keyString}, then "${keyString}"`;
  expect(redactKeyStrings(text)).toBe(`first unlk_live_${id}_…, then "unlk_live_${id}_…"`);
  expect(redactKeyStrings(text)).not.toContain(secret.slice(0, 4));
});

test('what is cut, grown, mistyped or relabelled still counts as a key string, and is masked', () => {
  const { keyString, id, secret } = mintKeyString('live');
  const nearly = [
    keyString,
    keyString.slice(0, 60),
    keyString.slice(0, 29),
    `${keyString}0`,
    `x${keyString}`,
    keyString.toUpperCase(),
    `${keyString.slice(0, 12)}o${keyString.slice(13)}`,
    `a "${keyString}",\n${keyString}`,
  ];
  for (const text of nearly) {
    expect(holdsKeyString(text), text.slice(0, 24)).toBe(true);
    expect(redactKeyStrings(text).toLowerCase()).not.toContain(secret.slice(0, 6).toLowerCase());
  }
  for (const text of [
    '',
    'partner',
    maskKey('live', id),
    `unlk_live_${id}`,
    `unlk_live_${id}_`,
    'unlk_live_',
    secret,
  ]) {
    expect(holdsKeyString(text), text).toBe(false);
    expect(redactKeyStrings(text)).toBe(text);
  }
});

test('the scanner pattern finds a thousand keys and none of eight thousand near misses', () => {
  const minted = Array.from({ length: 1000 }, () => mintKeyString('live').keyString);
  expect(minted.join('\n').match(KEY_STRING_IN_TEXT)).toEqual(minted);
  const spoil = [
    (key: string) => key.slice(1),
    (key: string) => key.slice(0, 60),
    (key: string) => key.replace('_live_', '_prod_'),
    (key: string) => key.replace(/_([^_]{12})_/, '_$1-'),
    (key: string) => `${key.slice(0, 10)}i${key.slice(11)}`,
    (key: string) => `${key.slice(0, 30)}-${key.slice(31)}`,
    (key: string) => key.toUpperCase(),
    (key: string) => key.split('').reverse().join(''),
  ];
  const misses = minted.flatMap((key) => spoil.map((each) => each(key)));
  expect(misses).toHaveLength(8000);
  expect(misses.join('\n').match(KEY_STRING_IN_TEXT)).toBeNull();
  expect(
    minted
      .map((key) => JSON.stringify(`\n${key}x`))
      .join()
      .match(KEY_STRING_IN_TEXT),
  ).toEqual(minted);
});

describe('a key string that was cut, grown or mistyped still gives its secret away', () => {
  const { keyString, secret } = mintKeyString('live');
  test.each([
    ['one character short', keyString.slice(0, 60)],
    ['cut after half its secret', keyString.slice(0, 39)],
    ['one character long', `${keyString}x`],
    ['with a letter before it', `x${keyString}`],
    ['in upper case', keyString.toUpperCase()],
    ['with a wrong letter in its id', `${keyString.slice(0, 10)}i${keyString.slice(11)}`],
    ['with its secret cut by a blank', `${keyString.slice(0, 40)} ${keyString.slice(40)}`],
  ])('%s, it is taken for one and masked', (_, text) => {
    expect(holdsKeyString(text)).toBe(true);
    expect(redactKeyStrings(text).toLowerCase()).not.toContain(secret.slice(0, 6).toLowerCase());
  });

  test.each([
    'unlk_live_0123456789ab_…',
    'unlk_live_0123456789ab',
    'unlk_test_',
    'partner unlk_',
  ])('%s is not', (text) => {
    expect(holdsKeyString(text)).toBe(false);
    expect(redactKeyStrings(text)).toBe(text);
  });

  test('quoting masks before it cuts', () => {
    for (let before = 0; before < 90; before++)
      expect(quoted(`${'x'.repeat(before)} ${keyString}`)).not.toContain(secret.slice(0, 6));
  });
});

test('the id stands within a key string', () => {
  const { keyString, id } = mintKeyString('live');
  expect(idWithin(keyString)).toBe(id);
});
