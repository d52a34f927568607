import { describe, expect, test } from 'vitest';
import { KeysError } from '../../src/domain/errors.js';
import { type Path, YamlDocument } from '../../src/yaml/document.js';
import { describeProblems } from '../../src/yaml/problems.js';
import * as shape from '../../src/yaml/shape.js';

const SCHEMA = shape.mapping(
  {
    name: shape.line(),
    kind: shape.optional(shape.oneOf(['big', 'small'], 'a kind', 'write big or small')),
    on: shape.optional(shape.flag()),
    count: shape.optional(
      shape.pipe(
        shape.text(),
        shape.readBy((text) => {
          if (!/^\d+$/.test(text)) throw new KeysError('usage', 'no digits', 'write digits');
          return Number(text);
        }),
      ),
    ),
    tags: shape.optional(
      shape.pipe(
        shape.list(shape.text()),
        shape.unique((item) => item),
      ),
    ),
    labels: shape.optional(shape.dictionary(shape.text())),
    part: shape.optional(shape.mappingOr(shape.mapping({ of: shape.text() }), shape.text())),
  },
  {
    missing: { name: 'write name: x' },
    refuse: (name) => (name === 'id' ? { what: 'has an id', advice: 'remove it' } : null),
  },
);

const nameOf = (path: Path) => (path.length === 0 ? 'the file' : path.join('.'));

function check(text: string) {
  const document = new YamlDocument(text, { kind: 'x', maxBytes: 9999, maxDepth: 9, tooLarge: 'x' });
  const output = checkedOutput(document);
  return {
    output,
    problems: document.problems.map(({ place, what, advice }) => `${place?.line}:${place?.column}: ${what}; ${advice}`),
  };
}

function checkedOutput(document: YamlDocument) {
  return shape.checkShape(SCHEMA, document, nameOf);
}

describe('a shape', () => {
  test('is checked, and read by the domain', () => {
    expect(
      check('{ name: a, kind: big, on: true, count: "12", tags: [a, b], labels: { x: y }, part: { of: z } }'),
    ).toEqual({
      problems: [],
      output: { name: 'a', kind: 'big', on: true, count: 12, tags: ['a', 'b'], labels: { x: 'y' }, part: { of: 'z' } },
    });
    expect(check('{ name: a, part: z }').output).toEqual({ name: 'a', part: 'z' });
  });

  test('leaves out no name that objects have without being asked', () => {
    const { output } = check('{ name: a, labels: { constructor: a, prototype: b, toString: c } }');
    expect({ ...output?.labels }).toEqual({ constructor: 'a', prototype: 'b', toString: 'c' });
    expect(check('{ name: a, labels: { constructor: 1 } }').problems).toEqual([
      '1:35: labels.constructor is not a string; put it in quotes',
    ]);
    expect(check('{ name: a, constructor: 1, __proto__: 2 }').problems).toEqual([
      expect.stringContaining('1:12: the file has no property "constructor"'),
      expect.stringContaining('1:28: the file has no property "__proto__"'),
    ]);
  });
});

test.each<[string, string[]]>([
  ['[]', ['1:1: the file is not a mapping; write it as "name: value" lines']],
  ['', ['1:1: the file is not a mapping; write it as "name: value" lines']],
  ['{}', ['1:1: the file has no name; write name: x']],
  ['{ name: }', ['1:9: name is empty; fill it in, or remove the line']],
  ['{ name: " " }', ['1:9: name is empty; fill it in, or remove the line']],
  ['{ name: "a\\nb" }', ['1:9: name has more than one line; write one line']],
  ['{ name: [a] }', ['1:9: name is not a string; write one value, not several']],
  ['{ name: 7 }', ['1:9: name is not a string; put it in quotes']],
  ['{ name: a, id: 1 }', ['1:12: the file has an id; remove it']],
  [
    '{ name: a, kid: big }',
    [
      '1:12: the file has no property "kid", did you mean kind?; known properties: name, kind, on, count, tags, labels, part',
    ],
  ],
  ['{ name: a, kind: huge }', ['1:18: kind: "huge" is not a kind; write big or small']],
  ['{ name: a, kind: 1 }', ['1:18: kind is not a string; put it in quotes']],
  ['{ name: a, on: yes }', ['1:16: on is neither true nor false; write true or false']],
  ['{ name: a, count: x }', ['1:19: count: no digits; write digits']],
  ['{ name: a, tags: a }', ['1:18: tags is not a list; write one "- …" line for each, or [a, b]']],
  [
    '{ name: a, tags: [a, 1, a] }',
    ['1:22: tags.1 is not a string; put it in quotes', '1:25: tags.2: "a" is listed twice; keep one of them'],
  ],
  ['{ name: a, labels: [] }', ['1:20: labels is not a mapping; write it as "name: value" lines']],
  ['{ name: a, part: {} }', ['1:18: part has no of; write of:']],
  ['{ name: a, part: 1 }', ['1:18: part is not a string; put it in quotes']],
])('%s is refused, with every problem', (text, expected) => {
  const { output, problems } = check(text);
  expect(output).toBeUndefined();
  expect(problems).toEqual(expected);
});

test('a mapping full of unknown names is told of as far as anybody reads, and the rest is counted', () => {
  const names = Array.from({ length: 200 }, (_, i) => `x${i}: 1`);
  const document = new YamlDocument(`{ name: a, ${names.join(', ')} }`, {
    kind: 'x',
    maxBytes: 9999,
    maxDepth: 9,
    tooLarge: 'x',
  });
  checkedOutput(document);
  expect(document.problems.length).toBeLessThan(60);
  const lines = describeProblems('f', document.problems).split('\n');
  expect(lines[49]).toContain('has no property "x49"');
  expect(lines.at(-1)).toBe('… and 150 more');
});
