import fc from 'fast-check';
import { expect, test } from 'vitest';
import { assertScopeForm, type CatalogueScope, didYouMean, resolveScopes, splitList } from '../../src/domain/scopes.js';
import { anyText } from '../support/any-text.js';
import { refusal, usage } from '../support/refusal.js';

const entry = (scope: string, retired = false): CatalogueScope => {
  const [category = '', action = ''] = scope.split(':');
  return { scope, category, categoryLabel: category, action, retired };
};
const catalogue = [entry('checkin:read'), entry('checkin:create'), entry('plan:read'), entry('plan:purge', true)];
const open = ['checkin:read', 'checkin:create', 'plan:read'];

test.each([
  [['plan:read'], ['plan:read']],
  [
    ['plan:read', 'checkin:read', 'plan:read'],
    ['checkin:read', 'plan:read'],
  ],
  [['checkin:*'], ['checkin:read', 'checkin:create']],
  [['plan:*'], ['plan:read']],
  [['checkin:*', 'checkin:read', 'plan:*'], open],
  [[], []],
])('%j comes to %j', (asked, stored) => {
  expect(resolveScopes(asked, catalogue)).toEqual(stored);
});

test.each([
  '*',
  '*:read',
  '*:*',
  'check*',
  'checkin:re*',
  'Checkin:read',
  'CHECKIN:*',
  'checkin:read ',
  ' checkin:read',
  'checkin:read\n',
  'plan:read,checkin:read',
  'checkin',
  'checkin:',
  'checkin:rea',
  'checkin:readd',
  'constructor',
  'constructor:*',
  '__proto__',
  '__proto__:*',
  'plan:purge',
  'other:*',
  'plan：read',
  'рlan:read',
  '',
])('%j is refused', (scope) => {
  expect(refusal(() => resolveScopes([scope], catalogue))).toEqual(usage);
});

test('nothing is granted but what the catalogue lists, exactly as it lists it', () => {
  const near = fc
    .constantFrom(...open, 'plan:purge')
    .chain((scope) =>
      fc.constantFrom(
        scope,
        scope.toUpperCase(),
        scope.slice(0, -1),
        `${scope}s`,
        `${scope}\0`,
        scope.replace(':', '.'),
      ),
    );
  fc.assert(
    fc.property(
      fc.oneof(
        near,
        anyText.filter((text) => !/^\w+:\*$/.test(text)),
      ),
      (asked) => {
        if (open.includes(asked)) expect(resolveScopes([asked], catalogue)).toEqual([asked]);
        else expect(refusal(() => resolveScopes([asked], catalogue))).toEqual(usage);
      },
    ),
  );
});

test('every bad piece is named at once, with a guess where there is one', () => {
  const { message } = refusal(() =>
    resolveScopes(['chekin:read', 'plan:read', 'nonsense', 'plan:purge', 'chekin:*'], catalogue),
  );
  expect(message.split('\n')).toEqual([
    'unknown scope "chekin:read", did you mean checkin:read?',
    'unknown scope "nonsense"',
    'scope "plan:purge" is retired',
    'unknown scope "chekin:*", did you mean checkin:*?',
  ]);
});

test('ten thousand entries come to what they name', () => {
  const many = Array.from({ length: 10_000 }, (_, i) => open[i % 2] ?? '');
  expect(resolveScopes(many, catalogue)).toEqual(['checkin:read', 'checkin:create']);
});

test('flag values are split at commas, and empty pieces dropped', () => {
  expect(splitList(['a:b,c:d', '', ' e:f ,', ','])).toEqual(['a:b', 'c:d', 'e:f']);
});

test.each([
  'plan:*',
  '*',
  'plan',
  'plan:',
  ':read',
  'Plan:read',
  'plan:read:all',
  'plan read',
  'plan:read\n',
  '1plan:read',
  '__proto__:read',
  `${'p'.repeat(32)}:read`,
  `plan:${'r'.repeat(32)}`,
])('%j cannot join the catalogue', (scope) => {
  expect(refusal(() => assertScopeForm(scope))).toEqual(usage);
});

test.each(['plan:purge', 'a:b', 'facility-2:read-all', `${'p'.repeat(31)}:${'r'.repeat(31)}`])('%s can', (scope) => {
  expect(() => assertScopeForm(scope)).not.toThrow();
});

test('the nearest is guessed, the first of two as near, and nothing far away', () => {
  expect(didYouMean('partner', ['partner-old', 'partners', 'other'])).toBe('partners');
  expect(didYouMean('kex', ['key', 'kez'])).toBe('key');
  expect(didYouMean('zzzzzz', ['partners', 'other'])).toBeNull();
  expect(didYouMean('x', [])).toBeNull();
  expect(didYouMean('x'.repeat(1_000_000), ['x'.repeat(1_000_000)])).toBeNull();
});
