import { expect, test } from 'vitest';
import type { KeyStore } from '../../src/domain/key-store.js';
import { parseRules } from '../../src/server/rules.js';
import { ask, forwarded, type Headers, JSON_TYPE, scene, serving } from '../support/auth-servers.js';
import { another, freshKeyring, make } from '../support/keyrings.js';
import { OpenApi } from '../support/openapi.js';
import { DEFAULT_ENGINE, START, storeOf } from '../support/stores.js';

const api = new OpenApi('schema/serve.openapi.json');
const { ajv } = api;
const fits = api.fits.bind(api);

const ENDPOINTS = ['/auth', '/auth/nginx', '/auth/envoy/{path}'];

/** Asks each endpoint about one request, described as its proxy does it. */
async function everywhere(address: string, key: string, uri = '/check-ins', more: Headers = {}, method = 'GET') {
  const statuses: unknown[] = [];
  for (const path of ENDPOINTS) {
    const { authorization, ...headers } = { ...forwarded(key, uri, method), ...more };
    const isEnvoy = path.includes('envoy');
    const where = isEnvoy ? `/auth/envoy${uri}` : path;
    const sent = { ...(isEnvoy ? more : headers), ...(key !== '' && { authorization: authorization ?? '' }) };
    const got = fits(path, 'get', await ask(address, where, { headers: sent, method: isEnvoy ? method : 'GET' }));
    statuses.push(got.headers['x-auth-status'] ?? `${got.status}`);
  }
  return statuses;
}

async function verify(address: string, question: object | string, headers: Headers = JSON_TYPE) {
  const body = typeof question === 'string' ? question : JSON.stringify(question);
  return fits('/verify', 'post', await ask(address, '/verify', { method: 'POST', headers, body }));
}

test('the document describes what the server answers, and all of what it describes happens', async () => {
  const requirements = {
    by: 'rules',
    rules: parseRules('- { methods: [GET], path: /check-ins, scopes: [checkin:read] }', 'f'),
  } as const;
  const clock = { now: START };
  const keyring = await freshKeyring(DEFAULT_ENGINE, clock);
  const { address } = await serving(keyring, { requirements });
  const limit = { limit: 3, windowSeconds: 3600 };
  const { keyString } = await make(keyring, 'a', { rateLimit: limit, labels: { team: 'x' } });
  const asked = { method: 'GET', path: '/check-ins' };
  expect(await everywhere(address, keyString)).toEqual(['200', '200', '200']);
  expect(await everywhere(address, keyString)).toEqual(['429', '429', '429']);
  expect((await verify(address, { key: keyString, ...asked })).json().verdict).toBe('rate_limited');
  expect(await everywhere(address, '')).toEqual(['401', '401', '401']);
  expect(await everywhere(address, 'x')).toEqual(['401', '401', '401']);
  expect(await everywhere(address, keyString, '/other')).toEqual(['403', '403', '403']);
  expect(await everywhere(address, keyString, '/a;b')).toEqual(['400', '400', '400']);
  expect(await everywhere(address, keyString, '/check-ins', { 'x-api-key': 'y' })).toEqual(['400', '400', '400']);
  const others = {
    disabled: await make(keyring, 'disabled'),
    expired: await make(keyring, 'expired', { expiresAt: new Date(START.getTime() + 1) }),
    live: await make(keyring, 'live', { mode: 'live' }),
    narrow: await make(keyring, 'narrow', { scopes: ['plan:read'] }),
    office: await make(keyring, 'office', { allowFrom: ['192.0.2.7'] }),
    good: await make(keyring, 'good'),
  };
  await keyring.disable('disabled');
  clock.now = new Date(START.getTime() + 1000);
  expect(await everywhere(address, others.disabled.keyString)).toEqual(['401', '401', '401']);
  expect(await everywhere(address, others.expired.keyString)).toEqual(['401', '401', '401']);
  expect(await everywhere(address, others.live.keyString)).toEqual(['401', '401', '401']);
  expect(await everywhere(address, others.narrow.keyString)).toEqual(['403', '403', '403']);
  expect(await everywhere(address, others.office.keyString)).toEqual(['403', '403', '403']);
  const away = { key: others.office.keyString, ...asked, address: '192.0.2.8' };
  expect((await verify(address, away)).json()).toMatchObject({ verdict: 'wrong_address', address: '192.0.2.8' });
  for (const { keyString: key } of Object.values(others))
    expect((await verify(address, { key, ...asked })).status).toBe(200);
  expect((await verify(address, { key: 'x', ...asked })).json()).toEqual({ verdict: 'invalid' });
  expect((await verify(address, { key: 'x' })).status).toBe(400);
  expect((await verify(address, { key: 'x', ...asked, path: '//' })).status).toBe(400);
  expect((await verify(address, { key: 'x', ...asked, path: '/other' })).status).toBe(403);
  expect((await verify(address, 'x'.repeat(9000))).status).toBe(413);
  expect((await verify(address, '{}', {})).status).toBe(415);
  fits('/healthz', 'get', await ask(address, '/healthz'));
  fits('/metrics', 'get', await ask(address, '/metrics'));

  const far = await freshKeyring(DEFAULT_ENGINE);
  const { keyString: lost } = await make(far, 'a');
  const gone = await another(far, DEFAULT_ENGINE);
  const closed = await serving(gone);
  await (storeOf(gone) as KeyStore).close();
  expect(await everywhere(closed.address, lost)).toEqual(['503', '503', '503']);
  expect((await verify(closed.address, { key: lost, ...asked })).status).toBe(503);
  expect(fits('/healthz', 'get', await ask(closed.address, '/healthz')).status).toBe(503);

  expect(api.unseen(['live', 'test', 'stopping'])).toEqual([]);
});

test('what the document says of a question is what the server takes', async () => {
  const { address } = await scene({ requirements: { by: 'scopes', scopes: [] } });
  const schema = { $ref: api.at('paths', '/verify', 'post', 'requestBody', 'content', 'application/json', 'schema') };
  for (const question of [
    { key: 'x' },
    { key: 'x', scopes: ['plan:read'], method: 'GET', path: '/' },
    {},
    { key: 1 },
    { key: 'x', scopes: 'plan:read' },
    { key: 'x', scopes: [1] },
    { key: 'x', method: 1 },
    { key: 'x', path: null },
    { key: 'x', address: '192.0.2.7' },
    { key: 'x', address: null },
    { key: 'x', more: 1 },
    [],
    null,
  ]) {
    const body = JSON.stringify(question);
    const { status } = await ask(address, '/verify', { method: 'POST', headers: JSON_TYPE, body });
    expect(ajv.validate(schema, question), body).toBe(status === 200);
  }
});
