import { once } from 'node:events';
import http from 'node:http';
import { expect, test } from 'vitest';
import { ANY, ask, type Headers, JSON_TYPE, scene } from '../support/auth-servers.js';
import { make } from '../support/keyrings.js';

const verify = (address: string, body: string, headers: Headers = JSON_TYPE) =>
  ask(address, '/verify', { method: 'POST', headers, body });

test('answers 200 to every verdict, and describes the key only if the secret is right', async () => {
  const { keyring, address } = await scene(ANY);
  const { key, keyString } = await make(keyring, 'a', { rateLimit: { limit: 3, windowSeconds: 3600 } });
  const verdict = async (question: object) => {
    const answer = await verify(address, JSON.stringify(question));
    expect(answer.status).toBe(200);
    return answer.json();
  };
  const { id, name, mode, scopes, labels } = key;
  expect(await verdict({ key: keyString, scopes: ['checkin:read'] })).toEqual({
    verdict: 'valid',
    key: { id, name, mode, scopes, labels, expiresAt: null },
    rate: { limit: 3, windowSeconds: 3600, remaining: 2, resetMs: expect.any(Number) },
  });
  expect(await verdict({ key: 'x' })).toEqual({ verdict: 'invalid' });
  expect(await verdict({ key: keyString, scopes: ['plan:read'] })).toMatchObject({
    verdict: 'missing_scope',
    missingScopes: ['plan:read'],
    key: { id },
  });
  await verdict({ key: keyString });
  await verdict({ key: keyString });
  expect(await verdict({ key: keyString })).toMatchObject({
    verdict: 'rate_limited',
    retryAfterMs: expect.any(Number),
  });
  await keyring.disable('a');
  expect(await verdict({ key: keyString })).toMatchObject({ verdict: 'inactive', key: { id } });
  const text = (await verify(address, JSON.stringify({ key: keyString }))).text;
  expect(text).not.toMatch(/hash|guard|secret/);
});

test.each([
  ['', 400],
  ['x', 400],
  ['[]', 400],
  ['null', 400],
  ['"x"', 400],
  ['{}', 400],
  ['{"key":1}', 400],
  ['{"key":["x"]}', 400],
  ['{"key":"x","scopes":"plan:read"}', 400],
  ['{"key":"x","scopes":[1]}', 400],
  ['{"key":"x","scopes":["*"]}', 400],
  ['{"key":"x","more":1}', 400],
  ['{"key":"x","__proto__":{"scopes":[]}}', 400],
  ['{"key":"x","key":"y"}', 400],
  ['{"path":"/admin","key":"x","\\u0070ath":"/"}', 400],
  ['{"key":"x:\\"y\\":","scopes":[]}', 200],
  ['{"key":"\\ud800"}', 200],
  [`{"key":"${'x'.repeat(9000)}"}`, 413],
  [`{"key":${'['.repeat(4000)}}`, 400],
])('%.40s gets %i', async (body, status) => {
  const { address } = await scene(ANY);
  const answer = await verify(address, body);
  expect(answer.status).toBe(status);
  if (status !== 200) expect(answer.headers['content-type']).toBe('application/problem+json');
});

test('requires a JSON content type and POST', async () => {
  const { address } = await scene(ANY);
  expect((await verify(address, '{"key":"x"}', {})).status).toBe(415);
  expect((await verify(address, '{"key":"x"}', { 'content-type': 'text/plain' })).status).toBe(415);
  expect((await verify(address, '{"key":"x"}', { 'content-type': 'application/json; charset=utf-8' })).status).toBe(
    200,
  );
  const { status, headers } = await ask(address, '/verify');
  expect([status, headers.allow]).toEqual([405, 'POST']);
});

test('an invalid body is counted and logged as any other refusal', async () => {
  const { address, lines, log } = await scene({ ...ANY, logged: 'refused' });
  await verify(address, 'x');
  await verify(address, '{"key":"x"}', { 'content-type': 'text/plain' });
  const { text } = await ask(address, '/metrics');
  expect(text).toContain('{endpoint="verify",verdict="invalid_request"} 1');
  expect(text).toContain('{endpoint="verify",verdict="unsupported_media_type"} 1');
  await log.flush();
  expect(lines()).toMatchObject([
    { endpoint: 'verify', status: 400, verdict: 'invalid_request' },
    { endpoint: 'verify', status: 415, verdict: 'unsupported_media_type' },
  ]);
});

test('a body without a length is limited, too', async () => {
  const { address } = await scene(ANY);
  const [host = '', port = ''] = address.split(':');
  const request = http.request({ host, port, path: '/verify', method: 'POST', headers: JSON_TYPE, agent: false });
  request.write(`{"key":"${'x'.repeat(5000)}`);
  request.end(`${'x'.repeat(5000)}"}`);
  const [reply] = (await once(request, 'response')) as [http.IncomingMessage];
  reply.resume();
  expect(reply.statusCode).toBe(413);
});
