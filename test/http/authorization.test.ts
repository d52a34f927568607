import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mintKeyString } from '../../src/domain/key-parts.js';
import { extractKey, type HeaderValue } from '../../src/http/authorization.js';
import { anyText } from '../support/any-text.js';

const KEY = mintKeyString('test').keyString;
const missing = { ok: false, problem: 'missing' };
const invalidRequest = { ok: false, problem: 'invalid_request' };

function extract(authorization: HeaderValue, xApiKey?: HeaderValue, url: string | undefined = '/plans') {
  return extractKey({ authorization, xApiKey, url });
}

test.each([`Bearer ${KEY}`, `bearer ${KEY}`, `BEARER ${KEY}`, `bEaReR    ${KEY}`])('%j is accepted', (value) => {
  expect(extract(value)).toEqual({ ok: true, keyString: KEY });
  expect(extract([value])).toEqual({ ok: true, keyString: KEY });
});

test('a token that is not a key string is returned as it came; the verifier refuses it', () => {
  for (const token of ['x', '0', 'a.b-c_d~e+f/g==', KEY.toUpperCase(), 'a'.repeat(16_000)])
    expect(extract(`Bearer ${token}`)).toEqual({ ok: true, keyString: token });
});

test.each([
  undefined,
  null,
  '',
  [],
  [''],
  KEY,
  `Basic ${KEY}`,
  'Basic dXNlcjpwYXNz',
  'Digest username="a", realm="bearer", uri="/"',
  `Bearers ${KEY}`,
  `Token ${KEY}`,
])('%j has no bearer token', (value) => {
  expect(extract(value)).toEqual(missing);
  expect(extract(value, KEY)).toEqual(missing);
  expect(extract(value, undefined, `/plans?access_token=${KEY}`)).toEqual(missing);
});

test.each([
  ['no token', 'Bearer'],
  ['no token but a blank', 'Bearer '],
  ['the scheme twice', `Bearer Bearer ${KEY}`],
  ['two tokens', `Bearer ${KEY} ${KEY}`],
  ['two keys joined by a comma', `Bearer ${KEY},${KEY}`],
  ['two fields joined', `Bearer ${KEY}, Bearer ${KEY}`],
  ['two fields joined, another scheme first', `Basic dXNlcg==, Bearer ${KEY}`],
  ['two fields joined, another scheme last', `Bearer ${KEY}, Basic dXNlcg==`],
  ['a list of two', [`Bearer ${KEY}`, `Bearer ${KEY}`]],
  ['a list of two, one of them empty', ['', `Bearer ${KEY}`]],
  ['a list of two other schemes', ['Basic a', 'Digest b']],
  ['a tab after the scheme', `Bearer\t${KEY}`],
  ['a blank before the scheme', ` Bearer ${KEY}`],
  ['a blank after the key', `Bearer ${KEY} `],
  ['a line break after the key', `Bearer ${KEY}\n`],
  ['a carriage return inside', `Bearer ${KEY.slice(0, 9)}\r${KEY.slice(9)}`],
  ['a NUL after the key', `Bearer ${KEY}\0`],
  ['a NUL before the scheme', `\0Bearer ${KEY}`],
  ['quotes', `Bearer "${KEY}"`],
  ['a parameter', `Bearer token="${KEY}"`],
  ['a no-break space', `Bearer\u00a0${KEY}`],
  ['full-width letters', 'Bearer ｕｎｌｋ'],
  ['a lone surrogate', `Bearer ${KEY}\ud800`],
  ['padding in the middle', 'Bearer a=b'],
  ['an emoji for a scheme', '🔑 x'],
])('%s is refused', (_, value) => {
  expect(extract(value)).toEqual(invalidRequest);
});

describe('a key in a second place', () => {
  test.each(['', KEY, 'x', [], [KEY]])('X-API-Key %j', (xApiKey) => {
    expect(extract(`Bearer ${KEY}`, xApiKey)).toEqual(invalidRequest);
  });

  test.each([
    '?access_token=x',
    '?access_token',
    '?a=1&access_token=x',
    '?access%5Ftoken=x',
    '?%61ccess_token=x#top',
    '?access_token#top',
    '?a=?&access_token=',
    '?%zz&access_token=x',
  ])('%s', (query) => {
    expect(extract(`Bearer ${KEY}`, undefined, `/plans${query}`)).toEqual(invalidRequest);
    expect(extract(`Bearer ${KEY}`, undefined, `https://api.example${query}`)).toEqual(invalidRequest);
  });

  test.each([
    undefined,
    '',
    '/',
    '*',
    '/access_token',
    '/?access_tokens=1',
    '/?q=access_token',
    '/?a=1#&access_token=x',
  ])('%j has no access_token', (url) => {
    expect(extractKey({ authorization: `Bearer ${KEY}`, xApiKey: undefined, url }).ok).toBe(true);
  });
});

const B64 = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/'];
const token = fc
  .tuple(fc.string({ unit: fc.constantFrom(...B64), minLength: 1, maxLength: 80 }), fc.nat({ max: 3 }))
  .map(([text, padding]) => text + '='.repeat(padding));
const scheme = fc
  .array(fc.boolean(), { minLength: 6, maxLength: 6 })
  .map((upper) => [...'bearer'].map((letter, index) => (upper[index] ? letter.toUpperCase() : letter)).join(''));
const nearlyAHeader = fc.string({
  unit: fc.constantFrom(
    'Bearer',
    'bearer',
    'Basic',
    ' ',
    '  ',
    ',',
    ', ',
    '\t',
    '\r',
    '\n',
    '\0',
    '"',
    '=',
    KEY,
    'a',
    'é',
    '\ud800',
  ),
  maxLength: 8,
});

describe('for any header', () => {
  test('every token that RFC 6750 allows is returned unchanged', () => {
    fc.assert(
      fc.property(scheme, fc.integer({ min: 1, max: 5 }), token, (name, blanks, text) => {
        expect(extract(name + ' '.repeat(blanks) + text)).toEqual({ ok: true, keyString: text });
      }),
    );
  });

  test('the returned token is the part of the header after the scheme, unchanged', () => {
    fc.assert(
      fc.property(fc.oneof(nearlyAHeader, anyText), (value) => {
        const found = extract(value);
        if (!found.ok) return;
        expect(value.slice(0, 7).toLowerCase()).toBe('bearer ');
        expect(value.slice(7).replace(/^ +/, '')).toBe(found.keyString);
        expect(found.keyString).toMatch(/^[\w.~+/-]+=*$/);
      }),
      { numRuns: 500 },
    );
  });

  test('a second field or a second place is always refused', () => {
    fc.assert(
      fc.property(nearlyAHeader, nearlyAHeader, (one, other) => {
        expect(extract([one, other])).toEqual(invalidRequest);
        expect(extract(`Bearer ${KEY}, ${one}`)).toEqual(invalidRequest);
        expect(extract(one, other).ok).toBe(false);
        expect(extract(one, undefined, '/?access_token=1').ok).toBe(false);
      }),
    );
  });

  test('a header of a megabyte is read quickly', () => {
    const hostile = [
      'Bearer '.repeat(150_000),
      `Bearer ${' '.repeat(1e6)}`,
      ', '.repeat(5e5),
      `Bearer ${'='.repeat(1e6)}`,
    ];
    const start = performance.now();
    for (const value of [...hostile, `a${' '.repeat(1e6)}\n`, `Bearer ${'a'.repeat(1e6)}=,`])
      expect(extract(value).ok).toBe(false);
    expect(performance.now() - start).toBeLessThan(500);
  });
});
