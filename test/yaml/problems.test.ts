import { expect, test } from 'vitest';
import { describeProblems, type Problem } from '../../src/yaml/problems.js';

const at = (line: number, column: number, what = 'x'): Problem => ({ place: { line, column }, what, advice: 'y' });

test('every problem has a line, in the order of the file, once', () => {
  const text = describeProblems('f.yaml', [at(2, 1), at(1, 9), at(10, 1), at(1, 2), at(2, 1)]);
  expect(text.split('\n')).toEqual(['f.yaml:1:2: x; y', 'f.yaml:1:9: x; y', 'f.yaml:2:1: x; y', 'f.yaml:10:1: x; y']);
});

test('a problem without a place names the file alone, and the name of a file cannot move the cursor', () => {
  expect(describeProblems('a\u001b[2J', [{ place: null, what: 'x', advice: 'y' }])).toBe('a\\u{1b}[2J: x; y');
});

test('no more than anyone reads', () => {
  const lines = describeProblems(
    'f',
    Array.from({ length: 60 }, (_, i) => at(i + 1, 1)),
  ).split('\n');
  expect(lines).toHaveLength(51);
  expect(lines.at(-1)).toBe('… and 10 more');
});

test('a problem that stands for many counts as many', () => {
  const many = Array.from({ length: 55 }, (_, i) => ({ ...at(i + 1, 1), count: 10 }));
  expect(describeProblems('f', many).split('\n').at(-1)).toBe('… and 50 more');
});
