import { expect, test } from 'vitest';
import type { Verdict } from '../../src/domain/verdict.js';
import { verdictJson } from '../../src/server/verify-request.js';
import { KEY, RATE } from '../support/outcomes.js';

const KNOWN = {
  id: KEY.id,
  name: KEY.name,
  mode: 'test',
  scopes: ['plan:read'],
  labels: {},
  expiresAt: null,
};

const limited = { ...RATE, remaining: 0, resetMs: 60_000 };

test.each<[Verdict, object]>([
  [{ verdict: 'valid', key: KEY }, { key: KNOWN }],
  [
    { verdict: 'valid', key: KEY, rate: RATE },
    { key: KNOWN, rate: RATE },
  ],
  [{ verdict: 'invalid' }, {}],
  [{ verdict: 'inactive', key: KEY }, { key: KNOWN }],
  [{ verdict: 'expired', key: KEY }, { key: KNOWN }],
  [
    { verdict: 'wrong_environment', key: KEY, environment: 'live' },
    { key: KNOWN, environment: 'live' },
  ],
  [
    { verdict: 'missing_scope', key: KEY, missingScopes: ['plan:create'] },
    { key: KNOWN, missingScopes: ['plan:create'] },
  ],
  [
    { verdict: 'wrong_address', key: KEY, address: null },
    { key: KNOWN, address: null },
  ],
  [
    { verdict: 'wrong_address', key: KEY, address: '192.0.2.7' },
    { key: KNOWN, address: '192.0.2.7' },
  ],
  [
    { verdict: 'rate_limited', key: KEY, rate: limited, retryAfterMs: 6001 },
    { key: KNOWN, rate: limited, retryAfterMs: 6001 },
  ],
])('a verdict as JSON says what it has to say, and no more: %#', (verdict, more) => {
  expect(verdictJson(verdict)).toEqual({ verdict: verdict.verdict, ...more });
});

test('the end of a key is a time in UTC', () => {
  const key = { ...KEY, expiresAt: new Date(0) };
  expect(verdictJson({ verdict: 'expired', key })).toMatchObject({ key: { expiresAt: '1970-01-01T00:00:00.000Z' } });
});
