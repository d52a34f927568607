import { expect, test } from 'vitest';
import { KeysError } from '../../src/domain/errors.js';
import type { ExchangeRefusal } from '../../src/domain/issue.js';
import type { Refusal } from '../../src/http/types.js';
import * as refusals from '../../src/issuer/refusals.js';
import { parseIssueRules } from '../../src/issuer/rules.js';

const rule = (more: object = {}) =>
  parseIssueRules(
    JSON.stringify([
      {
        name: 'app',
        issuer: 'https://ci.example',
        audience: 'a',
        claims: { sub: 'x' },
        scopes: ['plan:read'],
        ...more,
      },
    ]),
    'f',
  )[0] as NonNullable<ReturnType<typeof parseIssueRules>[number]>;

/** Status, code and detail, and the headers that only some refusals have. */
function said(refusal: Refusal | undefined): unknown[] {
  if (!refusal) return [];
  const { 'Content-Type': type, 'Cache-Control': cache, ...headers } = refusal.headers;
  expect([type, cache, refusal.body.status]).toEqual(['application/problem+json', 'no-store', refusal.status]);
  return [refusal.status, refusal.body.code, refusal.body.detail, headers];
}

const REALM = 'Bearer realm="unlockos-keys issue"';
const WRONG = { 'WWW-Authenticate': `${REALM}, error="invalid_token"` };

test('a request without a token is told what to send, and only one with a wrong token that it is wrong', () => {
  const form = expect.stringContaining('Authorization: Bearer TOKEN');
  expect(said(refusals.tokenMissing())).toEqual([401, 'token_missing', form, { 'WWW-Authenticate': REALM }]);
  expect(said(refusals.tokenMalformed())).toEqual([401, 'token_invalid', form, WRONG]);
  for (const code of ['token_invalid', 'token_expired'] as const)
    expect(said(refusals.tokenRefused({ code, detail: 'why' }))).toEqual([401, code, 'why', WRONG]);
});

test.each([
  [undefined, '1'],
  [0, '1'],
  [1000, '1'],
  [1001, '2'],
  [29_999, '30'],
])('a provider that does not answer is no fault of the token, and worth another try after %j ms', (ms, seconds) => {
  const problem = {
    code: 'provider_unavailable',
    detail: 'why',
    ...(ms !== undefined && { retryAfterMs: ms }),
  } as const;
  expect(said(refusals.tokenRefused(problem))).toEqual([
    503,
    'provider_unavailable',
    'why',
    { 'Retry-After': seconds },
  ]);
});

test('what a rule does not allow is named', () => {
  expect(refusals.notAllowed('ref', 'ref is x')).toMatchObject({
    status: 403,
    body: { code: 'not_allowed', claim: 'ref' },
  });
  expect(said(refusals.notAllowed('ref', 'ref is x'))).toEqual([403, 'not_allowed', 'ref is x', {}]);
  expect(said(refusals.scopeNotAllowed(['plan:read', 'plan:update'], rule()))).toEqual([
    403,
    'scope_not_allowed',
    'the rule app does not allow: plan:read, plan:update',
    {},
  ]);
  expect(said(refusals.ttlTooLong('why'))).toEqual([400, 'ttl_too_long', 'why', {}]);
  expect(said(refusals.noSuchKey())).toEqual([404, 'not_found', 'this job was given no such key', {}]);
});

test.each<[ExchangeRefusal, object, unknown[]]>([
  [{ refused: 'over' }, {}, [401, 'token_expired', 'the token has expired', WRONG]],
  [
    { refused: 'early', since: new Date('2026-11-26T01:02:03Z') },
    {},
    [
      401,
      'token_expired',
      expect.stringContaining('before 2026-11-26T01:02:03.000Z, when the store was restored'),
      WRONG,
    ],
  ],
  [
    { refused: 'spent', keyId: '0123456789ab' },
    {},
    [401, 'token_replayed', expect.stringContaining('exchanged before, for key 0123456789ab'), WRONG],
  ],
  [
    { refused: 'alive', retryAfterMs: 5001 },
    { maxAlive: 1 },
    [429, 'too_many_keys', 'the rule app allows 1 active key at once', { 'Retry-After': '6' }],
  ],
  [
    { refused: 'alive', retryAfterMs: 0 },
    {},
    [429, 'too_many_keys', 'the rule app allows 20 active keys at once', { 'Retry-After': '1' }],
  ],
  [
    { refused: 'pace', retryAfterMs: 60_000 },
    { maxIssued: '1/m' },
    [429, 'too_many_keys', 'the rule app makes 1 key in 60 s', { 'Retry-After': '60' }],
  ],
])('an exchange that was refused says why: %j', (refused, more, expected) => {
  expect(said(refusals.exchangeRefused(refused, rule(more)))).toEqual(expected);
});

test('a token that was spent names its key, so that the job can end it', () => {
  const { body } = refusals.exchangeRefused({ refused: 'spent', keyId: '0123456789ab' }, rule());
  expect(body).toMatchObject({ keyId: '0123456789ab' });
});

test('what a store refuses is the request’s fault only where it is, and a fault of ours is none of the store', () => {
  const of = (code: ConstructorParameters<typeof KeysError>[0]) =>
    said(refusals.storeRefused(new KeysError(code, 'what the store says')));
  expect(of('guarded')).toEqual([400, 'ttl_too_long', 'what the store says', {}]);
  expect(of('usage')).toEqual([400, 'bad_request', 'what the store says', {}]);
  expect(of('missing_input')).toEqual([400, 'bad_request', 'what the store says', {}]);
  const unavailable = [503, 'store_unavailable', expect.not.stringContaining('what the store'), { 'Retry-After': '1' }];
  for (const code of ['store_unavailable', 'unauthorized', 'conflict', 'not_found'] as const)
    expect(of(code)).toEqual(unavailable);
  expect(of('internal')).toEqual([]);
  expect(said(refusals.storeRefused(new TypeError('x')))).toEqual([]);
});
