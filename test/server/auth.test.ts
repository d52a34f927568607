import { expect, test } from 'vitest';
import { parseRules } from '../../src/server/rules.js';
import { openStore } from '../../src/store/open.js';
import { ANY, ask, forwarded, type Headers, JSON_TYPE, scene, serving } from '../support/auth-servers.js';
import { another, freshKeyring, make } from '../support/keyrings.js';
import { startSqld } from '../support/sqld.js';
import { DEFAULT_ENGINE, keyringOver, options } from '../support/stores.js';

test('lets a valid key through, and tells the upstream which key it is', async () => {
  const { keyring, address } = await scene();
  const { key, keyString } = await make(keyring, 'caf\u00e9 1', { scopes: ['checkin:read', 'checkin:create'] });
  const { status, headers, text } = await ask(address, '/auth', {
    headers: forwarded(keyString, '/check-ins/7?x=1'),
  });
  expect({ status, text }).toEqual({ status: 200, text: '' });
  expect(headers).toMatchObject({
    'x-api-key-id': key.id,
    'x-api-key-mode': 'test',
    'x-api-key-scopes': 'checkin:read checkin:create',
    'x-api-key-name': 'caf%C3%A9%201',
    ratelimit: expect.stringMatching(/r=599/),
    'cache-control': 'no-store',
  });
});

test('answers refusals as the adapters do, each with its own status', async () => {
  const { keyring, address } = await scene();
  const { keyString } = await make(keyring, 'a', { rateLimit: { limit: 1, windowSeconds: 3600 } });
  const status = async (headers: Headers, url = '/auth') => {
    const answer = await ask(address, url, { headers });
    return [answer.status, answer.json().code];
  };
  const { authorization: _, ...none } = forwarded(keyString);
  expect(await status(none)).toEqual([401, 'missing']);
  expect(await status(forwarded(`${keyString.slice(0, -1)}-`))).toEqual([401, 'invalid']);
  expect(await status(forwarded(keyString, '/plans'))).toEqual([403, 'missing_scope']);
  expect(await status(forwarded(keyString, '/other'))).toEqual([403, 'no_rule']);
  expect(await status(forwarded(keyString, '/check-ins', 'POST'))).toEqual([403, 'no_rule']);
  expect(await status(forwarded(keyString, '/check-ins/../plans'))).toEqual([400, 'ambiguous_path']);
  expect(await status({ ...forwarded(keyString), 'x-api-key': keyString })).toEqual([400, 'invalid_request']);
  expect(await status(forwarded(keyString, `/check-ins?access_token=${keyString}`))).toEqual([400, 'invalid_request']);
  expect(await status({ authorization: `Bearer ${keyString}` })).toEqual([400, 'invalid_request']);
  expect(await status({ ...forwarded(keyString), 'x-forwarded-uri': ['/check-ins', '/plans'] })).toEqual([
    400,
    'invalid_request',
  ]);
  expect(await status({ ...forwarded(keyString), 'x-forwarded-method': ['GET', 'GET'] })).toEqual([
    400,
    'invalid_request',
  ]);
  expect((await ask(address, '/auth', { headers: forwarded(keyString) })).status).toBe(200);
  const limited = await ask(address, '/auth', { headers: forwarded(keyString) });
  expect([limited.status, limited.json().code]).toEqual([429, 'rate_limited']);
  expect(Number(limited.headers['retry-after'])).toBeGreaterThan(3000);
  await keyring.disable('a');
  const disabled = await ask(address, '/auth', { headers: forwarded(keyString) });
  expect([disabled.status, disabled.json().code]).toEqual([401, 'inactive']);
  expect(disabled.headers['www-authenticate']).toMatch(/^Bearer realm=/);
});

test('refuses a target that was forwarded twice, also without rules', async () => {
  const { keyring, address } = await scene({ requirements: { by: 'scopes', scopes: [] } });
  const { keyString } = await make(keyring, 'a');
  const headers = forwarded(keyString);
  const twice = { ...headers, 'x-forwarded-uri': ['/check-ins', `/check-ins?access_token=${keyString}`] };
  expect((await ask(address, '/auth', { headers: twice })).status).toBe(400);
  expect((await ask(address, '/auth', { headers: { ...headers, 'x-forwarded-method': ['GET', 'PUT'] } })).status).toBe(
    400,
  );
  expect((await ask(address, '/auth', { headers })).status).toBe(200);
});

