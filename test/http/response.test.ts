import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { responseFor } from '../../src/http/response.js';
import { anyText } from '../support/any-text.js';
import { KEY, OUTCOMES, RATE } from '../support/outcomes.js';

const NEEDED = ['plan:read', 'plan:create'];

test.each(OUTCOMES)('$outcome.verdict is answered with $status', ({ outcome, status, title, challenge, more = {} }) => {
  const answered = responseFor(outcome, NEEDED);
  if (answered.ok) throw new Error('admitted');
  const { headers, body } = answered;
  expect(answered.status).toBe(status);
  expect(headers).toEqual({
    'Content-Type': 'application/problem+json',
    'Cache-Control': 'no-store',
    ...(challenge && { 'WWW-Authenticate': challenge }),
    ...more,
  });
  expect(body).toEqual({ type: 'about:blank', title, status, detail: expect.any(String), code: outcome.verdict });
});

test.each(OUTCOMES)('$outcome.verdict reveals nothing about the key', ({ outcome }) => {
  const text = JSON.stringify(responseFor(outcome, NEEDED));
  for (const told of [KEY.id, KEY.name, KEY.description as string]) expect(text).not.toContain(told);
});

test('each refusal says in its detail what the client can do with it, and no more', () => {
  const detail = (verdict: object) => {
    const answered = responseFor({ key: KEY, ...verdict } as never);
    return answered.ok ? '' : answered.body.detail;
  };
  expect(['invalid', 'inactive', 'expired', 'unavailable'].map((verdict) => detail({ verdict }))).toEqual([
    'the API key is not valid',
    'the API key is disabled',
    'the API key has expired',
    'API keys cannot be checked at the moment',
  ]);
  expect(detail({ verdict: 'wrong_environment', environment: 'live' })).toMatch(/the live environment/);
  expect(detail({ verdict: 'wrong_address', address: null })).toMatch(/is not known/);
  expect(detail({ verdict: 'wrong_address', address: '192.0.2.1' })).toMatch(/from this address/);
  expect(detail({ verdict: 'rate_limited', rate: RATE, retryAfterMs: 3000 })).toMatch(/again in 3 s/);
  expect(detail({ verdict: 'missing_scope', missingScopes: ['a:read', 'b:read'] })).toMatch(/: a:read, b:read$/);
});

test('without needed scopes, the challenge of a 403 names the missing ones, without what cannot stand there', () => {
  const challenge = (missingScopes: string[]) => {
    const answered = responseFor({ verdict: 'missing_scope', key: KEY, missingScopes });
    return answered.ok ? '' : answered.headers['WWW-Authenticate'];
  };
  expect(challenge(['a:read', 'b:read'])).toMatch(/scope="a:read b:read"$/);
  expect(challenge(['a"\\ä\n:read'])).toMatch(/scope="a:read"$/);
});

test('valid admits the request, with the state of the limit if limits are enforced', () => {
  expect(responseFor({ verdict: 'valid', key: KEY })).toEqual({ ok: true, key: KEY, headers: {} });
  expect(responseFor({ verdict: 'valid', key: KEY, rate: RATE })).toEqual({
    ok: true,
    key: KEY,
    headers: { 'RateLimit-Policy': '"default";q=600;w=60', RateLimit: '"default";r=599;t=1' },
  });
});

test('an unknown verdict admits nobody', () => {
  for (const verdict of ['VALID', '', undefined, '__proto__'])
    expect(responseFor({ verdict, key: KEY } as never)).toMatchObject({ ok: false, status: 503 });
});

test('a 403 names all needed scopes, and the missing ones in its detail', () => {
  const refused = responseFor({ verdict: 'missing_scope', key: KEY, missingScopes: ['plan:create'] }, NEEDED);
  expect(refused).toMatchObject({
    headers: {
      'WWW-Authenticate': 'Bearer realm="unlockos", error="insufficient_scope", scope="plan:read plan:create"',
    },
    body: { detail: 'the API key does not have: plan:create' },
  });
});

test.each([
  [0, '1', 1],
  [1, '1', 1],
  [1000, '1', 1],
  [1001, '2', 2],
  [59_999.5, '60', 60],
  [Number.NaN, '1', 1],
  [-5, '1', 1],
])('a wait of %d ms is rounded up, to a second at least', (retryAfterMs, retryAfter, t) => {
  const rate = { ...RATE, remaining: 0, resetMs: 0 };
  expect(responseFor({ verdict: 'rate_limited', key: KEY, rate, retryAfterMs })).toMatchObject({
    headers: { 'Retry-After': retryAfter, RateLimit: `"default";r=0;t=${t}` },
  });
});

test.each([
  [{ limit: 600, windowSeconds: 60, remaining: 599, resetMs: 100 }, 1],
  [{ limit: 600, windowSeconds: 60, remaining: 600, resetMs: 0 }, 0],
  [{ limit: 10, windowSeconds: 60, remaining: 9, resetMs: 6000 }, 6],
  [{ limit: 10, windowSeconds: 60, remaining: 0, resetMs: 60_000 }, 6],
  [{ limit: 10, windowSeconds: 60, remaining: 0, resetMs: 55_000 }, 1],
  [{ limit: 1, windowSeconds: 86_400, remaining: 0, resetMs: 86_400_000 }, 86_400],
])('of %j, one more request is allowed in %d s', (rate, t) => {
  const { RateLimit } = responseFor({ verdict: 'valid', key: KEY, rate }).headers;
  expect(RateLimit).toBe(`"default";r=${rate.remaining};t=${t}`);
});

describe('for anything', () => {
  test('the challenge is one line of name="value", whatever the scopes are', () => {
    fc.assert(
      fc.property(fc.array(anyText, { minLength: 1 }), (scopes) => {
        const refused = responseFor({ verdict: 'missing_scope', key: KEY, missingScopes: scopes }, scopes);
        expect(refused.headers['WWW-Authenticate']).toMatch(
          /^Bearer realm="unlockos", error="insufficient_scope", scope="[\x20\x21\x23-\x5b\x5d-\x7e]*"$/,
        );
      }),
    );
  });

  test('the numbers are integers that a structured field can hold, whatever a limiter returns', () => {
    fc.assert(
      fc.property(
        fc.record({ limit: fc.double(), windowSeconds: fc.double(), remaining: fc.double(), resetMs: fc.double() }),
        (rate) => {
          const { headers } = responseFor({ verdict: 'valid', key: KEY, rate });
          expect(headers['RateLimit-Policy']).toMatch(/^"default";q=\d{1,15};w=\d{1,15}$/);
          expect(headers.RateLimit).toMatch(/^"default";r=\d{1,15};t=\d{1,15}$/);
        },
      ),
    );
  });
});
