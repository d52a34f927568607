import { describe, expect, test } from 'vitest';
import { MAX_MANIFEST_BYTES, parseManifest } from '../../src/manifest/parse.js';
import { refusal } from '../support/refusal.js';

const WHOLE = `# keys of the partner team
version: 1
name: partner-team
scopes:
  - plan:delete
  - { scope: report:read, label: Reports }
keys:
  - name: partner-checkin
    mode: live
    scopes: [checkin:read, plan:delete]
    description: For the partner app
    rateLimit: 100/m
    expires: 90d
    labels: { team: partner, "cost/centre": "42" }
    disabled: false
  - name: ci
    mode: test
    scopes:
      - plan:read
    expiresAt: 2027-01-31
`;

const parse = (text: string) => parseManifest(text, 'keys.yaml');
const lines = (text: string) => refusal(() => parse(text)).message.split('\n');
/** One key with these lines in place of, or after, what it needs. */
const keyed = (...more: string[]) =>
  `version: 1\nname: m\nkeys:\n  - name: a\n    mode: test\n    scopes: [plan:read]\n${more.map((line) => `    ${line}\n`).join('')}`;

describe('a manifest', () => {
  test('is read with the places of its parts', () => {
    const manifest = parse(WHOLE);
    expect(manifest.source).toBe('keys.yaml');
    expect(manifest.name).toBe('partner-team');
    expect(manifest.scopes).toEqual([
      { scope: 'plan:delete', label: null, place: { line: 5, column: 5 } },
      { scope: 'report:read', label: 'Reports', place: { line: 6, column: 14 } },
    ]);
    expect(manifest.keys[0]).toEqual({
      name: 'partner-checkin',
      mode: 'live',
      description: 'For the partner app',
      scopes: [
        { scope: 'checkin:read', place: { line: 10, column: 14 } },
        { scope: 'plan:delete', place: { line: 10, column: 28 } },
      ],
      rateLimit: { limit: 100, windowSeconds: 60 },
      expiry: { after: 90 * 86_400_000, place: { line: 13, column: 14 } },
      labels: { 'cost/centre': '42', team: 'partner' },
      disabled: false,
      place: { line: 8, column: 5 },
    });
    expect(manifest.keys[1]).toMatchObject({
      description: undefined,
      rateLimit: undefined,
      labels: undefined,
      disabled: undefined,
      expiry: { at: new Date('2027-01-31T00:00:00Z') },
    });
  });

  test('may be JSON, with tabs, escapes and nulls', () => {
    const document = {
      version: 1,
      name: 'm',
      keys: [{ name: 'Zoë \u{1F600}', mode: 'live', scopes: ['plan:read'], description: null, expiresAt: null }],
    };
    for (const text of [JSON.stringify(document, null, '\t'), JSON.stringify(document).replace('Zoë', 'Zo\\u00eb')]) {
      const { keys, scopes } = parse(text);
      expect(scopes).toBeNull();
      expect(keys[0]).toMatchObject({ name: 'Zoë \u{1F600}', description: null, expiry: { at: null } });
    }
  });

  test('expires: never and expiresAt: never are no expiry, and a time that has passed can be read', () => {
    expect(parse(keyed('expires: never')).keys[0]?.expiry).toMatchObject({ after: null });
    expect(parse(keyed('expiresAt: never')).keys[0]?.expiry).toMatchObject({ at: null });
    expect(parse(keyed('expiresAt: 2001-01-01')).keys[0]?.expiry).toMatchObject({ at: new Date('2001-01-01') });
  });

  test('may have no keys at all', () => {
    expect(parse('version: 1\nname: m\nkeys: []\n').keys).toEqual([]);
  });
});