test('answers nginx with 401 or 403 only, and puts the real status into a header', async () => {
  const { keyring, address } = await scene();
  const { keyString } = await make(keyring, 'a', { rateLimit: { limit: 1, windowSeconds: 3600 } });
  const status = async (headers: Headers) => {
    const answer = await ask(address, '/auth/nginx', { headers });
    return [answer.status, answer.headers['x-auth-status'], answer.headers['retry-after'] !== undefined];
  };
  expect(await status(forwarded('x'))).toEqual([401, '401', false]);
  expect(await status(forwarded(keyString, '/plans'))).toEqual([403, '403', false]);
  expect(await status(forwarded(keyString, '/a//b'))).toEqual([403, '400', false]);
  expect(await status(forwarded(keyString))).toEqual([200, undefined, false]);
  expect(await status(forwarded(keyString))).toEqual([403, '429', true]);
});

test('reads the request that Envoy asks about from the request itself', async () => {
  const { keyring, address } = await scene();
  const { key, keyString } = await make(keyring, 'a');
  const status = async (path: string, method = 'GET', headers: Headers = {}) => {
    const authorization = `Bearer ${keyString}`;
    const answer = await ask(address, `/auth/envoy${path}`, { method, headers: { authorization, ...headers } });
    return [answer.status, answer.headers['x-api-key-id'] ?? answer.json().code];
  };
  expect(await status('/check-ins/7?x=/plans')).toEqual([200, key.id]);
  expect(await status('/plans')).toEqual([403, 'missing_scope']);
  expect(await status('/check-ins', 'POST')).toEqual([403, 'no_rule']);
  const claimed = { 'x-forwarded-uri': '/check-ins', 'x-forwarded-method': ['GET', 'POST'] };
  expect(await status('/plans', 'GET', claimed)).toEqual([403, 'missing_scope']);
  expect(await status('/check-ins/../plans')).toEqual([400, 'ambiguous_path']);
  expect(await status('//check-ins')).toEqual([400, 'ambiguous_path']);
  expect(await status(`/check-ins?access_token=${keyString}`)).toEqual([400, 'invalid_request']);
  expect(await status('')).toEqual([404, 'not_found']);
});

test.each([
  [{ 'x-http-method-override': 'DELETE' }, 400],
  [{ 'X-Method-Override': 'delete' }, 400],
  [{ 'x-http-method': ['GET', 'PUT'] }, 400],
  [{ X_HTTP_METHOD_OVERRIDE: 'PUT' }, 400],
  [{ 'x-http-method-override': 'GET' }, 200],
])('with rules, a method that a framework could take instead is refused: %j', async (more, expected) => {
  const { keyring, address } = await scene();
  const { keyString } = await make(keyring, 'a');
  expect((await ask(address, '/auth', { headers: { ...forwarded(keyString), ...more } })).status).toBe(expected);
});

test.each([
  ['?_method=DELETE', 400],
  ['?a=1&_METHOD=put', 400],
  ['?%5fmethod=PATCH', 400],
  ['?_method=GET&_method=DELETE', 400],
  ['?a;_method=DELETE', 400],
  ['?.method=DELETE', 400],
  ['?%20_method=DELETE', 400],
  ['?_method=', 400],
  ['?_method=get', 200],
  ['?payment_method=card', 200],
  ['?a=_method', 200],
])('so is one in the query: %s', async (query, expected) => {
  const { keyring, address } = await scene();
  const { keyString } = await make(keyring, 'a');
  expect((await ask(address, '/auth', { headers: forwarded(keyString, `/check-ins${query}`) })).status).toBe(expected);
});

test('a method that no rule can name is refused, and called so', async () => {
  const { keyring, address } = await scene();
  const { keyString } = await make(keyring, 'a');
  const headers = { ...forwarded(keyString), 'x-forwarded-method': 'M-SEARCH' };
  const answer = await ask(address, '/auth', { headers });
  expect([answer.status, answer.json()]).toEqual([
    400,
    expect.objectContaining({ code: 'invalid_request', detail: expect.stringContaining('the method must be') }),
  ]);
});

test.each([
  ['h2c', 400],
  ['H2C', 400],
  ['TLS/1.0', 400],
  ['h2c, websocket', 400],
  ['WebSocket', 200],
])('a protocol in which a client could go on unasked is refused: Upgrade: %s', async (upgrade, expected) => {
  const { keyring, address } = await scene();
  const { keyString } = await make(keyring, 'a');
  const status = async (connection: string) =>
    (await ask(address, '/auth', { headers: { ...forwarded(keyString), connection, upgrade } })).status;
  expect(await status('Upgrade')).toBe(expected);
  expect(await status('close'), 'a proxy that does not pass it on').toBe(200);
});

