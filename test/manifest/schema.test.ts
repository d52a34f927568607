import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { Ajv as AjvClass, ValidateFunction } from 'ajv';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { programForDocs } from '../../src/cli/program.js';
import { isKeysError } from '../../src/domain/errors.js';
import { parseManifest } from '../../src/manifest/parse.js';
import { parseDocument } from '../../src/yaml/yaml.js';

const { Ajv } = createRequire(import.meta.url)('ajv') as { Ajv: typeof AjvClass };
const read = (file: string) => readFileSync(fileURLToPath(new URL(`../../${file}`, import.meta.url)), 'utf8');
const validate: ValidateFunction = new Ajv({ allErrors: true, allowUnionTypes: true }).compile(
  JSON.parse(read('schema/manifest.schema.json')),
);

function parses(text: string): boolean {
  try {
    parseManifest(text, 'keys.json');
    return true;
  } catch (error) {
    if (isKeysError(error, 'usage')) return false;
    throw error;
  }
}

/** Now and then the one, else the other. */
const mostly = <T, U>(good: fc.Arbitrary<T>, bad: fc.Arbitrary<U>) =>
  fc.oneof(
    { arbitrary: good as fc.Arbitrary<T | U>, weight: 12 },
    { arbitrary: bad as fc.Arbitrary<T | U>, weight: 1 },
  );

const junk = fc.constantFrom<unknown>(null, 0, 1, true, '', ' ', 'x', '*', [], ['x'], {}, { x: 1 });
const scope = mostly(
  fc.constantFrom('plan:read', 'plan:create', 'a-1:b-2', `${'a'.repeat(31)}:b`),
  fc.oneof(junk, fc.constantFrom('plan', 'plan:*', 'Plan:read', 'a:b:c', `${'a'.repeat(32)}:b`, '1a:b')),
);
const name = mostly(
  fc.constantFrom('a', 'Partner 1', '\u00e9t\u00e9', '4x', 'x'.repeat(64), `\u4e00${'\u{1F600}'.repeat(63)}`, 'a"b\\c'),
  fc.oneof(junk, fc.constantFrom('-a', ' a', 'a ', 'x'.repeat(65), '\u{1F600}')),
);
const distinct = <T>(arbitrary: fc.Arbitrary<T>, least: number) =>
  fc.uniqueArray(arbitrary, { minLength: least, maxLength: 3, selector: (each) => JSON.stringify(each).toLowerCase() });
const key = fc.record(
  {
    name,
    mode: mostly(fc.constantFrom('live', 'test'), fc.oneof(junk, fc.constant('Live'))),
    scopes: mostly(distinct(scope, 1), junk),
    description: mostly(
      fc.constantFrom('', ' ', 'What for', null, 'x'.repeat(500)),
      fc.constantFrom(1, [], 'a\nb', 'x'.repeat(501)),
    ),
    rateLimit: mostly(
      fc.constantFrom('600/m', '1/s', '1000000000/d'),
      fc.oneof(junk, fc.constantFrom('0/m', '6/x', '600', 600)),
    ),
    expiresAt: mostly(
      fc.constantFrom(null, 'never', '2027-01-31', '2027-01-31T09:00Z', '2027-01-31T09:00:00.5+02:00', '1999-12-31'),
      fc.constantFrom<unknown>('90d', '2027-1-1', '2027-01-31T09:00', '', 1, []),
    ),
    expires: mostly(fc.constantFrom('90d', '30m', 'never'), fc.oneof(junk, fc.constantFrom('0d', '2027-01-31', '90'))),
    labels: mostly(
      fc.dictionary(
        mostly(
          fc.constantFrom('a', 'cost/centre', 'x'.repeat(63)),
          fc.constantFrom('A', 'manifest', 'manifest/delivery', '-a', 'x'.repeat(64)),
        ),
        mostly(fc.constantFrom('', 'a', 'A@b:c', 'x'.repeat(63)), fc.oneof(junk, fc.constant('x'.repeat(64)))),
        { maxKeys: 3 },
      ),
      junk,
    ),
    disabled: mostly(fc.boolean(), fc.constantFrom<unknown>('true', 0, null)),
    colour: fc.constant('red'),
  },
  { requiredKeys: ['name', 'mode', 'scopes'] },
);
/** Half of the optional properties would nearly always bring a bad one along. */
const sparse = fc
  .tuple(
    key,
    fc.subarray(Object.keys({ description: 0, rateLimit: 0, expiresAt: 0, expires: 0, labels: 0, disabled: 0 }), {
      maxLength: 2,
    }),
    fc.integer({ min: 0, max: 40 }),
  )
  .map(([whole, kept, dice]) =>
    Object.fromEntries(
      Object.entries(whole).filter(
        ([field]) =>
          kept.includes(field) ||
          (field === 'colour' ? dice === 0 : ['name', 'mode', 'scopes'].includes(field) && dice !== 1),
      ),
    ),
  );