describe('what is wrong is refused with its place', () => {
  test.each([
    ['', '1:1: the manifest is not a mapping'],
    ['- a\n', '1:1: the manifest is not a mapping'],
    ['version: 1\nname: m\n', '1:1: the manifest has no keys; write keys:'],
    ['name: m\nkeys: []\n', '1:1: the manifest has no version; write version: 1'],
    ['version: 2\nname: m\nkeys: []\n', '1:10: version of the manifest is not supported; write version: 1'],
    ['version: "1"\nname: m\nkeys: []\n', '1:10: version of the manifest is not supported'],
    ['version: 1\nkeys: []\n', '1:1: the manifest has no name'],
    ['version: 1\nname: 7\nkeys: []\n', '2:7: name of the manifest is not a string; put it in quotes'],
    [
      'version: 1\nname: a b\nkeys: []\n',
      '2:7: name of the manifest: the value of label manifest is not allowed: "a b"',
    ],
    ['version: 1\nname: ""\nkeys: []\n', '2:7: name of the manifest: it is empty'],
    ['version: 1\nname: m\nkeys: {}\n', '3:7: keys is not a list'],
    ['version: 1\nname: m\nkeys:\n', '3:6: keys is not a list'],
    ['version: 1\nname: m\nkeys: []\nkeys: []\n', '4:1: "keys" is here twice; keep one of them'],
    ['version: 1\nname: m\nkeys: []\n__proto__: 1\n', '4:1: the manifest has no property "__proto__"'],
    ['version: 1\nname: m\nscope: []\nkeys: []\n', '3:1: the manifest has no property "scope", did you mean scopes?'],
    ['version: 1\nname: m\nscopes: [plan]\nkeys: []\n', '3:10: scopes[0]: "plan" is not a scope'],
    ['version: 1\nname: m\nscopes: [a:b, a:b]\nkeys: []\n', '3:15: scopes[1]: "a:b" is listed twice'],
    ['version: 1\nname: m\nscopes: [{label: X}]\nkeys: []\n', '3:10: scopes[0] has no scope'],
    ['version: 1\nname: m\nkeys: [a]\n', '3:8: keys[0] is not a mapping'],
    ['version: 1\nname: m\nkeys: [{}]\n', '3:8: keys[0] has no name'],
    ['version: 1\nname: m\nkeys:\n  -\n', '4:4: keys[0] is not a mapping'],
    [keyed('rate: 600/m'), '7:5: key "a" has no property "rate"'],
    [keyed('ratelimit: 600/m'), 'did you mean rateLimit?'],
    [keyed('rateLimit: 600'), '7:16: rateLimit of key "a" is not a string; put it in quotes'],
    [keyed('rateLimit: 600/x'), '7:16: rateLimit of key "a": rate limit "600/x" is not of the form 600/m'],
    [keyed('rateLimit:'), '7:15: rateLimit of key "a" is empty'],
    [keyed('disabled: yes'), '7:15: disabled of key "a" is neither true nor false; write true or false'],
    [keyed('description: [a]'), '7:18: description of key "a" is not a string; write one value, not several'],
    [keyed('description: "a\\nb"'), 'the description contains line breaks'],
    [keyed('expires: 90'), '7:14: expires of key "a" is not a string'],
    [keyed('expires: 2027-01-31'), '7:14: expires of key "a": expires "2027-01-31" is not a duration'],
    [keyed('expiresAt: 90d'), 'is not a date or a time; write 2027-01-31'],
    [keyed('expiresAt: 2027-02-31'), 'expiry "2027-02-31" is not a time'],
    [keyed('expires: 1d', 'expiresAt: 2027-01-31'), '7:5: key "a" has both expiresAt and expires'],
    [keyed('labels: [a]'), '7:13: labels of key "a" is not a mapping'],
    [keyed('labels: { A: b }'), '7:15: labels of key "a": label name "A" is not allowed'],
    [keyed('labels: { a: "b c" }'), 'the value of label a is not allowed: "b c"'],
    [keyed('labels: { a: 1 }'), '7:18: label "a" of key "a" is not a string; put it in quotes'],
    [keyed('labels: { manifest: other }'), '7:15: labels of key "a" has "manifest"; remove it'],
    [keyed('labels: { __proto__: x }'), 'label name "__proto__" is not allowed'],
    [keyed('labels: { a: x, a: y }'), '7:21: "a" is here twice'],
    [keyed('status: active'), '7:5: key "a" has a property "status", which a manifest cannot set; write disabled'],
    [keyed('keyString: x'), '7:5: key "a" has a property "keyString", and a manifest must not hold secrets'],
    [keyed().replace('[plan:read]', '[]'), '6:13: scopes of key "a" is empty'],
    [keyed().replace('[plan:read]', 'plan:read'), '6:13: scopes of key "a" is not a list'],
    [keyed().replace('plan:read', 'plan:*'), '6:14: a scope of key "a": "plan:*" stands for several scopes'],
    [keyed().replace('plan:read', 'plan:read, plan:read'), '6:25: a scope of key "a": "plan:read" is listed twice'],
    [keyed().replace('mode: test', 'mode: prod'), '5:11: mode of key "a": "prod" is not a mode; write mode: live or'],
    [keyed().replace('    mode: test\n', ''), '4:5: key "a" has no mode; write mode: live or mode: test'],
    [keyed().replace('name: a', 'name: -a'), 'name of keys[0]: name "-a" does not begin with a letter or a digit'],
    [keyed().replace('name: a', 'name: 12'), '4:11: name of keys[0] is not a string; put it in quotes'],
    [`${keyed()}  - { name: A, mode: test, scopes: [plan:read] }\n`, '7:5: the name "A" is given twice (line 4)'],
    ['version: &v 1\nname: m\nkeys: *v\n', '3:7: aliases are not supported'],
    ['%YAML 1.1\n---\nversion: 1\nname: m\nkeys: []\n', 'directives are not supported'],
    ['version: 1\nname: m\nkeys: !mine []\n', '3:7: tags are not supported'],
    ['version: 1\nname: m\nkeys: []\n---\nversion: 1\n', '4:1: a second document begins here'],
    ['version: 1\nname: "m\n', 'write YAML 1.2, or JSON'],
    ['version: 1\nname: m\nkeys:\n\t- a\n', '4:1: tabs cannot indent'],
  ])('%j', (text, message) => {
    const error = refusal(() => parse(text));
    expect(error.code).toBe('usage');
    expect(error.message).toContain(`keys.yaml:${/^\d/.test(message) ? message : ''}`);
    expect(error.message).toContain(message);
    expect(error.hint).toContain('nothing was changed');
  });

  test('all at once, in the order of the file', () => {
    expect(
      lines(`version: 3
name: m
keys:
  - name: a
    mode: nope
    scopes: [plan]
    colour: red
  - mode: test
    scopes: []
`),
    ).toEqual([
      expect.stringContaining('keys.yaml:1:10: version of the manifest'),
      expect.stringContaining('keys.yaml:5:11: mode of key "a"'),
      expect.stringContaining('keys.yaml:6:14: a scope of key "a"'),
      expect.stringContaining('keys.yaml:7:5: key "a" has no property "colour"'),
      expect.stringContaining('keys.yaml:8:5: keys[1] has no name'),
      expect.stringContaining('keys.yaml:9:13: scopes of keys[1] is empty'),
    ]);
  });

  test('but not more than anybody reads', () => {
    const found = lines(`version: 1\nname: m\nkeys:\n${'  - x\n'.repeat(80)}`);
    expect(found).toHaveLength(51);
    expect(found.at(-1)).toBe('… and 30 more');
  });
});

