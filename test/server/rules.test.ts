import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseRules, scopesFor } from '../../src/server/rules.js';
import { loggedPath, readTarget } from '../../src/server/target.js';
import { refusal } from '../support/refusal.js';

const rules = parseRules(
  `
- { methods: [GET], path: /check-ins/**, scopes: [checkin:read] }
- { methods: [POST, PUT], path: /check-ins/*, scopes: [checkin:create, checkin:read] }
- { path: /status, scopes: [] }
- { methods: [GET], path: /caf\u00e9 1, scopes: [plan:read] }
- { methods: [GET], path: /plans/, scopes: [plan:read] }
- { methods: [DELETE], path: /a/*/b, scopes: [plan:update] }
`,
  'rules.yaml',
);

function needed(method: string, uri: string) {
  const target = readTarget(method, uri);
  return target === null ? 'ambiguous' : scopesFor(rules, target);
}

describe('rules', () => {
  test.each([
    ['GET', '/check-ins', ['checkin:read']],
    ['GET', '/check-ins/', ['checkin:read']],
    ['GET', '/check-ins/1/notes?x=/plans', ['checkin:read']],
    ['HEAD', '/check-ins/1', ['checkin:read']],
    ['GET', '/check-ins-of-others', null],
    ['GET', '/Check-Ins', null],
    ['GET', '/x/check-ins', null],
    ['POST', '/check-ins/1', ['checkin:create', 'checkin:read']],
    ['POST', '/check-ins', null],
    ['POST', '/check-ins/', null],
    ['POST', '/check-ins/1/2', null],
    ['DELETE', '/check-ins/1', null],
    ['PATCH', '/status', []],
    ['GET', '/status/', null],
    ['GET', '/check-ins?a#b/../plans', ['checkin:read']],
    ['GET', '/caf%C3%A9%201', ['plan:read']],
    ['GET', '/plans/', ['plan:read']],
    ['GET', '/plans', null],
    ['DELETE', '/a/x/b', ['plan:update']],
    ['DELETE', '/a/b', null],
    ['GET', '/', null],
  ])('%s %s needs %j', (method, uri, scopes) => {
    expect(needed(method, uri)).toEqual(scopes);
  });

  test('the first that fits decides', () => {
    const text =
      '- { path: /a/b, scopes: [] }\n- { path: /a/**, scopes: [plan:read] }\n- { path: /**, scopes: [plan:update] }';
    const list = parseRules(text, 'f');
    const of = (uri: string) => scopesFor(list, readTarget('GET', uri) ?? { method: '', segments: [] });
    expect([of('/a/b'), of('/a/c'), of('/'), of('/x/y')]).toEqual([
      [],
      ['plan:read'],
      ['plan:update'],
      ['plan:update'],
    ]);
  });

  test('JSON is read as well', () => {
    expect(parseRules('[{"path":"/x","scopes":["plan:read"]}]', 'f')).toEqual([
      { methods: null, segments: ['x'], below: false, scopes: ['plan:read'] },
    ]);
  });
});

describe('a path that two readers could take for two is refused', () => {
  test.each([
    '/check-ins/../plans',
    '/check-ins/./1',
    '/check-ins/..',
    '//check-ins',
    '/check-ins//1',
    '/check-ins%2f..%2fplans',
    '/check-ins/%2e%2e/plans',
    '/check-ins/%2E/plans',
    '/check-ins\\..\\plans',
    '/check-ins%5c1',
    '/check-ins;x=1',
    '/check-ins/%00',
    '/check-ins/%252e%252e',
    '/check-ins/%',
    '/check-ins/%zz',
    '/check-ins/%ff',
    '/caf\u00e9',
    '/a b',
    '/a\tb',
    'check-ins',
    '',
    '?x',
    '/check-ins#/../plans',
    '/check-ins#',
    '/check-ins#?x',
    'http://host/check-ins',
    `/${'a'.repeat(5000)}`,
  ])('%s', (uri) => {
    expect(readTarget('GET', uri)).toBeNull();
  });

  test.each(['get', 'GET, POST', '', 'GET ', 'G\u0000T'])('and so is the method %j', (method) => {
    expect(readTarget(method, '/check-ins')).toBeNull();
  });

  test('what is accepted is what any URL parser makes of it', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'/.%2fFeE5cC;\\aA#?'), maxLength: 12 }), (text) => {
        const target = readTarget('GET', `/${text}`);
        if (target === null) return;
        const { pathname } = new URL(`http://host/${text}`);
        expect(pathname).toBe(`/${text}`.replace(/\?.*$/s, ''));
        expect(target.segments).toEqual(pathname.slice(1).split('/').map(decodeURIComponent));
        expect(target.segments.some((each) => /[/\\]/.test(each) || each === '..' || each === '.')).toBe(false);
      }),
      { numRuns: 5000 },
    );
  });

  test('a log gets no query', () => {
    expect(loggedPath('/a?token=x#y')).toBe('/a');
    expect(loggedPath('/a#token=x')).toBe('/a');
  });

  test('a log shows what was encoded for no reason, so that a key string is known for one', () => {
    expect(loggedPath('/%75nlk%5flive%5F0?x')).toBe('/unlk_live_0');
    expect(loggedPath('/a%2e%2F%25%C3%A9%')).toBe('/a%2e%2F%25%C3%A9%');
  });
});

describe('rules that are none are refused, with their place', () => {
  test.each([
    ['', /rules are a list/],
    ['path: /x', /1:1: rules are a list/],
    ['- x', /1:3: a rule is a mapping/],
    ['- { path: /x }', /1:3: the rule has no scopes/],
    ['- { scopes: [] }', /no path/],
    ['- { path: /x, scopes: [], allow: true }', /1:27: a rule has no property .*allow/],
    ['- path: /x\n  scopes: plan:read', /2:11: scopes is not a list/],
    ['- { path: /x, scopes: [plan] }', /1:24: /],
    ['- { path: /x, scopes: ["*"] }', /1:24: /],
    ['- { path: /x, scopes: [1] }', /1:24: scopes holds what is not a text/],
    ['- { path: x, scopes: [] }', /begins with/],
    ['- { path: /x/**/y, scopes: [] }', /a \* beside/],
    ['- { path: /x*, scopes: [] }', /a \* beside/],
    ['- { path: /x//y, scopes: [] }', /empty segment/],
    ['- { path: /x/../y, scopes: [] }', /dot segment/],
    ['- { path: "/x?y", scopes: [] }', /one of/],
    ['- { path: /%41, scopes: [] }', /one of/],
    ['- { methods: GET, path: /x, scopes: [] }', /methods is not a list/],
    ['- { methods: [get], path: /x, scopes: [] }', /not a method/],
    ['- { methods: [], path: /x, scopes: [] }', /methods is empty/],
    ['- { path: /x, path: /y, scopes: [] }', /unique/],
    ['- { path: /x, scopes: [', /1:/],
    ['- &a { path: /x, scopes: [], <<: *b }', /f:1/],
  ])('%j', (text, message) => {
    expect(refusal(() => parseRules(text, 'f'))).toMatchObject({
      code: 'usage',
      message: expect.stringMatching(message),
    });
  });

  test('and so are brackets that would exhaust the stack', () => {
    expect(refusal(() => parseRules(`- ${'['.repeat(100_000)}`, 'f'))).toMatchObject({
      code: 'usage',
      message: expect.stringMatching(/nested deeper/),
    });
  });
});
