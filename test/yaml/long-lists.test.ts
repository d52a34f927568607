import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, stringify } from 'yaml';
import { type Path, YamlDocument } from '../../src/yaml/document.js';

// The items of a long list are read batch by batch. What comes out is what the YAML package makes of the whole text at once.

const BOUNDS = { kind: 'a file', maxBytes: 10_000_000, maxDepth: 32, tooLarge: 'x' };

const leaf = fc.constantFrom<unknown>(
  'a',
  'b c',
  '',
  null,
  true,
  7,
  '7',
  '# x',
  'x: y',
  'two\nlines\n',
  '- a',
  '#',
  "it's",
);
const inner = fc.oneof(
  leaf,
  fc.array(leaf, { maxLength: 3 }),
  fc.dictionary(fc.constantFrom('a', 'b', 'c'), leaf, { maxKeys: 3 }),
  fc.array(fc.array(leaf, { maxLength: 2 }), { maxLength: 2 }),
);
const list = fc
  .tuple(fc.array(inner, { minLength: 1, maxLength: 6 }), fc.integer({ min: 0, max: 250 }))
  .map(([items, length]) => Array.from({ length }, (_, i) => items[i % items.length]));
const top = fc.oneof(list, fc.record({ x: list, y: list, z: inner }, { requiredKeys: [] }));

/** Between the lines of a text, what means nothing. */
const disturbed = fc
  .tuple(
    top,
    fc.integer({ min: 0, max: 5 }),
    fc.array(fc.constantFrom('\n', '\n\n', '\n# c\n', '\n  # c\n', '\n      # c\n', '\n   \n'), {
      minLength: 1,
      maxLength: 7,
    }),
  )
  .map(([value, indent, between]) => {
    const text = stringify(value, {
      indent: indent + 1,
      lineWidth: 0,
      indentSeq: indent % 2 === 0,
      aliasDuplicateObjects: false,
    });
    if (/[|>][-+]?\n/.test(text)) return text; // there, such lines are part of the value
    let line = 0;
    return text.replace(/\n/g, () => between[line++ % between.length] as string);
  });

type Spot = readonly [value: unknown, line: number, column: number];

/** All values below `node` with their places, as the package has them. */
function expected(node: unknown, lines: LineCounter, path: Path, found: Map<string, Spot>): unknown {
  const { line, col } = lines.linePos((node as Node).range?.[0] ?? 0);
  const value = isSeq(node)
    ? node.items.map((item, i) => expected(item, lines, [...path, i], found))
    : isMap(node)
      ? Object.fromEntries(
          node.items.map(({ key, value }) => {
            const name = (key as { value: string }).value;
            return [name, expected(value, lines, [...path, name], found)];
          }),
        )
      : isScalar(node)
        ? node.value
        : null;
  found.set(JSON.stringify(path), [value, line, col]);
  return value;
}

test('a long list is read as if at once, each value with its place', () => {
  fc.assert(
    fc.property(disturbed, (text) => {
      const lineCounter = new LineCounter();
      const whole = parseDocument(text, { lineCounter });
      const document = new YamlDocument(text, BOUNDS);
      expect(whole.errors).toEqual([]);
      expect(document.problems).toEqual([]);
      const places = new Map<string, Spot>();
      expect(document.value).toEqual(expected(whole.contents, lineCounter, [], places));
      for (const [path, [, line, column]] of places)
        expect([path, document.placeOf(JSON.parse(path))]).toEqual([path, { line, column }]);
    }),
    { numRuns: 100, endOnFailure: true },
  );
});

test.each<[string, (items: string[]) => string[], string[]]>([
  ['an unknown tag', (items) => items.with(70, '- !x y'), ['71:3']],
  ['a bad indentation', (items) => items.with(3, ' - x'), []],
  ['an item without a dash', (items) => items.with(66, 'x'), []],
  ['an item without a dash behind a batch', (items) => items.with(64, 'x'), []],
  ['a bracket that is not closed', (items) => items.with(5, '- [x'), []],
  ['bad escapes', (items) => items.with(5, '- "\\q"').with(150, '- "\\q"'), ['6:4', '151:4']],
  ['a tab', (items) => items.with(80, '-\t- x\n\t- y'), []],
  ['a second document', (items) => items.with(80, '---'), ['81:1']],
  ['names that are not strings', (items) => items.with(1, '- 1: x').with(149, '- [a]: x'), ['2:3', '150:3']],
  [
    'names that are here twice',
    (items) => items.with(1, '- { a: 1, a: 2 }').with(149, '- { a: 1, a: 2 }'),
    ['2:11', '150:11'],
  ],
  ['aliases', (items) => items.with(1, '- &a x').with(149, '- *a'), ['150:3']],
])('%s: where they are, in whichever part of a long list', (_, spoil, places) => {
  const text = spoil(Array.from({ length: 200 }, (_, i) => `- item ${i}`)).join('\n');
  const lineCounter = new LineCounter();
  const whole = parseDocument(text, { lineCounter, uniqueKeys: false, prettyErrors: false });
  const document = new YamlDocument(text, BOUNDS);
  const found = document.problems.map(({ place }) => `${place?.line}:${place?.column}`);
  const inText = [...whole.errors, ...whole.warnings].map(({ pos }) => lineCounter.linePos(pos[0]));
  if (inText.length > 0) expect(found.toSorted()).toEqual(inText.map(({ line, col }) => `${line}:${col}`).toSorted());
  expect(found).toEqual(expect.arrayContaining(places));
});