describe('what must not be in a file', () => {
  const KEY = `unlk_live_7k2m9xw4q8rs_${'a'.repeat(38)}`;

  test.each([
    ['a value', keyed(`description: ${KEY}`), 'keys.yaml:7:18: this is a key string'],
    ['a property', keyed(`"${KEY}": 1`), 'keys.yaml:7:5: this is a key string'],
    ['a comment', keyed(`# was ${KEY}`), 'keys.yaml:7:11: this is a key string'],
    [
      'text that escapes hide',
      keyed(`description: "${KEY.replace('_', '\\x5f')}"`),
      'keys.yaml:7:18: this is a key string',
    ],
    ['text that is no YAML', `{{{ ${KEY}`, 'keys.yaml:1:5: this is a key string'],
    ['a bcrypt hash', keyed(`description: $2b$10$${'x'.repeat(53)}`), 'keys.yaml:7:18: this is the hash of a secret'],
    ['an HMAC', keyed(`description: $hmac-sha256$v=1,k=01234567$x`), 'this is the hash of a secret'],
  ])('a secret as %s is refused and not repeated', (_, text, message) => {
    const error = refusal(() => parse(text));
    expect(error.message).toContain(message);
    expect(error.message).not.toMatch(/aaaa|xxxx/);
  });

  test('more than 4 MiB, counted in bytes', () => {
    const fill = (bytes: number) => `version: 1\nname: m\nkeys: [] # ${'é'.repeat(bytes / 2)}\n`;
    expect(lines(fill(MAX_MANIFEST_BYTES))[0]).toBe(
      'keys.yaml:1:1: this is too large for a manifest; at most 4 MiB: split it, and give each part a name of its own',
    );
    expect(parse(fill(MAX_MANIFEST_BYTES - 100)).keys).toEqual([]);
  });

  test('an alias bomb, and a hundred thousand brackets', () => {
    const bomb = `a: &a [x, x]\n${'bcdefghij'.replace(/./g, (letter, i: number) => `${letter}: &${letter} [${`*${'abcdefghi'[i]},`.repeat(9)}]\n`)}`;
    expect(lines(bomb)[0]).toContain('aliases are not supported');
    expect(lines('['.repeat(100_000))[0]).toContain('this is nested too deeply for a manifest');
  });

  test('control characters of the file reach no message', () => {
    const error = refusal(() => parseManifest('\u001b[31m: 1\n', 'a\u001b[2Jb.yaml'));
    expect(error.message).not.toContain('\u001b');
  });
});