const manifest = fc.record(
  {
    $schema: mostly(fc.constant('./manifest.schema.json'), fc.constantFrom<unknown>(1, null, [])),
    version: mostly(fc.constant(1), fc.constantFrom<unknown>(2, '1', null)),
    name: mostly(fc.constantFrom('m', 'Team/a@b', 'x'.repeat(63)), fc.oneof(junk, fc.constant('x'.repeat(64)))),
    keys: mostly(fc.uniqueArray(sparse, { maxLength: 3, selector: (each) => String(each.name).toLowerCase() }), junk),
    scopes: mostly(
      distinct(
        fc.oneof(
          scope,
          scope.map((each) => ({ scope: each })),
          fc.record({ scope, label: name }),
        ),
        0,
      ).filter(
        (all) =>
          new Set(all.map((each) => JSON.stringify((each as { scope?: unknown } | null)?.scope ?? each))).size ===
          all.length,
      ),
      junk,
    ),
  },
  { requiredKeys: ['version', 'name', 'keys'] },
);

describe('the JSON Schema for editors', () => {
  test('accepts what apply accepts, and nothing else', () => {
    const seen = { accepted: 0, refused: 0 };
    fc.assert(
      fc.property(manifest, (document) => {
        const text = JSON.stringify(document);
        const accepted = parses(text);
        seen[accepted ? 'accepted' : 'refused'] += 1;
        expect(validate(JSON.parse(text)), `${text}\n${JSON.stringify(validate.errors)}`).toBe(accepted);
      }),
      { numRuns: 300 },
    );
    expect(Math.min(seen.accepted, seen.refused)).toBeGreaterThan(40);
  });

  test('accepts every example of the docs', async () => {
    const help = (await programForDocs()).commands
      .filter((command) => command.name() === 'apply')
      .map((command) => {
        let text = '';
        command.configureOutput({ writeOut: (part) => (text += part) });
        command.outputHelp();
        return text;
      })
      .join('');
    const inHelp = /^ {2}version: 1\n(?: {2}.*\n)+/m.exec(help)?.[0].replace(/^ {2}/gm, '');
    const fenced = [...read('docs/decisions/0019-apply.md').matchAll(/```(?:yaml|json)\n(version: 1\n.*?|\{.*?)```/gs)];
    const inPage = [...read('docs/manifests.md').matchAll(/```(?:yaml|json)\n(?:# \S+\n)?(version: 1\n.*?)```/gs)];
    const examples = [inHelp, ...[...fenced, ...inPage].map(([, text]) => text)];
    expect(examples.length).toBeGreaterThan(1);
    for (const example of examples) {
      expect(parseManifest(example ?? '', 'example').keys.length).toBeGreaterThan(0);
      expect(validate(parseDocument(example ?? '').toJS()), JSON.stringify(validate.errors)).toBe(true);
    }
  });
});
