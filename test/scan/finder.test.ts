import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checksum, mintKeyString } from '../../src/domain/key-parts.js';
import { Finder, type Hit } from '../../src/scan/finder.js';

function find(pieces: readonly Buffer[]): Hit[] {
  const finder = new Finder();
  return [...pieces.flatMap((piece) => finder.feed(piece)), ...finder.end()];
}

const findIn = (text: string | Buffer) => find([Buffer.from(text as string)]);
const { keyString: KEY } = mintKeyString('live');

const CUTS = fc.array(fc.integer({ min: 1, max: 9000 }), { minLength: 1, maxLength: 5 });
function cut(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = cuts[i % cuts.length] ?? 1;
    pieces.push(Buffer.from(bytes.subarray(at, at + size)));
    at += size;
  }
  return pieces;
}

test('a key string is found once, with its place, whatever stands beside it and however the text is cut', () => {
  const unit = fc.constantFrom('a', '\n', '_', ' ', 'unlk_', '\u00e9', 'unlk_live_', '\0', 'dW5sa19', 'x'.repeat(5000));
  fc.assert(
    fc.property(fc.array(fc.string({ unit, maxLength: 30 }), { maxLength: 6 }), CUTS, (parts, cuts) => {
      const keys = parts.map(() => mintKeyString('test').keyString);
      const bytes = Buffer.from(parts.map((part, i) => part + keys[i]).join(''));
      const hits = find(cut(bytes, cuts));
      expect(hits.map(({ keyString }) => keyString)).toEqual(keys);
      for (const { keyString, line, column } of hits) {
        const before = bytes.subarray(0, bytes.indexOf(keyString));
        expect(line).toBe(before.toString('latin1').split('\n').length);
        expect(column).toBe(before.length - before.lastIndexOf(10));
      }
    }),
    { numRuns: 200 },
  );
});

/** Breaks a text into lines of a width, with a line end that may be escaped, and indentation. */
const wrapped = (text: string, width: number, lineEnd: string) =>
  text.match(new RegExp(`.{1,${width}}`, 'g'))?.join(lineEnd) ?? '';
const hexOf = (char: string) => char.charCodeAt(0).toString(16).toUpperCase();
const each = (text: string, change: (char: string) => string, which = /_/g) => text.replace(which, change);
/** All but the first four letters. */
const tail = (text: string, change: (rest: string) => string) => text.slice(0, 4) + change(text.slice(4));

const utf32 = (text: string) => Buffer.from(Uint32Array.from([...text], (char) => char.charCodeAt(0)).buffer);

/** The forms in which a key string gets into files, each by its own name; `n` draws widths, places and the like. */
const FORMS: Record<string, (key: string, n: number) => Buffer | string> = {
  plain: (key) => key,
  'JSON in JSON': (key) => JSON.stringify(JSON.stringify(`env:\n${key}\n`)),
  'a query': (key) => new URLSearchParams({ a: `k=${key}`, b: `\n${key.slice(0, 9)}` }).toString(),
  'percent-encoded underscores': (key) => each(key, () => '%5F'),
  'percent-encoded twice': (key) => each(key, () => '%255f'),
  'all percent-encoded but the start': (key) => tail(key, (rest) => each(rest, (char) => `%${hexOf(char)}`, /./g)),
  'quoted-printable': (key) => each(key, () => '=5F'),
  'quoted-printable, broken': (key, n) => `A=3D${tail(key, (rest) => wrapped(rest, 1 + (n % 60), '=\r\n'))}`,
  'JSON escapes': (key) => each(key, () => '\\u005f'),
  'JSON escapes, twice': (key) => each(key, () => '\\\\u005F'),
  'shell escapes': (key) => each(key, () => '\\x5f'),
  octal: (key) => each(key, () => '\\137'),
  Markdown: (key) => each(key, () => '\\_'),
  HTML: (key) => each(key, () => '&#95;'),
  'HTML by name': (key) => each(key, () => '&lowbar;'),
  'a shell line that goes on': (key, n) => tail(key, (rest) => wrapped(rest, 1 + (n % 60), '\\\n')),
  'a terminal that wraps': (key, n) => tail(key, (rest) => wrapped(rest, 20 + (n % 40), '\r\n')),
  'quoted mail': (key, n) => tail(key, (rest) => wrapped(rest, 20 + (n % 40), '\n> ')),
  colours: (key) => `\u001b[1;32m${key}\u001b[0m`,
  'colours behind m': (key) => `\u001b[32m${key}\u001b[39m`,
  'grep --color': (key) => `\u001b[01;31m\u001b[Kunlk_\u001b[m\u001b[K${key.slice(5)}`,
  'colours in JSON': (key) => JSON.stringify(`\u001b[31munlk_\u001b[m${key.slice(5)}`),
  'colours as cat -v shows them': (key) => `^[[31munlk_^[[m${key.slice(5)}`,
  'colours in a shell script': (key) => `'\\033[31munlk_\\e[m${key.slice(5)}'`,
  'UTF-16': (key) => Buffer.from(`x${key}y`, 'utf16le'),
  'UTF-16, the other order': (key) => Buffer.from(`x${key}y`, 'utf16le').swap16(),
  'UTF-32': (key) => utf32(`x${key}y`),
  'UTF-32, the other order': (key) => utf32(`x${key}y`).swap32(),
  'HTML that may be broken': (key) => each(key, () => '<wbr>_'),
  'a hyperlink in a terminal': (key) => `\u001b]8;;https://a.example\u0007unlk_\u001b]8;;\u001b\\${key.slice(5)}`,
  'UTF-16 of JSON': (key) =>
    Buffer.from(
      each(key, () => '\\u005f'),
      'utf16le',
    ),
  base64: (key, n) => Buffer.from(`${'x'.repeat(n % 7)}${key}\n`).toString('base64'),
  base64url: (key, n) => Buffer.from(`${'?~'.repeat(n % 4)}${key}`).toString('base64url'),
  'base64 of escapes': (key, n) => Buffer.from(`${'"'.repeat(n % 4)}${each(key, () => '\\_')}`).toString('base64'),
  'base64, broken': (key, n) =>
    wrapped(Buffer.from('?'.repeat(n % 90) + key).toString('base64'), 10 + (n % 67), n % 2 ? '\r\n' : '\n    '),
  'base64, broken in JSON': (key, n) => wrapped(Buffer.from('>'.repeat(n % 90) + key).toString('base64'), 64, '\\n'),
  'base64, broken in mail': (key, n) =>
    wrapped(Buffer.from('>'.repeat(n % 90) + key).toString('base64'), 60, '=\r\n> '),
  'base64 of UTF-16': (key, n) => Buffer.from(`${'$x'.repeat(n % 5)}${key}`, 'utf16le').toString('base64'),
  'base64 of UTF-16, the other order': (key, n) =>
    Buffer.from(`${'x'.repeat(n % 3)}${key}`, 'utf16le')
      .swap16()
      .toString('base64'),
};

