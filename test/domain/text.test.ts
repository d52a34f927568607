import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mintKeyString } from '../../src/domain/key-parts.js';
import { hasUnsafeText, quoted, safeJson, safeText } from '../../src/domain/text.js';
import { anyText } from '../support/any-text.js';

const HOSTILE = [
  '\u001b]0;title\u0007',
  '\u001b]52;c;aGk=\u0007',
  '\u001b]8;;http://x\u001b\\link',
  '\u001b[2J',
  '\u009b2J',
  '\u0090q\u009c',
  'a\rb',
  'a\bb',
  'a\u0000b',
  '\u202eevil',
  '\u2066x\u2069',
  'zero\u200bwidth',
  '\ufeffbom',
  'soft\u00adhyphen',
  '\u{e0041}tag',
  'filler\u3164',
  '\u115f\u1160\uffa0',
  '\ud800lone',
  'line\u2028sep',
  'private\ue000use',
  'joined\u200dletters',
  'variation\ufe0f',
  'digit 1\ufe0f',
  'grapheme\u034fjoiner',
  'mongolian\u180bselector',
  'khmer\u17b4vowel',
  'more\u{e0100}selectors',
];
/** Everything that must not reach a terminal, said independently of the implementation. */
const FORBIDDEN =
  /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u115f\u1160\u3164\uffa0]/u;
/** Where a joiner or U+FE0F may stay: between two pictographs that exist, behind one, and in a keycap. */
const JOINED =
  /(?<=(?!\p{Cn})\p{Extended_Pictographic}\ufe0f?|\p{Emoji_Modifier})\u200d(?=(?!\p{Cn})\p{Extended_Pictographic})|(?<=(?!\p{Cn})\p{Extended_Pictographic})\ufe0f|(?<=[0-9#*])\ufe0f(?=\u20e3)/gu;
/** Text that is likely to meet the corners of the rules: joiners, halves of pictographs, the escape's own letters, unassigned ones. */
const CORNERS = fc.string({
  unit: fc.constantFrom(
    '\u200d',
    '👩',
    '💻',
    '🏽',
    '\ufe0f',
    '\ue000',
    '\ud83d',
    '\udc69',
    '\u{1f0c0}',
    '1',
    '\u20e3',
    '\u034f',
    '\ue001',
    '\u001b',
    '\\',
    'u{',
    'a',
    '}',
  ),
});
const ANY = fc.oneof(anyText, CORNERS);
const EMOJI = ['👩‍💻', '👨‍👩‍👧‍👦', '🏳️‍🌈', '👍🏽', '❤️‍🔥', '1️⃣', '❤️'];

describe('safeText', () => {
  test.each(HOSTILE.map((text) => ({ text, label: JSON.stringify(text) })))('escapes $label', ({ text }) => {
    expect(safeText(text)).not.toMatch(FORBIDDEN);
    expect(safeText(text)).toMatch(/\\u\{[0-9a-f]+\}/);
    expect(hasUnsafeText(text)).toBe(true);
  });

  test.each([...EMOJI, 'partner-checkin', '施設連携', 'Ñandú ß İ', '→ … –'])('leaves %s alone', (text) => {
    expect(safeText(text)).toBe(text);
    expect(hasUnsafeText(text)).toBe(false);
  });

  test('judges every single character, also those that it knows without a table', () => {
    const wrong = Array.from({ length: 0x110000 }, (_, code) => String.fromCodePoint(code)).filter(
      (char) => hasUnsafeText(char) !== FORBIDDEN.test(char),
    );
    expect(wrong).toEqual([]);
  });

  test('lets nothing forbidden through, and changes nothing the second time', () => {
    fc.assert(
      fc.property(ANY, (text) => {
        const once = safeText(text);
        expect(once.replace(JOINED, '')).not.toMatch(FORBIDDEN);
        expect(safeText(once)).toBe(once);
        expect(hasUnsafeText(text)).toBe(once !== text);
      }),
      { numRuns: 600 },
    );
  });
});

test('safeJson escapes what safeText escapes, and reads back as the same value', () => {
  const any = fc.oneof(ANY, fc.constantFrom(...HOSTILE, ...EMOJI));
  fc.assert(
    fc.property(fc.array(any), fc.dictionary(any, any), fc.constantFrom(undefined, 2), (values, record, indent) => {
      const json = safeJson({ values, record }, indent);
      expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify({ values, record })));
      expect(json.replaceAll('\n', '')).not.toMatch(FORBIDDEN);
      if (indent === undefined) expect(json).not.toContain('\n');
    }),
  );
});

test('quoted lets nothing forbidden through either, and stays short', () => {
  fc.assert(
    fc.property(ANY, fc.integer({ min: 1, max: 60 }), (text, times) => {
      const shown = quoted(text.repeat(times));
      expect(shown.replace(JOINED, '')).not.toMatch(FORBIDDEN);
      expect(shown.length).toBeLessThan(80 * 10 + 4);
    }),
  );
});

test('quoted masks a key string, wherever it stands and however it was cut', () => {
  const { keyString, secret } = mintKeyString('live');
  for (const text of [
    keyString,
    `x ${keyString}`,
    keyString.slice(0, 50),
    `${'x'.repeat(40)} ${keyString}${keyString}`,
  ]) {
    expect(quoted(text)).toContain('_…');
    expect(quoted(text)).not.toContain(secret.slice(0, 6));
  }
});

test('quoted cuts long input and keeps it on one line', () => {
  expect(quoted('x'.repeat(1_000_000))).toBe(`"${'x'.repeat(80)}…"`);
  expect(quoted('x'.repeat(81))).toBe(`"${'x'.repeat(80)}…"`);
  expect(quoted('x'.repeat(80))).toBe(`"${'x'.repeat(80)}"`);
  expect(quoted('𠮷'.repeat(80))).toBe(`"${'𠮷'.repeat(80)}"`);
  expect(quoted('a\nb')).toBe('"a\\u{a}b"');
});
