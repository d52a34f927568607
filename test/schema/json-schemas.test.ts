import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { Ajv as AjvClass } from 'ajv';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { jsonSchemas } from '../../scripts/json-schemas.js';
import { parseConfig } from '../../src/cli/settings/config-parse.js';
import { isKeysError } from '../../src/domain/errors.js';
import { parseIssueRules } from '../../src/issuer/rules.js';
import { parseRules } from '../../src/server/rules.js';
import { parseDocument } from '../../src/yaml/yaml.js';

const { Ajv } = createRequire(import.meta.url)('ajv') as { Ajv: typeof AjvClass };
const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (file: string) => readFileSync(`${root}${file}`, 'utf8');
const validatorOf = (name: string) =>
  new Ajv({ allErrors: true, allowUnionTypes: true }).compile(JSON.parse(read(`schema/${name}.schema.json`)));

function accepts(parse: () => unknown): boolean {
  try {
    parse();
    return true;
  } catch (error) {
    if (isKeysError(error, 'usage')) return false;
    throw error;
  }
}

test('schema/ holds what npm run schema writes', () => {
  const files = jsonSchemas();
  expect(readdirSync(`${root}schema`).sort()).toEqual(Object.keys(files).sort());
  for (const [name, text] of Object.entries(files)) expect(read(`schema/${name}`), name).toBe(text);
});

test('every schema has an id of its own and is exported', () => {
  const { exports } = JSON.parse(read('package.json')) as { exports: Record<string, unknown> };
  const ids = readdirSync(`${root}schema`).map((name) => {
    expect(exports[`./schema/${name}`]).toBe(`./schema/${name}`);
    return (JSON.parse(read(`schema/${name}`)) as { $id?: string }).$id;
  });
  expect(new Set(ids.filter(Boolean)).size).toBe(4);
});

describe('the schema of rules', () => {
  const validate = validatorOf('rules');
  const agree = (document: unknown) => {
    const accepted = accepts(() => parseRules(JSON.stringify(document), 'f'));
    expect(validate(document), `${JSON.stringify(document)} ${JSON.stringify(validate.errors)}`).toBe(accepted);
    return accepted;
  };

  test.each<[boolean, unknown]>([
    [true, [{ path: '/x', scopes: [] }]],
    [true, [{ methods: ['GET', 'POST'], path: '/a/*/b/**', scopes: ['plan:read'] }]],
    [
      true,
      [
        { path: '/', scopes: [] },
        { path: '/a/', scopes: [] },
        { path: '/**', scopes: [] },
      ],
    ],
    [false, []],
    [false, {}],
    [false, null],
    [false, ['x']],
    [false, [{ path: '/x' }]],
    [false, [{ scopes: [] }]],
    [false, [{ path: '/x', scopes: [], allow: true }]],
    [false, [{ path: '/x', scopes: 'plan:read' }]],
    [false, [{ path: '/x', scopes: ['plan:*'] }]],
    [false, [{ path: '/x', scopes: [1] }]],
    [false, [{ path: 'x', scopes: [] }]],
    [false, [{ path: '/x', scopes: [], methods: [] }]],
    [false, [{ path: '/x', scopes: [], methods: ['get'] }]],
    [false, [{ path: '/x', scopes: [], methods: null }]],
  ])('%s: %j', (expected, document) => {
    expect(agree(document)).toBe(expected);
  });

  test('takes the paths that serve takes, and no others', () => {
    const seen = { true: 0, false: 0 };
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('/', '*', '.', 'a', '?', '%', ' ', 'é', '\u007f'), maxLength: 8 }),
        (text) => {
          seen[`${agree([{ path: `/${text}`, scopes: [] }])}`] += 1;
        },
      ),
      { numRuns: 400 },
    );
    expect(Math.min(seen.true, seen.false)).toBeGreaterThan(20);
  });
});

