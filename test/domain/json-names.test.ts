import fc from 'fast-check';
import { expect, test } from 'vitest';
import { namesOnce } from '../../src/domain/json-names.js';

const once = (json: string) => namesOnce(json, JSON.parse(json));

test('a name that occurs twice in one object is found, however it is written and wherever it stands', () => {
  for (const json of [
    '{"a":1,"a":1}',
    '{"a":1,"\\u0061":2}',
    '[{"b":{"a":1,"c":2,"a":3}}]',
    '{"a":{"x":1},"a":{"x":1}}',
    '{"":1,"":2}',
    '{"__proto__":1,"__proto__":2}',
  ])
    expect(once(json), json).toBe(false);
});

test('what JSON.stringify writes is plain, whatever it holds', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(0, 1, '\t'), (value, indent) => {
      expect(once(JSON.stringify(value, null, indent))).toBe(true);
    }),
  );
  for (const json of ['{"a":"\\":\\\\"}', '{"a:b":":","c":[{"a":1},{"a":2}]}', '[":"]', '"a:b"', '7', 'null'])
    expect(once(json), json).toBe(true);
});

test('the deepest value that a body has room for is read', () => {
  const json = `{"a":${'['.repeat(4000)}${']'.repeat(4000)}}`;
  expect(once(json)).toBe(true);
});