test.each(Object.keys(FORMS))('%s: found once, however the text is cut', (name) => {
  const filler = fc.string({
    unit: fc.constantFrom('a', 'Z', '9', '\n', '"', ' ', '=', '\u00e9', 'dW5', '%', '\\', 'z'.repeat(6000)),
    maxLength: 12,
  });
  fc.assert(
    fc.property(filler, filler, fc.nat(10_000), fc.nat(3), CUTS, (before, after, n, edge, cuts) => {
      const { keyString } = mintKeyString(n % 2 ? 'live' : 'test');
      const form = FORMS[name]?.(keyString, n) ?? '';
      // A letter right before base64 is a part of it.
      const [left, right] = edge === 0 ? ['', ''] : [`${before}"`, `"${after}`];
      const bytes = Buffer.concat([Buffer.from(left), Buffer.from(form as string), Buffer.from(right)]);
      expect(find(cut(bytes, cuts)).map((hit) => [hit.keyString, hit.checksum])).toEqual([[keyString, 'good']]);
    }),
    { numRuns: 150 },
  );
});

test.each([
  ['x', ''],
  ['', 'x'],
  ['_', '_'],
  ['unlk_unlk_', 'unlk'],
  ['unlk_ ', ''],
])('%j and %j beside a key string hide nothing', (before, after) => {
  expect(findIn(before + KEY + after)).toMatchObject([{ keyString: KEY, column: before.length + 1 }]);
});

test.each([
  KEY.slice(0, 60),
  KEY.toUpperCase(),
  KEY.replaceAll('_', '-'),
  '',
  'unlk',
  'unlk%',
  'unlk\\u',
  'unlk&#',
  'unlk\u001b[',
])('%j is none', (text) => expect(findIn(text)).toEqual([]));

test('a wrong checksum is told from a right one, and reported only where nothing is escaped', () => {
  const body = KEY.slice(0, 55);
  const wrong = `${body}${checksum(body) === '000000' ? '000001' : '000000'}`;
  expect(findIn(`${wrong} ${KEY}`).map((hit) => hit.checksum)).toEqual(['bad', 'good']);
  expect(findIn(`\\n${wrong}"`).map((hit) => hit.checksum)).toEqual(['bad']);
  for (const text of [`${wrong}x`, `${wrong}_`, `${KEY.slice(0, 60)}\n${KEY.endsWith('x') ? 'y' : 'x'}`])
    expect(findIn(text)).toEqual([]);
});

test('forms that are looked for one after another are told in the order of the text, with their places', () => {
  const keys = Array.from({ length: 4 }, () => mintKeyString('test').keyString) as [string, string, string, string];
  const lines = [
    Buffer.from(keys[0]).toString('base64'),
    `  ${keys[1]}`,
    ` ${Buffer.from(`${keys[2]}`).toString('base64')}`,
    keys[3],
  ];
  expect(findIn(lines.join('\n'))).toEqual(
    keys.map((keyString, i) => ({ keyString, checksum: 'good', line: i + 1, column: [1, 3, 2, 1][i] })),
  );
});

test('what cannot be a key string is none, whatever its checksum', () => {
  expect(findIn(`unlk_live_${'u'.repeat(12)}_${'a'.repeat(38)}`)).toEqual([]);
  expect(findIn(`unlk_live_${'0'.repeat(12)}_${'a'.repeat(38)}`)).toMatchObject([{ checksum: 'bad' }]);
});

test('in UTF-16, a character of two bytes is none of a key string', () => {
  for (const at of [5, 30]) {
    const bytes = Buffer.from(KEY, 'utf16le');
    bytes[2 * at + 1] = 1;
    expect(findIn(bytes)).toEqual([]);
  }
});
