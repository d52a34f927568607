import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseRules, scopesFor } from '../../src/server/rules.js';
import { loggedPath, readTarget, type Target } from '../../src/server/target.js';
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

/** Every path of so many segments of `a`, `b` and `c`, with a slash at the end and without. */
function pathsOf(length: number): string[] {
  const shorter = length === 1 ? [''] : pathsOf(length - 1).filter((each) => !each.endsWith('/'));
  return shorter.flatMap((each) =>
    ['a', 'b', 'c'].flatMap((last) => {
      const path = each === '' ? last : `${each}/${last}`;
      return [path, `${path}/`];
    }),
  );
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
    const of = (uri: string) => scopesFor(list, readTarget('GET', uri) ?? { method: '', segments: [], written: [] });
    expect([of('/a/b'), of('/a/c'), of('/'), of('/x/y')]).toEqual([
      [],
      ['plan:read'],
      ['plan:update'],
      ['plan:update'],
    ]);
  });

  test.each([
    ['/admin/users', ['plan:update']],
    ['/ADMIN/users', ['plan:update']],
    ['/Admin', ['plan:update']],
    ['/%61dmin/users', ['plan:update']],
    ['/admin.json/users', ['plan:update']],
    ['/admin.', ['plan:update']],
    ['/admin+', ['plan:update']],
    ['/+admin/users', ['plan:update']],
    ['/ad%E2%80%8Bmin', ['plan:update']],
    ['/admin%C2%AD', ['plan:update']],
    ['/admin+x', []],
    ['/administrator', []],
    ['/report', ['plan:read']],
    ['/report/', ['plan:read']],
    ['/REPORT', ['plan:read']],
    ['/report.json', ['plan:read']],
    ['/report.json.bak', ['plan:read']],
    ['/%72eport/', ['plan:read']],
    ['/reports', []],
    ['/re.port', []],
    ['/page', ['checkin:read']],
    ['/page/', ['checkin:read']],
    ['/list/', ['plan:read', 'checkin:read']],
    ['/list', ['plan:read', 'checkin:read']],
    ['/page.html', ['checkin:read']],
    ['/caf%C3%A9', ['facility:read']],
    ['/CAF%C3%89', ['facility:read']],
    ['/x+y', ['plan:read', 'checkin:read']],
    ['/x%20y', ['plan:read', 'checkin:read']],
    ['/report/x', []],
    ['/deep', []],
    ['/deep/er', ['plan:update']],
    ['/xx/ER', []],
    ['/xx/%65r', []],
    ['/deep/er/', ['plan:update']],
    ['/below', []],
    ['/below/it', ['plan:update']],
    ['/star/', []],
    ['/star/x', ['plan:update']],
    ['/list/.x', []],
    ['/dot/', []],
    ['/dot/.well', ['plan:update']],
    ['/in/a/list/', ['plan:read']],
    ['/in/a/list', ['plan:read']],
    ['/STRASSE', ['facility:read']],
    ['/stra%C3%9Fe', ['facility:read']],
    ['/%EF%AC%81le', ['checkin:read']],
  ])('before a catch-all, %s needs %j, whichever way the server behind reads it', (uri, scopes) => {
    const list = parseRules(
      `
- { path: /admin/**, scopes: [plan:update] }
- { path: /report, scopes: [plan:read] }
- { path: /page.html/, scopes: [checkin:read] }
- { path: /list/, scopes: [plan:read] }
- { path: /list, scopes: [checkin:read] }
- { path: /café, scopes: [facility:read] }
- { path: /straße, scopes: [facility:read] }
- { path: /file, scopes: [checkin:read] }
- { path: /deep/er, scopes: [plan:update] }
- { path: /below/it/**, scopes: [plan:update] }
- { path: /star/*, scopes: [plan:update] }
- { path: /dot/.well, scopes: [plan:update] }
- { path: /in/a/list/, scopes: [plan:read] }
- { path: /x y, scopes: [plan:read] }
- { path: /x+y, scopes: [checkin:read] }
- { path: /**, scopes: [] }`,
      'f',
    );
    expect(scopesFor(list, readTarget('GET', uri) as Target)).toEqual(scopes);
  });

  test.each([
    '/PLANS',
    '/plans/',
    '/plans.json',
    '/%70lans',
    '/plan%73',
  ])('without a catch-all, %s is refused: no rule is about it in every reading', (uri) => {
    const list = parseRules('- { path: /plans, scopes: [] }', 'f');
    expect(scopesFor(list, readTarget('GET', uri) as Target)).toBeNull();
  });

  test('a path of one slash is read in one way by all servers, and one with a slash at the end is not', () => {
    const list = parseRules(
      ['/', '/a/b/', '/**'].map((path, i) => `- { path: ${path}, scopes: [plan:${'xyz'[i]}] }`).join('\n'),
      'f',
    );
    const of = (uri: string) => scopesFor(list, readTarget('GET', uri) as Target);
    expect(of('/')).toEqual(['plan:x']);
    expect(of('/a/b/')).toEqual(['plan:y', 'plan:z']);
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
    '/check-ins/%0a',
    '/check-ins/%1F',
    '/check-ins/%7f',
    '/check-ins/%c2%85',
    '/check-ins%3bx',
    '/check-ins%3Fx',
    '/check-ins%23x',
    '/check-ins%20/1',
    '/%20check-ins',
    '/check-ins%C2%A0',
    '/check-ins/...',
    '/check-ins%EF%BC%8F1',
    '/%E2%80%A5/check-ins',
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
      { numRuns: 1000 },
    );
  });

  test('a path has at most 4096 characters, and a log gets 200 of them', () => {
    expect(readTarget('GET', `/${'a'.repeat(4095)}`)).not.toBeNull();
    expect(readTarget('GET', `/${'a'.repeat(4096)}`)).toBeNull();
    expect(readTarget('GET', `/${'a'.repeat(4095)}?${'q'.repeat(9000)}`)).not.toBeNull();
    expect(loggedPath(`/${'a'.repeat(300)}`)).toBe(`/${'a'.repeat(199)}`);
  });

  test.each([
    '/.well-known/x',
    '/a.',
    '/a/.b./c',
    '/.caf%C3%A9',
    '/caf%C3%A9.',
    '/a%20b',
    '/caf%C3%A9%20b',
  ])('dots beside others, and blanks within, are read in one way: %s', (uri) => {
    expect(readTarget('GET', uri)?.segments.join('/')).toBe(decodeURIComponent(uri.slice(1)));
  });

  test('a log gets no query', () => {
    expect(loggedPath('?token=x\n/y')).toBe('');
    expect(loggedPath('/a?token=x\n/y')).toBe('/a');
    expect(loggedPath('/a?token=x#y')).toBe('/a');
    expect(loggedPath('/a#token=x')).toBe('/a');
  });

  test('a log shows what was encoded for no reason, so that a key string is known for one', () => {
    expect(loggedPath('/%75nlk%5flive%5F0?x')).toBe('/unlk_live_0');
    expect(loggedPath('/a%2e%2F%25%C3%A9%')).toBe('/a%2e%2F%25%C3%A9%');
  });
});

