import { describe, expect, test } from 'vitest';
import { scopeChange, scopeChangeCheck, scopeChangeText, scopesFrom } from '../../src/domain/scope-change.js';
import { refusal } from '../support/refusal.js';

const CATALOGUE = ['checkin:read', 'checkin:create', 'plan:read', 'plan:create', 'old:read'].map((scope) => {
  const [category = '', action = ''] = scope.split(':');
  return { scope, category, categoryLabel: category, action, retired: scope === 'old:read' };
});
const BASE = { title: 'key "p" (id)', scopes: ['checkin:read', 'old:read'] };

describe('the scopes of a key that is made from another', () => {
  test.each([
    [{}, ['checkin:read', 'old:read']],
    [{ scopes: ['plan:read'] }, ['plan:read']],
    [{ addScopes: ['plan:read'] }, ['checkin:read', 'plan:read', 'old:read']],
    [{ addScopes: ['plan:*', 'checkin:read'] }, ['checkin:read', 'plan:read', 'plan:create', 'old:read']],
    [{ dropScopes: ['old:read'] }, ['checkin:read']],
    [{ dropScopes: ['old:*'], addScopes: ['plan:read'] }, ['checkin:read', 'plan:read']],
    [{ addScopes: [], dropScopes: ['checkin:read'] }, ['old:read']],
    [{ dropScopes: ['checkin:*', 'old:read'], addScopes: ['plan:read'] }, ['plan:read']],
  ])('%j: %j', (request, scopes) => expect(scopesFrom(BASE, request, CATALOGUE)).toEqual(scopes));

  test.each([
    [{ scopes: ['plan:read'], addScopes: ['plan:create'] }, 'usage', 'all scopes are given'],
    [{ scopes: ['plan:read'], dropScopes: [] }, 'usage', 'all scopes are given'],
    [{ scopes: [] }, 'missing_input', 'at least one scope'],
    [{ addScopes: [] }, 'missing_input', 'no scope to add or to drop'],
    [{ addScopes: ['plan:raed'] }, 'usage', 'did you mean plan:read?'],
    [{ addScopes: ['old:read'] }, 'usage', 'is retired'],
    [{ addScopes: ['checkin:read'] }, 'conflict', 'key "p" (id) has checkin:read already'],
    [{ dropScopes: ['plan:read'] }, 'not_found', 'key "p" (id) has no scope "plan:read" to drop'],
    [{ dropScopes: ['plan:*'] }, 'not_found', 'no scope "plan:*"'],
    [{ dropScopes: ['checkin:raed'] }, 'not_found', 'did you mean checkin:read?'],
    [{ dropScopes: ['*'] }, 'not_found', 'no scope "*"'],
    [{ dropScopes: ['checkin:read', 'old:read'] }, 'missing_input', 'left without a scope'],
    [{ addScopes: ['plan:read', 'checkin:read'], dropScopes: ['checkin:read'] }, 'usage', 'both added and dropped'],
  ])('%j is refused: %s', (request, code, says) => {
    const error = refusal(() => scopesFrom(BASE, request, CATALOGUE));
    expect(error).toMatchObject({ code, message: expect.stringContaining(says) });
  });
});

test('the difference is told by what is gained and lost', () => {
  const change = scopeChange('id', ['a:a', 'b:b'], ['b:b', 'c:c', 'd:d']);
  expect(change).toEqual({ from: 'id', added: ['c:c', 'd:d'], dropped: ['a:a'] });
  expect(change && scopeChangeText(change)).toBe('+ c:c + d:d − a:a');
  expect(scopeChange('id', ['a:a'], ['b:b'])).toEqual({ from: 'id', added: ['b:b'], dropped: ['a:a'] });
  expect(scopeChange('id', ['a:a'], ['a:a'])).toBeNull();
});

test('a category is dropped by its whole name, and a scope that no catalogue has any more stays, at the end', () => {
  const base = { title: 'key', scopes: ['gone:read', 'old:read', 'other:read', 'checkin:read'] };
  expect(scopesFrom(base, { dropScopes: ['old:*'] }, CATALOGUE)).toEqual(['checkin:read', 'gone:read', 'other:read']);
  expect(scopesFrom(base, { addScopes: ['plan:read'] }, CATALOGUE)).toEqual([
    'checkin:read',
    'plan:read',
    'old:read',
    'gone:read',
    'other:read',
  ]);
});

test.each([
  [{ dropScopes: ['plan:read'] }, /to drop$/],
  [{ addScopes: ['checkin:read', 'plan:read'], dropScopes: ['x:y'] }, /to drop$/],
  [{ addScopes: ['checkin:read'] }, /has checkin:read already$/],
])('a refusal of %j lists what the key has', (request, message) => {
  expect(refusal(() => scopesFrom(BASE, request, CATALOGUE))).toMatchObject({
    message: expect.stringMatching(message),
    hint: 'it has: checkin:read, old:read',
  });
});

describe('a change of scopes in a plan that a program put together', () => {
  const good = { from: '0123456789ab', added: ['plan:read'], dropped: ['old:read'] };
  test.each([null, good, { ...good, added: [], dropped: [] }])('%j is taken', (value) => {
    expect(() => scopeChangeCheck(value, 'x')).not.toThrow();
  });

  test.each([
    5,
    {},
    { ...good, from: undefined },
    { ...good, added: undefined },
    { ...good, dropped: undefined },
    { ...good, from: 'a name' },
    { ...good, added: 'plan:read' },
    { ...good, added: ['plan:*'] },
    { ...good, dropped: ['x'] },
    { ...good, more: 1 },
  ])('%j is refused', (value) => {
    expect(refusal(() => scopeChangeCheck(value, 'x')).code).toBe('usage');
  });
});
