import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hasUnsafeText, quoted, safeJson, safeText } from '../../src/domain/text.js';

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
];
/** Everything that must not reach a terminal, said independently of the implementation. */
const FORBIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0]/u;
const EMOJI = ['👩‍💻', '👨‍👩‍👧‍👦', '🏳️‍🌈', '👍🏽', '❤️‍🔥'];

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

  test('lets nothing forbidden through, and changes nothing the second time', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const once = safeText(text);
        expect(
          once.replace(
            /(?<=\p{Extended_Pictographic}|\p{Emoji_Modifier}|\ufe0f)\u200d(?=\p{Extended_Pictographic})/gu,
            '',
          ),
        ).not.toMatch(FORBIDDEN);
        expect(safeText(once)).toBe(once);
      }),
      { numRuns: 2000 },
    );
  });
});

test('safeJson escapes what safeText escapes, and reads back as the same value', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom(...HOSTILE, ...EMOJI))), (values) => {
      const json = safeJson({ values }, 2);
      expect(JSON.parse(json)).toEqual({ values });
      expect(json.replaceAll('\n', '')).not.toMatch(FORBIDDEN);
    }),
  );
});

test('quoted cuts long input and keeps it on one line', () => {
  expect(quoted('x'.repeat(1_000_000))).toBe(`"${'x'.repeat(80)}…"`);
  expect(quoted('a\nb')).toBe('"a\\u{a}b"');
});