describe('a file that is not valid is refused, with the place of each problem', () => {
  test.each([
    ['', /1:1: the file is not a list/],
    ['path: /x', /1:1: the file is not a list/],
    ['- x', /1:3: rule 1 is not a mapping/],
    ['- { path: /x }', /1:3: rule 1 has no scopes/],
    ['- { scopes: [] }', /1:3: rule 1 has no path/],
    ['- { path: /x, scopes: [], allow: true }', /1:27: rule 1 has no property .*allow/],
    ['- path: /x\n  scopes: plan:read', /2:11: scopes of rule 1 is not a list/],
    ['- { path: /x, scopes: [plan] }', /1:24: /],
    ['- { path: /x, scopes: ["*"] }', /1:24: /],
    ['- { path: /x, scopes: [1] }', /1:24: a scope of rule 1 is not a string/],
    ['- { path: x, scopes: [] }', /1:11: path of rule 1: "x" does not begin with/],
    ['- { path: /x/**/y, scopes: [] }', /a \* beside/],
    ['- { path: /x*, scopes: [] }', /a \* beside/],
    ['- { path: /x//y, scopes: [] }', /empty segment/],
    ['- { path: /x//**, scopes: [] }', /empty segment/],
    ['- { path: /x/../y, scopes: [] }', /dot segment/],
    ['- { path: "/x?y", scopes: [] }', /one of/],
    ['- { path: /%41, scopes: [] }', /one of/],
    ['- { path: /x/..., scopes: [] }', /dot segment/],
    ['- { path: "/x /y", scopes: [] }', /read in different ways/],
    ['- { path: "/x\\u0007", scopes: [] }', /read in different ways/],
    ['- { path: /a／b, scopes: [] }', /read in different ways/],
    ['- { methods: GET, path: /x, scopes: [] }', /methods of rule 1 is not a list/],
    ['- { methods: [get], path: /x, scopes: [] }', /not a method/],
    ['- { methods: [GET1], path: /x, scopes: [] }', /not a method/],
    ['- { methods: [1GET], path: /x, scopes: [] }', /not a method/],
    ['- { methods: [], path: /x, scopes: [] }', /methods of rule 1 is empty/],
    ['- { path: /x, path: /y, scopes: [] }', /1:15: "path" is here twice/],
    ['- { path: /x, scopes: [', /1:/],
    ['- &a { path: /x, scopes: [], <<: *b }', /f:1/],
  ])('%j', (text, message) => {
    expect(refusal(() => parseRules(text, 'f'))).toMatchObject({
      code: 'usage',
      message: expect.stringMatching(message),
    });
  });

  test.each([
    ['/**', '/admin/**'],
    ['/*', '/admin'],
    ['/a/*/c', '/a/b/c'],
    ['/a/**', '/a'],
    ['/a/**', '/a/'],
    ['/a/**', '/a/*/c/**'],
    ['/a/*/**', '/a/b'],
    ['/a', '/a'],
    ['/*/b', '/*/b'],
  ])('a rule for %s makes one for %s useless', (first, second) => {
    const text = `- { path: ${first}, scopes: [] }\n- { path: /other, scopes: [] }\n- { path: ${second}, scopes: [plan:read] }`;
    const [line] = refusal(() => parseRules(text, 'f'))
      .message.split('\n')
      .slice(-1);
    expect(line).toMatch(/^f:3:3: rule 3 can never decide: rule 1 comes first .*; put it before rule 1, or remove it$/);
  });

  test.each([
    [['/a/b', '/a/**', '/a/b'], 1],
    [['/a/**', '/a/b', '/a/b'], 1],
    [['/a', '/a', '/a'], 1],
    [['/b', '/*/c', '/a/**', '/a/c'], 2],
  ])('of several that decide instead, the first is named: %j', (paths, by) => {
    const text = paths.map((each) => `- { path: ${each}, scopes: [] }`).join('\n');
    expect(refusal(() => parseRules(text, 'f')).message).toContain(
      `rule ${paths.length} can never decide: rule ${by} comes first`,
    );
  });

  test('dots at the beginning and the end of a segment are allowed', () => {
    expect(parseRules('- { path: /.well-known/x./**, scopes: [] }', 'f')).toHaveLength(1);
  });

  test.each([
    ['/admin/**', '/**'],
    ['/*', '/'],
    ['/*', '/a/'],
    ['/*', '/a/b'],
    ['/a/*/**', '/a/**'],
    ['/a', '/a/'],
    ['/a', '/A'],
    ['/a/*/c', '/a/b/*'],
    ['/a/b', '/a/*'],
    ['/a', '/a/**'],
  ])('a rule for %s leaves something to one for %s', (first, second) => {
    expect(parseRules(`- { path: ${first}, scopes: [] }\n- { path: ${second}, scopes: [] }`, 'f')).toHaveLength(2);
  });

  test.each([
    [['null', '[POST]'], 1],
    [['[GET]', '[HEAD]'], 1],
    [['[GET, POST]', '[POST]'], 1],
    [['[GET]', '[POST]', '[HEAD, POST]'], 1],
    [['[POST]', '[GET]'], null],
    [['[HEAD]', '[GET]'], null],
    [['[GET]', '[POST]', '[POST, PUT]'], null],
    [['[GET]', 'null'], null],
  ])('by methods: %j', (methods, by) => {
    const text = methods
      .map((each) => `- { ${each === 'null' ? '' : `methods: ${each}, `}path: /a, scopes: [] }`)
      .join('\n');
    const read = () => parseRules(text, 'f');
    if (by === null) expect(read()).toHaveLength(methods.length);
    else expect(refusal(read).message).toMatch(new RegExp(`rule ${methods.length} can never decide: rule ${by} `));
  });

  test('whether a rule can decide is found for any rules as it is by trying all paths', () => {
    const segment = fc.constantFrom('a', 'b', '*');
    const path = fc
      .tuple(fc.array(segment, { maxLength: 3 }), fc.constantFrom('', '/', '/**'))
      .map(([segments, end]) => `/${segments.join('/')}${end}`.replace('//', '/'));
    const seen = { useless: 0, useful: 0 };
    const paths = [''].concat(...[1, 2, 3, 4].map((length) => pathsOf(length)));
    fc.assert(
      fc.property(fc.array(path, { minLength: 2, maxLength: 4 }), (list) => {
        const one = (each: string) => parseRules(`- { path: "${each}", scopes: [] }`, 'f');
        const decides = (each: string, uri: string) => scopesFor(one(each), readTarget('GET', uri) as Target) !== null;
        const last = list.at(-1) as string;
        const useless = !paths.some(
          (uri) => decides(last, `/${uri}`) && !list.slice(0, -1).some((each) => decides(each, `/${uri}`)),
        );
        const text = list.map((each) => `- { path: "${each}", scopes: [] }`).join('\n');
        let said = false;
        try {
          parseRules(text, 'f');
        } catch (error) {
          said = (error as Error).message.includes(`rule ${list.length} can never decide`);
        }
        seen[useless ? 'useless' : 'useful'] += 1;
        if (said) expect(useless, text).toBe(true);
        if (useless && list.length === 2) expect(said, text).toBe(true);
      }),
      { numRuns: 300 },
    );
    expect(Math.min(seen.useless, seen.useful)).toBeGreaterThan(20);
  });

  test('all problems at once', () => {
    const text = '- x\n- { path: 1, methods: [get, 2] }\n- { path: /a, scopes: [a, b:c], metods: [GET] }';
    expect(refusal(() => parseRules(text, 'f')).message.split('\n')).toEqual([
      expect.stringMatching(/^f:1:3: rule 1 is not a mapping; /),
      expect.stringMatching(/^f:2:3: rule 2 has no scopes; /),
      expect.stringMatching(/^f:2:11: path of rule 2 is not a string; /),
      expect.stringMatching(/^f:2:24: a method of rule 2: "get" is not a method; /),
      expect.stringMatching(/^f:2:29: a method of rule 2 is not a string; /),
      expect.stringMatching(/^f:3:24: a scope of rule 3: "a" is not a scope; /),
      expect.stringMatching(/^f:3:33: rule 3 has no property "metods", did you mean methods\?; /),
    ]);
  });

  test('and so are brackets that would exhaust the stack', () => {
    expect(refusal(() => parseRules(`- ${'['.repeat(100_000)}`, 'f'))).toMatchObject({
      code: 'usage',
      message: expect.stringMatching(/nested too deeply/),
    });
  });
});
