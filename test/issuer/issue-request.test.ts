import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { readIssueRequest } from '../../src/issuer/issue-request.js';

/** A request with this body. */
function request(body: unknown, type = 'application/json'): IncomingMessage {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return Object.assign(Readable.from([Buffer.from(text)]), {
    headers: { 'content-type': type },
  }) as unknown as IncomingMessage;
}

const READ = ['checkin:read'];
const scopes = (count: number) => Array.from({ length: count }, (_, i) => `a:b${i}`);

test.each([
  [{ scopes: READ }, { scopes: READ, ttl: null }],
  [
    { scopes: READ, ttl: '15m' },
    { scopes: READ, ttl: 900_000 },
  ],
  [{ scopes: ['checkin:*', 'plan:read'] }, { scopes: ['checkin:*', 'plan:read'], ttl: null }],
  [
    { scopes: ['a-1:b-2', `${'a'.repeat(31)}:${'b'.repeat(31)}`] },
    { scopes: ['a-1:b-2', `${'a'.repeat(31)}:${'b'.repeat(31)}`], ttl: null },
  ],
  [{ scopes: scopes(100) }, { scopes: scopes(100), ttl: null }],
])('%.60j is read', async (body, expected) => {
  expect(await readIssueRequest(request(body))).toEqual(expected);
});

const LIST = 'scopes is not a list of 1 to 100 strings';
const SCOPE = 'a scope is not of the form category:action';
const TTL = 'ttl is not a duration such as 15m or 1h';

test.each<[unknown, string]>([
  [{}, LIST],
  [{ scopes: 'checkin:read' }, LIST],
  [{ scopes: [] }, LIST],
  [{ scopes: scopes(101) }, LIST],
  [{ scopes: [7] }, LIST],
  [{ scopes: { 0: 'checkin:read', length: 1 } }, LIST],
  [{ scopes: ['checkin'] }, SCOPE],
  [{ scopes: ['checkin:read', 'Plan:read'] }, SCOPE],
  [{ scopes: ['plan:Read'] }, SCOPE],
  [{ scopes: [' plan:read'] }, SCOPE],
  [{ scopes: ['plan:read\n'] }, SCOPE],
  [{ scopes: ['plan:**'] }, SCOPE],
  [{ scopes: ['*:read'] }, SCOPE],
  [{ scopes: ['1a:read'] }, SCOPE],
  [{ scopes: [`${'a'.repeat(32)}:read`] }, SCOPE],
  [{ scopes: [`read:${'a'.repeat(32)}`] }, SCOPE],
  [{ scopes: READ, ttl: 15 }, TTL],
  [{ scopes: READ, ttl: null }, TTL],
  [{ scopes: READ, ttl: '' }, TTL],
  [{ scopes: READ, ttl: '15' }, TTL],
  [{ scopes: READ, ttl: 'never' }, TTL],
  [{ scopes: READ, mode: 'live' }, 'the body has unknown properties'],
  [{ scopes: READ, name: 'x' }, 'the body has unknown properties'],
  ['{"scopes":["plan:read"],"scopes":["checkin:read"]}', 'the body has a property twice'],
  ['[]', 'the body is not an object'],
  ['{', 'the body is not JSON'],
])('%.60j is refused, with the form that is expected', async (body, why) => {
  expect(await readIssueRequest(request(body))).toMatchObject({
    ok: false,
    status: 400,
    body: { code: 'bad_request', detail: `${why}; expected {"scopes": ["checkin:read"], "ttl": "1h"}` },
  });
});

test('what is not sent as JSON is not read', async () => {
  expect(await readIssueRequest(request({ scopes: READ }, 'text/plain'))).toMatchObject({ status: 415 });
});
