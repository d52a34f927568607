import { describe, expect, test } from 'vitest';
import { BASE64_GATES, decodeAt } from '../../src/scan/base64.js';

const TEXT = 'unlk_live_0123456789ab_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef012345';

/** What is decoded around the letters of any gate in a text. */
function decoded(text: string): { start: number; text: string }[] {
  const bytes = Buffer.from(text);
  return BASE64_GATES.flatMap((gate) => {
    const found = bytes.indexOf(gate.text) < 0 ? null : decodeAt(bytes, bytes.indexOf(gate.text), gate);
    if (found === null) return [];
    const rest = found.bytes.subarray(found.at);
    return [{ start: found.start, text: gate.wide ? rest.toString('utf16le') : rest.toString() }];
  });
}

/** The text in base64, behind so many bytes, cut to where its own letters begin. */
const encoded = (before: number, text = TEXT, encoding: BufferEncoding = 'utf8') =>
  Buffer.concat([Buffer.alloc(before, 'x'), Buffer.from(text, encoding)]).toString('base64');

describe('each position in a group of three bytes', () => {
  test.each([
    [0, 0],
    [1, 2],
    [2, 3],
    [3, 4],
  ])('behind %i bytes: found, from the first letter that is its own', (before, start) => {
    const found = decoded(encoded(before));
    expect(found.length).toBeGreaterThan(0);
    for (const each of found) {
      expect(each.text.startsWith(TEXT)).toBe(true);
      expect(each.start).toBe(start);
    }
    const wide = decoded(encoded(before, TEXT, 'utf16le'));
    expect(wide.length).toBeGreaterThan(0);
    for (const each of wide) {
      expect(each.text.startsWith(TEXT)).toBe(true);
      expect(each.start).toBe(start);
    }
  });

  test('whatever stands before', () => {
    for (const prefix of ['', '"', '=', ' ', '\\', '\n'])
      for (const each of decoded(prefix + encoded(0)))
        expect(each).toMatchObject({ start: prefix.length, text: expect.stringContaining(TEXT) });
  });
});

test('what follows unlk must not be a letter or a digit', () => {
  for (const next of ['_', '%', '\\', '&', '=', '\n', '-'])
    expect(decoded(encoded(0, `unlk${next}abcdefghijklmnop`))).not.toEqual([]);
  for (const next of ['a', 'Z', '0']) expect(decoded(encoded(0, `unlk${next}abcdefghijklmnop`))).toEqual([]);
  expect(decoded(Buffer.from('unlk').toString('base64').replace('=', ''))).toEqual([]);
});

test('letters that only begin alike are none', () => {
  for (const text of ['xnlk_live_', 'unlx_live_', 'u_lk_live_'])
    expect(decoded(encoded(0, text.repeat(4)))).toEqual([]);
});

describe('a line break may come anywhere', () => {
  test.each([
    ['of Unix', '\n'],
    ['of Windows', '\r\n'],
    ['with indentation', '\n    \t'],
    ['in mail', '\n> '],
    ['in quoted-printable', '=\r\n'],
    ['in a shell', '\\\n'],
    ['in JSON', '\\n'],
    ['of Windows, in JSON', '\\r\\n'],
  ])('%s', (_what, lineEnd) => {
    for (const before of [0, 1, 2]) {
      const text = encoded(before);
      for (let at = 1; at < text.length; at++) {
        const found = decoded(text.slice(0, at) + lineEnd + text.slice(at));
        expect(
          found.map((each) => each.text.startsWith(TEXT)),
          `${before} ${at}`,
        ).toContain(true);
      }
    }
  });

  test('but no other characters may', () => {
    for (const other of [' ', '\t', '"', '\\t', '=', '\\', '.', `\n${' '.repeat(64)}`]) {
      const [found] = decoded(encoded(0).slice(0, 12) + other + encoded(0).slice(12));
      expect(found?.text ?? '').not.toContain(TEXT);
    }
  });
});

test('the text goes on for the length of a key string in UTF-16, and not without an end', () => {
  const [found] = decoded(encoded(0, `unlk_${'x'.repeat(10_000)}`));
  expect(found?.text.length).toBeGreaterThan(122);
  expect(found?.text.length).toBeLessThan(256);
});

test('all 64 letters are read, of either alphabet', () => {
  const text = 'unlk_~~~???>>>';
  const standard = encoded(0, text);
  expect(standard).toMatch(/\+.*\/|\/.*\+/);
  for (const each of [standard, standard.replaceAll('+', '-').replaceAll('/', '_')])
    expect(decoded(each).map((found) => found.text.startsWith(text))).toContain(true);
});
