import { expect, test } from 'vitest';
import { parseConfig } from '../src/cli/settings/config-parse.js';
import { isKeysError } from '../src/domain/errors.js';
import { parseLabels } from '../src/domain/labels.js';
import { parseManifest } from '../src/manifest/parse.js';
import { parseRules } from '../src/server/rules.js';
import { YamlDocument } from '../src/yaml/document.js';

// Whatever a file or a request says, objects that have nothing to do with it stay as they were.

const SHARED = [Object, Array, Function, String, Number, Map, Set, Date, RegExp, Error].map(
  ({ prototype }) => prototype,
);

/** All that the shared objects hold, to be compared by identity. */
const snapshot = () =>
  SHARED.flatMap((prototype) =>
    Reflect.ownKeys(prototype).flatMap((name) => {
      const { value, get, set } = Object.getOwnPropertyDescriptor(prototype, name) ?? {};
      return [name, value, get, set];
    }),
  );

/** Every object in a value whose prototype is neither that of its own kind nor none. */
function strangers(value: unknown, seen = new Set<unknown>()): unknown[] {
  if (typeof value !== 'object' || value === null || seen.has(value)) return [];
  seen.add(value);
  const prototype = Object.getPrototypeOf(value);
  const known = prototype === null || SHARED.includes(prototype);
  return [...(known ? [] : [value]), ...Object.values(value).flatMap((each) => strangers(each, seen))];
}

const NAMES = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'constructor: { prototype'];

/** A mapping with such a name, in each place where a reader takes a mapping. */
function files(name: string): string[] {
  const close = name.includes('{') ? ' }' : '';
  const bad = `${name}: { polluted: yes, scopes: [plan:read], store: x.db }${close}`;
  const merged = `<<: { ${bad} }`;
  return [bad, merged].flatMap((entry) => [
    `{ ${entry} }`,
    `- { ${entry} }`,
    `- { methods: [GET], path: /a, scopes: [plan:read], ${entry} }`,
    `- { methods: { ${entry} }, path: { ${entry} }, scopes: [plan:read] }`,
    `version: 1\nname: m\nkeys: []\n${entry}`,
    `version: 1\nname: m\ndefaults: { ${entry} }\nkeys: [{ name: a, mode: test, scopes: [plan:read], ${entry} }]`,
    `version: 1\nname: m\nkeys: [{ name: a, mode: test, scopes: [plan:read], labels: { ${entry} } }]`,
    `profiles: { ${entry} }`,
    `profiles: { a: { ${entry} } }`,
    `profile: ${name.split(':')[0]}\nprofiles: { a: { store: x.db } }`,
    JSON.stringify({ [name]: { polluted: 'yes' } }),
    `[{"methods":["GET"],"path":"/a","scopes":["plan:read"],"${name}":{"polluted":1}}]`,
  ]);
}

test.each(NAMES)('%s in a file changes no object but the one that is read', (name) => {
  const before = snapshot();
  const read: unknown[] = [];
  for (const text of files(name))
    for (const reader of [
      () => parseRules(text, 'rules.yaml'),
      () => parseManifest(text, 'keys.yaml'),
      () => parseConfig(text, { file: 'config.yaml', home: () => '/' }),
      () => new YamlDocument(text, { kind: 'a file', maxBytes: 1e6, maxDepth: 10, tooLarge: 'less' }).value,
      () => parseLabels([`${name}=x`]),
    ])
      try {
        read.push(reader());
      } catch (error) {
        if (!isKeysError(error)) throw error;
      }
  const after = snapshot();
  expect(after.length).toBe(before.length);
  expect(after.every((each, i) => Object.is(each, before[i]))).toBe(true);
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  expect(read.flatMap((value) => strangers(value))).toEqual([]);
  expect(read.length).toBeGreaterThan(0);
});
