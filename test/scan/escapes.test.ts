import { describe, expect, test } from 'vitest';
import { mintKeyString } from '../../src/domain/key-parts.js';
import { isAlphanumeric, MAX_WRITTEN_BYTES, readWritten } from '../../src/scan/escapes.js';

/** Always the same, so that what stands beside an escape is, too. */
const { keyString: KEY } = mintKeyString('live', (size) =>
  Uint8Array.from({ length: size }, (_, i) => (i * 7 + 37) % 248),
);
const read = (text: string | Buffer, start = 0) => readWritten(Buffer.from(text as string), start);
/** Puts `noise` behind the first characters of the key string. */
const parted = (count: number, noise: string) => KEY.slice(0, count) + noise + KEY.slice(count);
const whole = (text: string) => ({ text: KEY, length: Buffer.byteLength(text) });

describe('an underscore may be written as', () => {
  test.each([
    '_',
    '\\_',
    '%5f',
    '%5F',
    '%255f',
    '%25255F',
    '%2525255f',
    '=5f',
    '\\x5f',
    '\\u005f',
    '\\u{5f}',
    '\\u{5F}',
    '\\u{00005f}',
    '\\137',
    '\\\\137',
    `${'\\'.repeat(16)}137`,
    '&#95;',
    '&#095;',
    '&#0000095;',
    '&#x5f;',
    '&#X5F;',
    '&#x00005f;',
    '&lowbar;',
    '&UnderBar;',
  ])('%s', (written) => {
    const text = KEY.replaceAll('_', written);
    expect(read(text)).toEqual(whole(text));
    expect(read(`x${text}y`, 1)).toEqual(whole(text));
  });

  test.each([
    '-',
    '%60',
    '%252525255f',
    '%215f',
    '=255f',
    '&&#95;',
    '%5',
    '%',
    '%g5',
    '%5g',
    '=25 5f',
    '\\',
    '\\x5',
    '\\x5g',
    '\\u05f',
    '\\u{5f',
    '\\u{0000000005f}',
    '\\u{}',
    '\\u{5g}',
    '\\13',
    '\\138',
    '\\136',
    `${'\\'.repeat(17)}137`,
    '&#95',
    '&#;',
    '&#x;',
    '&#00000095;',
    '&#x000005f;',
    '&#96;',
    '&lowbar',
    '&lowba;',
    '&underbar;',
    '<wbr_',
    '<b>_',
    '&amp;',
    '^_',
    '\\t',
    'a',
  ])('but not as %s', (written) => {
    expect(read(KEY.replace('_', written))).toBeNull();
  });
});

test('letters and digits may be escaped as well, but not be other characters', () => {
  const hex = (char: string) => char.charCodeAt(0).toString(16).padStart(2, '0');
  const rest = [...KEY.slice(4)].map((char) => `%${hex(char)}`).join('');
  expect(read(KEY.slice(0, 4) + rest)).toEqual(whole(KEY.slice(0, 4) + rest));
  for (const other of ['%2d', '%40', '%5b', '%60', '%7b', '%2f', '%3a', '%5f', '\\_', '&lowbar;'])
    expect(read(KEY.slice(0, 30) + other + KEY.slice(31))).toBeNull();
  const ends = [0x30, 0x39, 0x41, 0x5a, 0x61, 0x7a];
  expect(ends.every(isAlphanumeric)).toBe(true);
  expect([0x2f, 0x3a, 0x40, 0x5b, 0x60, 0x7b, 0x5f].some(isAlphanumeric)).toBe(false);
});