describe('the schema of the rules for jobs', () => {
  const validate = validatorOf('issue-rules');
  const rule = (more: object = {}) => [
    {
      name: 'app',
      issuer: 'https://ci.example',
      audience: 'https://keys.example',
      claims: { sub: 'x' },
      scopes: ['plan:read'],
      ...more,
    },
  ];
  const all = { maxTtl: '24h', maxAlive: 5, maxIssued: '10/h', rateLimit: '600/m', pullRequests: true };

  test.each<[boolean, unknown]>([
    [true, rule()],
    [true, rule({ ...all, claims: { sub: ['x', 'y'], ref: 'z' } })],
    [false, []],
    [false, {}],
    [false, rule({ claims: {} })],
    [false, rule({ claims: { sub: 7 } })],
    [false, rule({ claims: { sub: [] } })],
    [false, rule({ claims: { sub: [' '] } })],
    [false, rule({ issuer: 'http://ci.example' })],
    [false, rule({ name: 'A' })],
    [false, rule({ audience: '' })],
    [false, rule({ scopes: [] })],
    [false, rule({ scopes: ['plan:*'] })],
    [false, rule({ maxTtl: 'never' })],
    [false, rule({ maxAlive: 0 })],
    [false, rule({ maxAlive: 1.5 })],
    [false, rule({ maxIssued: '10' })],
    [false, rule({ rateLimit: 10 })],
    [false, rule({ pullRequests: 'no' })],
    [false, rule({ mode: 'live' })],
    [false, [{}]],
  ])('%s: %j', (expected, document) => {
    expect(accepts(() => parseIssueRules(JSON.stringify(document), 'f'))).toBe(expected);
    expect(validate(document), JSON.stringify(validate.errors)).toBe(expected);
  });
});

describe('the schema of the configuration', () => {
  const validate = validatorOf('config');
  const profile = (more: object) => ({ profiles: { a: { store: './a.db', ...more } } });

  test.each<[boolean, unknown]>([
    [true, {}],
    [true, { profiles: null }],
    [true, { default: 'a', ...profile({}) }],
    [true, profile({ store: 'libsql://keys.example', tokenFile: 't', protected: true, testOnly: false })],
    [true, profile({ tokenCommand: ['op', 'read', ''], pepperFile: 'p', allowHttp: true })],
    [true, profile({ defaults: { output: 'json', expires: '90d', rateLimit: '60/m' } })],
    [false, []],
    [false, { profile: {} }],
    [false, { default: '' }],
    [false, { profiles: [] }],
    [false, { profiles: { a: {} } }],
    [false, { profiles: { a: null } }],
    [false, { profiles: { 'b c': { store: 'x' } } }],
    [false, { profiles: { constructor: { store: 'x' } } }],
    [false, profile({ store: ' ' })],
    [false, profile({ store: 7 })],
    [false, profile({ protected: 'yes' })],
    [false, profile({ authToken: 'x' })],
    [false, profile({ tokenFile: 'x', tokenCommand: ['y'] })],
    [false, profile({ tokenCommand: [] })],
    [false, profile({ tokenCommand: 'op read' })],
    [false, profile({ tokenCommand: [7] })],
    [false, profile({ defaults: { output: 'xml' } })],
    [false, profile({ defaults: { expire: '9d' } })],
    [false, profile({ defaults: { rateLimit: '5/y' } })],
    [false, profile({ defaults: { expires: 90 } })],
  ])('%s: %j', (expected, document) => {
    expect(accepts(() => parseConfig(JSON.stringify(document), { file: '/c.yaml', home: () => '/h' }))).toBe(expected);
    expect(validate(document), JSON.stringify(validate.errors)).toBe(expected);
  });

  test('leaves to the tool what it cannot say', () => {
    for (const document of [
      { default: 'b' },
      profile({ store: 'http://db.example' }),
      profile({ store: ':memory:' }),
    ]) {
      expect(accepts(() => parseConfig(JSON.stringify(document), { file: '/c.yaml', home: () => '/h' }))).toBe(false);
      expect(validate(document)).toBe(true);
    }
  });
});

describe('the examples of the docs', () => {
  const pages = readdirSync(`${root}docs`).filter((name) => name.endsWith('.md'));
  const examples = pages.flatMap((page) =>
    [...read(`docs/${page}`).matchAll(/```yaml\n((?:#.*\n)*# yaml-language-server: \$schema=(\S+)\n.*?)```/gs)].map(
      ([, text = '', schema = '']) => ({ page, text, schema }),
    ),
  );

  test('name a schema of this package and fit it', () => {
    expect(
      examples.map(({ schema }) => schema.replace(/^\.\/node_modules\/unlockos-keys\/schema\//, '')).sort(),
    ).toEqual(['config.schema.json', 'issue-rules.schema.json', 'manifest.schema.json', 'rules.schema.json']);
    for (const { page, text, schema } of examples) {
      const validate = validatorOf(schema.replace(/^.*\/|\.schema\.json$/g, ''));
      expect(validate(parseDocument(text).toJS()), `${page}: ${JSON.stringify(validate.errors)}`).toBe(true);
    }
  });
});
