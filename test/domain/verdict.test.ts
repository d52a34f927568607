import { expect, test } from 'vitest';
import { type ApiKey, FIELD_DEFAULTS } from '../../src/domain/api-key.js';
import { judge } from '../../src/domain/verdict.js';

const NOW = new Date('2026-11-23T10:00:00Z');
const KEY: ApiKey = {
  id: '0'.repeat(12),
  name: 'a',
  description: null,
  mode: 'test',
  scopes: ['plan:read'],
  status: 'active',
  rateLimit: { limit: 1, windowSeconds: 1 },
  expiresAt: null,
  createdAt: NOW,
  updatedAt: NOW,
  lastUsedAt: null,
  ...FIELD_DEFAULTS,
};
const past = { expiresAt: new Date(NOW.getTime() - 1) };
const thisInstant = { expiresAt: NOW };
const soon = { expiresAt: new Date(NOW.getTime() + 1) };
const inactive = { status: 'inactive' } as const;
const office = { allowFrom: ['192.0.2.7/32'] };
const live = { mode: 'live' } as const;

test.each([
  ['valid', {}, {}],
  ['valid', {}, { scopes: [] }],
  ['valid', {}, { environment: 'test', scopes: ['plan:read'] }],
  ['valid', {}, { scopes: ['plan:read', 'plan:read'] }],
  ['valid', live, { environment: 'live' }],
  ['valid', live, {}],
  ['valid', soon, {}],
  ['expired', thisInstant, {}],
  ['expired', past, {}],
  ['inactive', inactive, {}],
  ['wrong_environment', {}, { environment: 'live' }],
  ['wrong_environment', live, { environment: 'test' }],
  ['missing_scope', {}, { scopes: ['plan:read', 'plan:create'] }],
  ['missing_scope', {}, { scopes: ['plan:*'] }],
  ['missing_scope', {}, { scopes: ['*'] }],
  ['missing_scope', {}, { scopes: ['Plan:read'] }],
  ['missing_scope', {}, { scopes: ['plan:rea'] }],
  ['missing_scope', {}, { scopes: ['plan:read '] }],
  ['missing_scope', {}, { scopes: ['constructor'] }],
  ['missing_scope', {}, { scopes: [''] }],
  ['valid', office, { address: '192.0.2.7' }],
  ['valid', {}, { address: 'not an address' }],
  ['wrong_address', office, { address: '192.0.2.8' }],
  ['wrong_address', office, {}],
  ['wrong_address', office, { scopes: ['plan:read'], environment: 'test' }],
  // Of several reasons the first in this order is told: status, expiry, environment, scopes, address.
  ['missing_scope', office, { scopes: ['x:y'] }],
  ['inactive', { ...inactive, ...past }, { environment: 'live', scopes: ['x:y'] }],
  ['expired', past, { environment: 'live', scopes: ['x:y'] }],
  ['wrong_environment', {}, { environment: 'live', scopes: ['x:y'] }],
] as const)('%s for %j under %j', (verdict, change, demands) => {
  expect(judge({ ...KEY, ...change }, demands, NOW).verdict).toBe(verdict);
});

test('a refusal names what is missing, and carries the key', () => {
  expect(judge(KEY, { scopes: ['plan:create', 'plan:read', 'x:y'] }, NOW)).toEqual({
    verdict: 'missing_scope',
    key: KEY,
    missingScopes: ['plan:create', 'x:y'],
  });
  expect(judge(KEY, { environment: 'live' }, NOW)).toEqual({
    verdict: 'wrong_environment',
    key: KEY,
    environment: 'live',
  });
  expect(judge({ ...KEY, ...inactive }, {}, NOW)).toEqual({ verdict: 'inactive', key: { ...KEY, ...inactive } });
  for (const [given, address] of [
    ['::ffff:192.0.2.8', '192.0.2.8'],
    ['not an address', null],
    [undefined, null],
  ] as const)
    expect(judge({ ...KEY, ...office }, { address: given }, NOW)).toEqual({
      verdict: 'wrong_address',
      key: { ...KEY, ...office },
      address,
    });
});
