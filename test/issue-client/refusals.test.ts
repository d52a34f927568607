import { expect, test } from 'vitest';
import type { KeysError } from '../../src/domain/errors.js';
import { type HttpResponse, TransportError } from '../../src/http/transport.js';
import { StatusError } from '../../src/issue-client/persist.js';
import { problemCode, translated } from '../../src/issue-client/refusals.js';

const TOKEN = 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.c2lnbmF0dXJl';
const ASKED = {
  location: 'https://keys.example',
  audience: 'the audience',
  source: 'the variable TOKEN',
  secrets: [TOKEN],
  action: 'create' as const,
};

function answer(status: number, body: object | string = '', headers: HttpResponse['headers'] = {}, redirect = false) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const type = typeof body === 'string' ? {} : { 'content-type': 'application/problem+json' };
  return new StatusError({ status, headers: { ...type, ...headers }, text, redirect });
}

const said = (error: unknown, action: 'create' | 'delete' = 'create') => {
  const asked = { ...ASKED, action };
  return translated(error, asked) as KeysError;
};

test.each([
  ['token_missing', 'unauthorized', /got no ID token/, /Authorization header.*the variable TOKEN/],
  ['token_invalid', 'unauthorized', /does not accept the ID token/, /the variable TOKEN.*the audience/],
  ['token_expired', 'unauthorized', /has expired/, /the variable TOKEN.*immediately before/],
  ['token_replayed', 'unauthorized', /was used before/, /the variable TOKEN.*another/],
  ['not_allowed', 'unauthorized', /no rule .* allows this job a key/, /help ci/],
  ['scope_not_allowed', 'guarded', /does not allow a scope/, /fewer scopes/],
  ['ttl_too_long', 'guarded', /to live that long/, /less time/],
  ['bad_request', 'usage', /does not understand/, /--version/],
  ['not_found', 'not_found', /did not give this job such a key/, /another job/],
  ['too_many_keys', 'issue_unavailable', /as many keys as its rule allows/, /try again in 7 s/],
  ['provider_unavailable', 'issue_unavailable', /their issuer does not answer/, /try again in 7 s/],
  ['store_unavailable', 'issue_unavailable', /its store does not answer/, /try again in 7 s/],
] as const)('%s is said as what it means for the job', (code, kind, message, hint) => {
  const error = answer(400, { code, detail: 'why it is so' }, { 'retry-after': '7' });
  expect(problemCode(error)).toBe(code);
  const found = said(error, code === 'not_found' ? 'delete' : 'create');
  expect(found).toMatchObject({
    code: kind,
    message: expect.stringMatching(message),
    hint: expect.stringMatching(hint),
  });
  expect(found.message).toContain(ASKED.location);
  expect(found.message).toMatch(/: why it is so$/);
});

test.each([
  [undefined, 'later'],
  ['0', 'in 1 s'],
  ['61', 'in 61 s'],
])('with Retry-After %j, it is worth another try %s', (retryAfter, words) => {
  const headers = retryAfter === undefined ? {} : { 'retry-after': retryAfter };
  expect(said(answer(429, { code: 'too_many_keys' }, headers)).hint).toContain(`try again ${words}`);
});

test('a refusal without a reason has none', () => {
  expect(said(answer(403, { code: 'not_allowed' })).message).toBe(
    'no rule of https://keys.example allows this job a key',
  );
});

test.each([
  [answer(302, '', { location: '/x' }, true), 'issue_unavailable', /redirect \(HTTP 302\)/],
  [answer(401), 'unauthorized', /refused the request \(HTTP 401\)/],
  [answer(403), 'unauthorized', /refused the request \(HTTP 403\)/],
  [answer(429), 'issue_unavailable', /failed \(HTTP 429\)/],
  [answer(500), 'issue_unavailable', /failed \(HTTP 500\)/],
  [answer(200), 'issue_unavailable', /not a server that issues keys \(HTTP 200\)/],
  [answer(404), 'issue_unavailable', /not a server that issues keys \(HTTP 404\)/],
  [answer(400, { code: 'toString', detail: 'said by it' }), 'issue_unavailable', /not a server that issues keys/],
  [answer(400, { code: 'new_code', detail: 'said by it' }), 'issue_unavailable', /not a server that issues keys/],
])('an answer that we do not know is named by its status: %#', (error, code, message) => {
  expect(problemCode(error)).toBeNull();
  const found = said(error);
  expect(found).toMatchObject({ code, message: expect.stringMatching(message), hint: expect.stringMatching(/\S/) });
  expect(found.message).not.toContain('said by it');
});

test('no message repeats the token, neither in the reason nor in what is shown with --debug', () => {
  const found = said(answer(401, { code: 'token_invalid', detail: `you sent ${TOKEN}` }));
  expect(`${found.message} ${(found.cause as Error).message}`).not.toContain(TOKEN);
  expect(found.message).toContain('you sent');
});

test('a request without an answer is said as its fault; any other error is left as it is', () => {
  const found = said(new TransportError('unreachable', 'ECONNREFUSED'));
  expect(found).toMatchObject({
    code: 'issue_unavailable',
    message: 'https://keys.example cannot be reached (ECONNREFUSED)',
  });
  const bug = new TypeError('x');
  expect([translated(bug, ASKED), problemCode(bug)]).toEqual([bug, null]);
});