describe('between two characters there may be', () => {
  test.each([
    ['a line break', '\n'],
    ['one of Windows', '\r\n'],
    ['several, with indentation', '\n\n \t'],
    ['a quoted line of mail', '\n> > '],
    ['64 blanks', `\n${' '.repeat(64)}`],
    ['a tab', '\t'],
    ['a soft line break', '=\r\n'],
    ['a soft line break of Unix', '=\n'],
    ['a line that goes on', '\\\n'],
    ['one of Windows that goes on', '\\\r\n'],
    ['an escaped line break', '\\n'],
    ['an escaped one of Windows', '\\r\\n'],
    ['one escaped twice', '\\\\n    '],
    ['an encoded line break', '%0a'],
    ['an encoded one of Windows', '%0D%0A'],
    ['an encoded tab', '%09'],
    ['one in HTML', '&#10;'],
    ['a colour', '\u001b[1;31m'],
    ['a colour with colons', '\u001b[38:2::1:2:3m'],
    ['an end of line that is deleted', '\u001b[K'],
    ['a private mode', '\u001b[?25l'],
    ['33 characters of a sequence', `\u001b[${'1'.repeat(32)}m`],
    ['a colour in C', '\\033[0m'],
    ['a colour in a shell', '\\e[0m'],
    ['a colour in hexadecimal', '\\x1b[0m'],
    ['a colour in JSON', '\\u001b[0m'],
    ['a colour as cat shows it', '^[[0m'],
    ['a soft hyphen', '\u00ad'],
    ['a zero-width space', '\u200b'],
    ['a zero-width joiner', '\u200d'],
    ['a word joiner', '\u2060'],
    ['a byte order mark', '\ufeff'],
    ['a place to break a word in HTML', '<wbr>'],
    ['the beginning of a hyperlink', '\u001b]8;;https://a.example\u0007'],
    ['the end of one', '\u001b]8;;\u001b\\'],
    ['an escaped soft hyphen', '\\u00ad'],
    ['a soft hyphen in HTML', '&#173;'],
  ])('%s', (_what, noise) => {
    for (const count of [4, 5, 30, 60]) expect(read(parted(count, noise))).toEqual(whole(parted(count, noise)));
  });

  test.each([
    ['a blank', ' '],
    ['a quote', '"'],
    ['an escaped quote', '\\"'],
    ['65 blanks', `\n${' '.repeat(65)}`],
    ['a line break and a bar', '\n|'],
    ['a bell', '\u0007'],
    ['an encoded blank', '%20'],
    ['a sequence that is too long', `\u001b[${'1'.repeat(33)}m`],
    ['a sequence without an end', '\u001b[1;!'],
    ['an escape without a bracket', '\u001bm'],
    ['a caret', '^'],
    ['a caret, another letter, and the rest of a colour', '^Z[0m'],
    ['an escape, another letter, and the rest of a colour', '\u001bx[0m'],
    ['a percent sign at the end of a line', '%\n'],
    ['a soft hyphen and a blank', '\u00ad '],
    ['a caret and another letter', '^Z'],
    ['a letter with an accent', '\u00e9'],
    ['a pound sign', '\u00a3'],
    ['a hyphen of Unicode', '\u2212'],
    ['an escaped zero', '\\0'],
    ['a letter that is no escape', '\\q'],
  ])('but not %s', (_what, noise) => {
    expect(read(parted(30, noise))).toBeNull();
  });
});

test('a text that ends inside a key string is cut', () => {
  for (let length = 0; length < KEY.length; length++) expect(read(KEY.slice(0, length))).toBe('cut');
  expect(read('')).toBe('cut');
  expect(read(`${KEY.slice(0, 30)}\n`)).toBe('cut');
  expect(read(KEY, KEY.length)).toBe('cut');
  const limit = MAX_WRITTEN_BYTES - KEY.length;
  expect(read(parted(30, '\n'.repeat(limit)))).toEqual(whole(parted(30, '\n'.repeat(limit))));
  expect(read(parted(30, '\n'.repeat(limit + 1)))).toBe('cut');
});

test.each([
  'unlk_dead_',
  'unlk_lives',
  'unlk_xlive',
  'unlk_LIVE_',
  'unlk__live',
  'unlklive__',
])('%s is no beginning', (text) => {
  expect(read(text.padEnd(61, 'a'))).toBeNull();
});
