import { describe, expect, test } from 'vitest';
import * as checks from '../../src/domain/checks.js';
import { KeysError } from '../../src/domain/errors.js';
import { refusal } from '../support/refusal.js';

const refused = (check: checks.Check, value: unknown, at = 'options.x') => refusal(() => check(value, at));
const passes = (check: checks.Check, value: unknown) => expect(() => check(value, 'options.x')).not.toThrow();

/** One value of each kind. */
const VALUES: Record<string, unknown> = {
  text: 'a',
  'an empty text': '',
  number: 1,
  NaN: Number.NaN,
  'a large number': 2 ** 53,
  fraction: 1.5,
  bigint: 1n,
  true: true,
  false: false,
  null: null,
  undefined: undefined,
  array: ['a'],
  'an empty array': [],
  object: { a: 'b' },
  'no prototype': Object.assign(Object.create(null), { a: 'b' }),
  Map: new Map(),
  Set: new Set(),
  Date: new Date(0),
  'an invalid Date': new Date(Number.NaN),
  function: () => {},
  symbol: Symbol('s'),
  AbortSignal: AbortSignal.abort(),
};

describe('each check takes its own kind of value, and no other', () => {
  test.each<[string, checks.Check, readonly string[]]>([
    ['text', checks.text, ['text', 'an empty text']],
    ['secretText', checks.secretText, ['text', 'an empty text']],
    ['number', checks.number, ['number', 'NaN', 'a large number', 'fraction']],
    ['flag', checks.flag, ['true', 'false']],
    ['callback', checks.callback, ['function']],
    ['abortSignal', checks.abortSignal, ['AbortSignal']],
    ['time', checks.time, ['Date']],
    ['expiryTime', checks.expiryTime, ['Date']],
    ['wholeNumber', checks.wholeNumber(0, Number.MAX_VALUE), ['number']],
    ['oneOf', checks.oneOf(['a', 'b']), ['text']],
    ['orNull', checks.orNull(checks.text), ['text', 'an empty text', 'null']],
    ['texts', checks.texts, ['array', 'an empty array']],
    ['recordOf', checks.recordOf(checks.text, 'strings'), ['object', 'no prototype']],
    ['shape', checks.shape<{ a: string }>({ a: checks.text }), ['object', 'no prototype']],
  ])('%s', (_name, check, good) => {
    const taken = Object.entries(VALUES).filter(([, value]) => {
      try {
        check(value, 'x');
        return true;
      } catch (error) {
        expect(error).toMatchObject({ code: 'usage', message: expect.stringMatching(/^x /) });
        return false;
      }
    });
    // An AbortSignal is an object without properties of its own.
    expect(taken.map(([name]) => name).filter((name) => name !== 'AbortSignal' || good.includes(name))).toEqual(good);
  });
});

test.each([
  ['a', '"a"'],
  [1.5, '1.5'],
  [1n, '1'],
  [true, 'true'],
  [null, 'null'],
  [[1], 'an array'],
  [new Date(0), 'a Date'],
  [new Date(Number.NaN), 'an invalid Date'],
  [{}, 'a value of type object'],
  [() => {}, 'a value of type function'],
  [Symbol('s'), 'a value of type symbol'],
])('a refusal of %o says where it is, what it must be, and what it is', (value, shown) => {
  expect(refused(checks.oneOf(['x', 'y']), value).message).toBe(`options.x must be 'x' or 'y', not ${shown}`);
});

test('what is missing is said to be missing', () => {
  passes(checks.oneOf(['x', 'y']), 'y');
  expect(refused(checks.text, undefined).message).toBe('options.x is missing: it must be a string');
});

test('a secret is not repeated', () => {
  expect(refused(checks.secretText, 4711).message).not.toContain('4711');
});

describe('bounds are included', () => {
  test.each([
    [-1, false],
    [0, true],
    [5, true],
    [10, true],
    [11, false],
  ])('%s as a whole number from 0 to 10: %s', (value, good) => {
    const check = checks.wholeNumber(0, 10);
    if (good) passes(check, value);
    else expect(refused(check, value).message).toBe(`options.x must be a whole number from 0 to 10, not ${value}`);
  });

  test.each([
    ['0000-12-31T23:59:59.999Z', false],
    ['0001-01-01T00:00:00.000Z', true],
    ['9999-12-31T23:59:59.999Z', true],
    ['+010000-01-01T00:00:00.000Z', false],
  ])('%s as a time: %s', (text, good) => {
    for (const check of [checks.time, checks.expiryTime])
      if (good) passes(check, new Date(text));
      else expect(refused(check, new Date(text)).message).toContain('must be a Date of the years 1 to 9999');
  });
});