test.each([
  'X_Api_Key_Id',
  'x-api-key_name',
  'X_API-KEY-MODE',
  'X-Api_Key-Scopes',
])('a header that the server behind could take for one of ours is refused: %s', async (name) => {
  const { keyring, address } = await scene(ANY);
  const { keyString } = await make(keyring, 'a');
  const headers = { ...forwarded(keyString), [name]: 'admin' };
  expect((await ask(address, '/auth', { headers })).status).toBe(400);
  expect((await ask(address, '/auth/nginx', { headers })).headers['x-auth-status']).toBe('400');
  expect((await ask(address, '/auth/envoy/', { headers })).status).toBe(400);
});

test('what the server requires, it requires of programs, too', async () => {
  const requirements = { by: 'scopes', scopes: ['plan:read'] } as const;
  const { keyring, address, server } = await scene({ requirements });
  const { keyString } = await make(keyring, 'a');
  const both = await make(keyring, 'b', { scopes: ['plan:read', 'checkin:read'] });
  const verify = async (key: string, more: object = {}) => {
    const body = JSON.stringify({ key, ...more });
    const { status, json } = await ask(address, '/verify', { method: 'POST', headers: JSON_TYPE, body });
    return [status, json().verdict ?? json().code, json().missingScopes];
  };
  expect(await verify(keyString)).toEqual([200, 'missing_scope', ['plan:read']]);
  expect(await verify(keyString, { scopes: ['checkin:read'] })).toEqual([200, 'missing_scope', ['plan:read']]);
  expect(await verify(both.keyString, { scopes: ['checkin:read'] })).toEqual([200, 'valid', undefined]);
  expect(await verify(both.keyString, { scopes: ['facility:read'] })).toEqual([
    200,
    'missing_scope',
    ['facility:read'],
  ]);
  server.require({ by: 'rules', rules: parseRules('- { methods: [GET], path: /a, scopes: [plan:read] }', 'f') });
  expect(await verify(both.keyString)).toEqual([400, 'invalid_request', undefined]);
  expect(await verify(both.keyString, { method: 'GET' })).toEqual([400, 'invalid_request', undefined]);
  expect(await verify(both.keyString, { method: 'GET', path: '/a?b' })).toEqual([200, 'valid', undefined]);
  expect(await verify(keyString, { method: 'GET', path: '/a' })).toEqual([200, 'missing_scope', ['plan:read']]);
  expect(await verify(both.keyString, { method: 'GET', path: '/a', scopes: ['facility:read'] })).toEqual([
    200,
    'missing_scope',
    ['facility:read'],
  ]);
  expect(await verify(both.keyString, { method: 'PUT', path: '/a' })).toEqual([403, 'no_rule', undefined]);
  expect(await verify(both.keyString, { method: 'GET', path: '//a' })).toEqual([400, 'ambiguous_path', undefined]);
  expect(await verify(both.keyString, { method: 7, path: '/a' })).toEqual([400, 'invalid_request', undefined]);
});

test('without rules, every request needs the same scopes, or none', async () => {
  const keyring = await freshKeyring(DEFAULT_ENGINE);
  const { keyString } = await make(keyring, 'a');
  const any = await serving(await another(keyring, DEFAULT_ENGINE), { requirements: { by: 'scopes', scopes: [] } });
  const plan = await serving(await another(keyring, DEFAULT_ENGINE), {
    requirements: { by: 'scopes', scopes: ['plan:read'] },
  });
  const headers = { authorization: `Bearer ${keyString}` };
  expect((await ask(any.address, '/auth', { headers })).status).toBe(200);
  expect((await ask(plan.address, '/auth', { headers })).status).toBe(403);
  plan.server.require({ by: 'scopes', scopes: ['checkin:read'] });
  expect((await ask(plan.address, '/auth', { headers })).status).toBe(200);
});

test('answers 503 when the store does not answer, and logs why, without a secret', async () => {
  const sqld = await startSqld();
  const keyring = keyringOver(await openStore(sqld.url, options('sqld')));
  const { keyString } = await make(keyring, 'a');
  const { address, lines, log } = await serving(keyring, ANY);
  expect((await ask(address, '/auth', { headers: forwarded(keyString) })).status).toBe(200);
  await sqld.stop();
  const { status, headers, text } = await ask(address, '/auth', { headers: forwarded(keyString) });
  expect([status, headers['retry-after']]).toEqual([503, '1']);
  expect(
    (await ask(address, '/verify', { method: 'POST', headers: JSON_TYPE, body: JSON.stringify({ key: keyString }) }))
      .status,
  ).toBe(503);
  expect((await ask(address, '/healthz')).status).toBe(503);
  await log.flush();
  expect(lines().filter(({ message }) => message === 'no verdict')).toHaveLength(2);
  expect(JSON.stringify(lines()) + text).not.toContain(keyString.slice(23, 40));
});
