import { expect, test } from 'vitest';
import type { KeyStore } from '../../src/domain/key-store.js';
import { ask, JSON_TYPE } from '../support/auth-servers.js';
import { issuing, ruleFor } from '../support/issue-servers.js';
import { GITHUB } from '../support/oidc-claims.js';
import { OpenApi } from '../support/openapi.js';
import { storeOf } from '../support/stores.js';

const api = new OpenApi('schema/issue.openapi.json');
const READ = { scopes: ['checkin:read'] };

test('the document describes what the server answers, and all of what it describes happens', async () => {
  const { provider, address, issue, end, keyring } = await issuing({ rules: (at) => [ruleFor(at, { maxAlive: 2 })] });
  const job = () => provider.token(GITHUB);
  const post = async (token: string, body: unknown = READ) => api.fits('/keys', 'post', await issue(token, body));
  const remove = async (id: string, token: string) => api.fits('/keys/{id}', 'delete', await end(id, token));
  const codes = async (...answers: ReturnType<typeof post>[]) =>
    (await Promise.all(answers)).map((each) => each.json()?.code);

  const token = await job();
  const { id } = (await post(token)).json();
  const late = await provider.token({ ...GITHUB, exp: 1_000_000_000 });
  expect(await codes(post(token), post(''), post('x'), post(late))).toEqual([
    'token_replayed',
    'token_missing',
    'token_invalid',
    'token_expired',
  ]);
  expect(await codes(post(await job(), {}), post(await job(), { ...READ, ttl: '5h' }))).toEqual([
    'bad_request',
    'ttl_too_long',
  ]);
  const stranger = await provider.token({ ...GITHUB, repository_id: '7' });
  expect(await codes(post(stranger), post(await job(), { scopes: ['facility:read'] }))).toEqual([
    'not_allowed',
    'scope_not_allowed',
  ]);
  expect((await post(await job(), 'x'.repeat(9000))).status).toBe(413);
  api.fits('/keys', 'post', await ask(address, '/keys', { method: 'POST', body: '{}' }));
  expect((await post(await job())).status).toBe(201);
  const many = await post(await job());
  expect([many.status, Number(many.headers['retry-after']) > 3000]).toEqual([429, true]);
  const own = { method: 'POST', headers: { ...JSON_TYPE, authorization: `Bearer ${await job()}` } };
  expect((await ask(address, '/keys?access_token=x', { ...own, body: JSON.stringify(READ) })).status).toBe(401);
  for (const wrong of ['x', late]) expect((await remove(id, wrong)).status).toBe(401);
  api.fits('/keys/{id}', 'delete', await ask(address, `/keys/${id}`, { method: 'DELETE' }));
  for (const other of ['0123456789ab', 'x', '%2e%2e', id.toUpperCase()])
    expect((await remove(other, token)).status).toBe(404);
  expect((await remove(id, token)).status).toBe(204);
  api.fits('/healthz', 'get', await ask(address, '/healthz'));
  api.fits('/metrics', 'get', await ask(address, '/metrics'));

  const unknown = await provider.rotate();
  expect(await codes(post(await provider.token(GITHUB, { key: unknown })))).toEqual(['provider_unavailable']);
  expect((await remove(id, await job())).status).toBe(503);
  const known = await issuing({ keyring, provider });
  await known.issue();
  await (storeOf(keyring) as KeyStore).close();
  const lost = api.fits('/keys', 'post', await known.issue(await job()));
  expect([lost.status, lost.json().code]).toEqual([503, 'store_unavailable']);
  expect(api.fits('/healthz', 'get', await ask(known.address, '/healthz')).status).toBe(503);
  expect(api.unseen(['test', 'about:blank', 'ok', 'stopping'])).toEqual([]);
});

test('what the document says of a question is what the server takes', async () => {
  const { issue, provider } = await issuing();
  const schema = { $ref: api.at('paths', '/keys', 'post', 'requestBody', 'content', 'application/json', 'schema') };
  for (const question of [
    READ,
    { ...READ, ttl: '10m' },
    {},
    { scopes: [] },
    { scopes: 'checkin:read' },
    { scopes: [1] },
    { scopes: Array.from({ length: 101 }, () => 'checkin:read') },
    { ...READ, ttl: 10 },
    { ...READ, ttl: null },
    { ...READ, mode: 'live' },
    { ...READ, name: 'x' },
    [],
    null,
  ]) {
    const { status } = await issue(await provider.token(GITHUB), question);
    expect(api.ajv.validate(schema, question), JSON.stringify(question)).toBe(status === 201);
  }
});