test('a lifetime in place of a date is helped along', () => {
  expect(refused(checks.expiryTime, '90d').hint).toContain("expires: '90d'");
});

describe('what is inside is named by its place', () => {
  test('in a list, where a hole is refused as well', () => {
    expect(refused(checks.texts, ['a', 1]).message).toBe('options.x[1] must be a string, not 1');
    // biome-ignore lint/suspicious/noSparseArray: that is what is tested
    expect(refused(checks.texts, ['a', , 'b']).message).toBe('options.x[1] is missing: it must be a string');
    expect(refused(checks.texts, 'a').message).toBe('options.x must be an array of strings, not "a"');
  });

  test('in a record', () => {
    const check = checks.recordOf(checks.text, 'strings');
    expect(refused(check, { a: 'x', b: 1 }).message).toBe('options.x["b"] must be a string, not 1');
    expect(refused(check, null).message).toBe('options.x must be an object of strings, not null');
  });
});

describe('a shape', () => {
  const shape = checks.shape<{ name: string; limit?: number }>({ name: checks.text, limit: checks.number }, ['name']);

  test.each([{ name: 'a' }, { name: 'a', limit: 1 }, { name: 'a', limit: undefined }])('takes %o', (value) => {
    passes(shape, value);
  });

  test.each<[unknown, string]>([
    [{}, 'options.x.name is missing: it must be a string'],
    [{ name: undefined }, 'options.x.name is missing: it must be a string'],
    [{ name: 'a', limit: '1' }, 'options.x.limit must be a number, not "1"'],
    [{ name: 'a', limit: null }, 'options.x.limit must be a number, not null'],
    [{ name: 'a', toString: 1 }, 'options.x has an unknown property "toString"'],
    [[], 'options.x must be an object with name, limit, not an array'],
  ])('refuses %o', (value, message) => {
    expect(refused(shape, value).message).toBe(message);
  });

  test('guesses what a misspelt property was to be, and else lists those that there are', () => {
    expect(refused(shape, { name: 'a', limt: 1 }).hint).toBe('did you mean limit?');
    expect(refused(shape, { name: 'a', colour: 1 }).hint).toBe('known properties: name, limit');
  });

  test('is satisfied by an empty object where nothing is needed', () => {
    passes(checks.shape<{ a: string }>({ a: checks.text }), {});
  });
});

describe('a value that throws when it is read', () => {
  const throwing = new Error('mine');
  const hostile = (handler: ProxyHandler<object>) => new Proxy({}, handler);
  const raise = () => {
    throw throwing;
  };

  test.each<[string, checks.Check, unknown]>([
    [
      'a getter',
      checks.shape<{ a: string }>({ a: checks.text }),
      {
        get a() {
          return raise();
        },
      },
    ],
    ['its keys', checks.shape<{ a: string }>({ a: checks.text }), hostile({ ownKeys: raise })],
    ['its prototype', checks.recordOf(checks.text, 'strings'), hostile({ getPrototypeOf: raise })],
    ['its entries', checks.recordOf(checks.text, 'strings'), hostile({ ownKeys: raise })],
    ['an item', checks.texts, Object.defineProperty(['a'], 0, { get: raise })],
  ])('is refused like any other: %s', (_what, check, value) => {
    const error = refused(check, value);
    expect(error).toMatchObject({ code: 'usage', message: expect.stringMatching(/^\S+( value)? cannot be read$/) });
    expect(error.cause).toBe(throwing);
  });

  test('is named by its place', () => {
    const shape = checks.shape<{ a: string }>({ a: checks.text });
    const value = Object.defineProperty({ a: 'x' }, 'a', { enumerable: true, get: raise });
    expect(refused(shape, value).message).toBe('options.x.a cannot be read');
  });

  test('a refusal inside is passed on as it is', () => {
    const inner = new KeysError('conflict', 'inner');
    expect(
      refusal(() =>
        checks.reading('x', () => {
          throw inner;
        }),
      ),
    ).toBe(inner);
    expect(checks.reading('x', () => 5)).toBe(5);
  });
});
