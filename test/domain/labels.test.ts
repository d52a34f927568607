import { describe, expect, test } from 'vitest';
import {
  assertLabel,
  MAX_LABELS,
  normalizeLabels,
  OWNER_LABEL,
  PENDING,
  PENDING_LABEL,
  parseLabel,
  parseLabels,
  withoutOwnLabels,
  withoutPending,
} from '../../src/domain/labels.js';
import { usage } from '../support/refusal.js';

const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`n${i}`, '1']));

describe('a label', () => {
  test.each(['a', '7', 'team', 'acme.example/team', 'a_b-c.d/e', 'a'.repeat(63)])('may have the name %s', (name) => {
    expect(() => assertLabel(name, '')).not.toThrow();
  });

  test.each([
    '',
    'Team',
    '-a',
    'a-',
    '.a',
    'a/',
    'a b',
    'a=b',
    'é',
    'a\n',
    'a'.repeat(64),
    '__proto__',
  ])('may not have the name %j', (name) => {
    expect(() => assertLabel(name, 'x')).toThrow(usage);
  });

  test.each(['', 'Checkout', '1.2.3', 'a/b@c:d+e-f_g', 'x'.repeat(63)])('may have the value %j', (value) => {
    expect(() => assertLabel('team', value)).not.toThrow();
  });

  test.each([' ', 'a b', 'a,b', 'a=b', 'é', 'a\n', '$(x)', 'x'.repeat(64)])('may not have the value %j', (value) => {
    expect(() => assertLabel('team', value)).toThrow(usage);
  });

  test('is read from name=value, with the first = as the separator', () => {
    expect(parseLabel('team=checkout')).toEqual(['team', 'checkout']);
    expect(parseLabel('team=')).toEqual(['team', '']);
    for (const text of ['team', '', '=x', 'team=a=b']) expect(() => parseLabel(text)).toThrow(usage);
  });
});

describe('labels', () => {
  test('are kept in the order of their names, and two values of one name are refused', () => {
    expect(Object.entries(parseLabels(['b=3', 'a=2', 'b=3']))).toEqual([
      ['a', '2'],
      ['b', '3'],
    ]);
    expect(Object.keys(parseLabels(['a=1', 'b=1', 'c=1']))).toEqual(['a', 'b', 'c']);
    expect(parseLabels(['constructor=1'])).toEqual({ constructor: '1' });
    expect(() => parseLabels(['x=1', 'y=1', 'x=2'])).toThrow('label x is given twice, as "1" and as "2"');
    expect(() => parseLabels(['x=', 'x=2'])).toThrow(usage);
  });

  test(`are at most ${MAX_LABELS}`, () => {
    expect(Object.keys(normalizeLabels(many(MAX_LABELS)))).toHaveLength(MAX_LABELS);
    expect(() => normalizeLabels(many(MAX_LABELS + 1))).toThrow(usage);
  });

  test('of the tool itself are left out of a copy; the mark of delivery can be left out alone', () => {
    const labels = { team: 'x', [OWNER_LABEL]: 'acme', [PENDING_LABEL]: PENDING };
    expect(withoutOwnLabels(labels)).toEqual({ team: 'x' });
    expect(withoutPending(labels)).toEqual({ team: 'x', [OWNER_LABEL]: 'acme' });
    expect(labels).toHaveProperty([PENDING_LABEL], PENDING);
  });
});
