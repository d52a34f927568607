import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checksum, KEY_STRING_IN_TEXT, mintKeyString } from '../../src/domain/key-string.js';
import { Finder, type Hit } from '../../src/scan/finder.js';
import { RULES } from '../../src/scan/rules.js';

function find(pieces: readonly Buffer[]): Hit[] {
  const finder = new Finder();
  return [...pieces.flatMap((piece) => finder.feed(piece)), ...finder.end()];
}

const findIn = (text: string) => find([Buffer.from(text)]);
const { keyString: KEY } = mintKeyString('live');

test('a key string is found once, with its place, however the text is cut', () => {
  const filler = fc.string({
    unit: fc.constantFrom('a', '\n', '_', ' ', 'unlk_', '\u00e9', 'unlk_live_'),
    maxLength: 40,
  });
  fc.assert(
    fc.property(
      fc.array(filler, { maxLength: 6 }),
      fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 1 }),
      (parts, cuts) => {
        const keys = parts.map(() => mintKeyString('test').keyString);
        const text = parts.map((part, i) => `${part} ${keys[i]}"`).join('');
        const bytes = Buffer.from(text);
        const pieces: Buffer[] = [];
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const size = cuts[i % cuts.length] ?? 1;
          pieces.push(Buffer.from(bytes.subarray(at, at + size)));
          at += size;
        }
        const hits = find(pieces);
        expect(hits.map(({ keyString }) => keyString)).toEqual(keys);
        for (const { keyString, line, column } of hits) {
          const before = bytes.subarray(0, bytes.indexOf(keyString));
          expect(line).toBe(before.toString('latin1').split('\n').length);
          expect(column).toBe(before.length - before.lastIndexOf(10));
        }
      },
    ),
    { numRuns: 400 },
  );
});

test('it finds what the pattern finds in the whole text, whatever stands beside and however it is cut', () => {
  const part = fc.constantFrom('x', '_', ' ', '\n', '\u00e9', KEY, KEY.slice(0, 60), 'unlk_', 'unlk_live_');
  fc.assert(
    fc.property(
      fc.array(part, { maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 1 }),
      (parts, cuts) => {
        const bytes = Buffer.from(parts.join(''));
        const pieces: Buffer[] = [];
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const size = cuts[i % cuts.length] ?? 1;
          pieces.push(Buffer.from(bytes.subarray(at, at + size)));
          at += size;
        }
        const whole = [...bytes.toString('latin1').matchAll(KEY_STRING_IN_TEXT)];
        expect(find(pieces)).toHaveLength(whole.length);
      },
    ),
    { numRuns: 2000 },
  );
});

test.each([
  [`x${KEY} `, 0],
  [`${KEY}`, 1],
  [`"${KEY}"`, 1],
  [`${KEY}\n${KEY}`, 2],
  [`${KEY},${KEY}`, 2],
  [`x${KEY}`, 0],
  [`_${KEY}`, 0],
  [`${KEY}x`, 0],
  [`${KEY}_`, 0],
  [`${KEY}-`, 1],
  [KEY.slice(0, 60), 0],
  [KEY.toUpperCase(), 0],
  [`unlk_unlk_${KEY}`, 0],
  [`unlk_ ${KEY}`, 1],
  ['', 0],
])('%s holds %i', (text, count) => {
  expect(findIn(text)).toHaveLength(count);
});

test('a wrong checksum is told from a right one', () => {
  const body = KEY.slice(0, 55);
  const wrong = `${body}${checksum(body) === '000000' ? '000001' : '000000'}`;
  expect(findIn(`${wrong} ${KEY}`).map((hit) => hit.checksum)).toEqual(['bad', 'good']);
});

test.each([
  'gitleaks',
  'trufflehog',
  'secretlint',
  'github',
])("%s's rule finds every key string, and nothing of another form", (tool) => {
  const rule = RULES[tool] ?? '';
  const text = tool === 'secretlint' ? JSON.parse(rule).rules[0].options.patterns[0].pattern : rule;
  const source = /(?:\\b)?unlk_\(\?:live\|test\).*?\{38\}(?:\\b)?/.exec(text)?.[0] ?? 'none';
  const pattern = new RegExp(tool === 'github' ? `(?:^|[^0-9A-Za-z_])(?:${source})(?:$|[^0-9A-Za-z_])` : source);
  for (let i = 0; i < 1000; i++)
    expect(pattern.test(`key=${mintKeyString(i % 2 ? 'live' : 'test').keyString};`)).toBe(true);
  const near = fc.oneof(
    fc.integer({ min: 0, max: 22 }).map((at) => `${KEY.slice(0, at)}!${KEY.slice(at + 1)}`),
    fc.integer({ min: 1, max: 60 }).map((length) => KEY.slice(0, length)),
    fc.constantFrom('x', '0', '_').map((more) => `${KEY}${more}`),
    fc.constantFrom('x', '0', '_').map((more) => `${more}${KEY}`),
    fc.constantFrom('i', 'l', 'o', 'u', 'A').map((letter) => `${KEY.slice(0, 12)}${letter}${KEY.slice(13)}`),
    fc.string({ maxLength: 80 }),
  );
  fc.assert(
    fc.property(near, (each) => !pattern.test(each)),
    { numRuns: 10_000 },
  );
});
