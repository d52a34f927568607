import { describe, expect, test } from 'vitest';
import { type Bounds, YamlDocument } from '../../src/yaml/document.js';

const BOUNDS: Bounds = { kind: 'a file', maxBytes: 1000, maxDepth: 10, tooLarge: 'at most 1000 bytes' };
const read = (text: string, bounds: Partial<Bounds> = {}) => new YamlDocument(text, { ...BOUNDS, ...bounds });
const problems = (text: string) =>
  read(text).problems.map(({ place, what }) => `${place?.line}:${place?.column}: ${what}`);

describe('a document', () => {
  test('is plain values, each with its place', () => {
    const document = read('a: 1\nb:\n  - x\n  - { c: null, d: true }\n');
    expect(document.problems).toEqual([]);
    expect(document.value).toEqual({ a: 1, b: ['x', { c: null, d: true }] });
    expect(document.placeOf([])).toEqual({ line: 1, column: 1 });
    expect(document.placeOf(['a'])).toEqual({ line: 1, column: 4 });
    expect(document.placeOfName(['b'])).toEqual({ line: 2, column: 1 });
    expect(document.placeOf(['b', 1, 'd'])).toEqual({ line: 4, column: 19 });
    expect(document.placeOfName(['b', 1, 'd'])).toEqual({ line: 4, column: 16 });
  });

  test('has the place of what encloses a value that is not there', () => {
    const document = read('a:\n  b: 1\nc:\n');
    expect(document.placeOf(['a', 'x'])).toEqual({ line: 2, column: 3 });
    expect(document.placeOf(['a', 'b', 'x', 0])).toEqual({ line: 2, column: 6 });
    expect(document.placeOfName(['a', 'x'])).toEqual({ line: 2, column: 3 });
    expect(document.placeOf(['c'])).toEqual({ line: 3, column: 3 });
  });

  test('gives no name a meaning of its own', () => {
    const { value, problems: none } = read('constructor: 1\n__proto__: { toString: 2 }\n');
    expect(none).toEqual([]);
    expect(Object.keys(value as object)).toEqual(['constructor', '__proto__']);
    expect('toString' in (value as object)).toBe(false);
  });

  test('of nothing is null', () => {
    expect([read('').value, read('# x\n').value, read('~').value]).toEqual([null, null, null]);
  });

  test('tells every text, names included', () => {
    const texts: string[] = [];
    read('a: [b, 1, { c: "d" }]').visitTexts((text, place) => texts.push(`${place().column}${text}`));
    expect(texts).toEqual(['1a', '5b', '13c', '16d']);
  });
});

describe('what a document must not hold', () => {
  test.each<[string, string[]]>([
    ['a: 1\na: 2\n', ['2:1: "a" is here twice']],
    [
      'a: { b: 1, b: 2, b: 3 }\na: 2\n',
      ['1:12: "b" is here twice', '1:18: "b" is here twice', '2:1: "a" is here twice'],
    ],
    [
      '1: x\n[a]: y\n',
      ['1:1: this property has a name that is not a string', '2:1: this property has a name that is not a string'],
    ],
    ['a: &x 1\nb: *x\nc: *x\n', ['2:4: aliases are not supported', '3:4: aliases are not supported']],
    ['%YAML 1.1\n---\na: 1\n', ['1:1: directives are not supported']],
    ['a: !mine 1\n', ['1:4: tags are not supported']],
    ['a: 1\n---\nb: 1\n---\nc: 1\n', ['2:1: a second document begins here']],
    ['a:\n\t- b\n', ['2:1: tabs cannot indent']],
    ['a: [b]\n\0', ['2:1: here is a character that nobody sees (U+0000)']],
    ['\ufeffa: [b]\n\f', ['2:1: here is a character that nobody sees (U+000C)']],
    ['a: 1\rb: 2\r', ['1:5: here is a character that nobody sees (U+000D)']],
    ['a:\n  \ufeff- b: 1\n    c: 2\n', ['2:3: here is a character that nobody sees (U+FEFF)']],
    ['a: 1\u0085b: 2\u0085', ['1:5: here is a character that nobody sees (U+0085)']],
    ['\ufeff\n[', ['2:2: a character is missing, such as a closing quote or bracket']],
    ['[', ['1:2: a character is missing, such as a closing quote or bracket']],
  ])('%j', (text, expected) => {
    expect(problems(text)).toEqual(expect.arrayContaining(expected));
  });

  test('has no value where the text cannot be read', () => {
    expect([read('"').value, read('a: *b').value, read('x'.repeat(1001)).value]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  test('more bytes than its bounds', () => {
    expect(read(`# ${'é'.repeat(499)}`).problems).toEqual([]);
    expect(read(`# ${'é'.repeat(500)}`).problems).toEqual([
      { place: { line: 1, column: 1 }, what: 'this is too large for a file', advice: 'at most 1000 bytes' },
    ]);
  });

  test.each([
    ['brackets', '['.repeat(900)],
    ['mappings', '{a: '.repeat(200)],
    ['dashes', '- '.repeat(400)],
    ['a staircase', Array.from({ length: 40 }, (_, i) => `${' '.repeat(i)}a:`).join('\n')],
  ])('%s without end', (_, text) => {
    expect(problems(text)).toEqual(['1:1: this is nested too deeply for a file']);
  });

  test('a secret is in no message', () => {
    for (const text of ['a: "\\qhunter2"', 'a: !hunter2 x', 'a: *hunter2', 'a: %hunter2', 'a: |hunter2', '"hunter2'])
      expect(JSON.stringify(read(text).problems)).not.toContain('hunter2');
  });
});
