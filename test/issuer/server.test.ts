import { expect, test } from 'vitest';
import { ask } from '../support/auth-servers.js';
import { issuing, liveClock } from '../support/issue-servers.js';
import { freshKeyring, receiver } from '../support/keyrings.js';
import { GITHUB } from '../support/oidc-claims.js';
import { DEFAULT_ENGINE, ENGINES } from '../support/stores.js';

test.each(ENGINES)('%s: a job gets a test key for its token, once, and ends it', async (engine) => {
  const keyring = await freshKeyring(engine, liveClock());
  const { provider, issue, end, lines } = await issuing({ keyring });
  const token = await provider.token(GITHUB);
  const made = await issue(token, { scopes: ['checkin:read'], ttl: '15m' });
  expect(made.status, made.text).toBe(201);
  expect(made.headers['cache-control']).toBe('no-store');
  const { id, key, name, expiresAt, ...rest } = made.json();
  expect(rest).toEqual({ mode: 'test', scopes: ['checkin:read'] });
  expect(name).toMatch(/^github-acme-app-9876543210-1-[0-9a-f]{8}$/);
  expect(Math.abs(Date.parse(expiresAt) - Date.now() - 15 * 60_000)).toBeLessThan(60_000);
  expect(await keyring.verify(key, { environment: 'test' })).toMatchObject({ verdict: 'valid', key: { id } });
  expect((await keyring.show(id)).labels).toEqual({
    ci: 'github',
    'ci-repository': 'acme/app',
    'ci-rule': 'app',
    'ci-run': '9876543210-1',
  });
  const again = await issue(token);
  expect([again.status, again.json().code]).toEqual([401, 'token_replayed']);
  const [event] = await keyring.auditList({ keyId: id });
  expect(event).toMatchObject({ actor: 'github:acme/app@refs/heads/main run 9876543210 attempt 1' });
  const other = await provider.token({ ...GITHUB, run_id: '1' });
  expect((await end(id, other)).status).toBe(404);
  expect((await end(id, token)).status).toBe(204);
  expect((await end(id, await provider.token(GITHUB))).status).toBe(204);
  expect(await keyring.verify(key)).toMatchObject({ verdict: 'invalid' });
  expect(JSON.stringify(lines())).not.toContain(token.slice(0, 40));
  expect(JSON.stringify(lines())).not.toContain(key);
});

test('answers 404, 405 and 413 as serve does, and serves /healthz and /metrics', async () => {
  const { address, issue } = await issuing();
  expect((await ask(address, '/healthz')).json()).toEqual({ status: 'ok' });
  expect((await ask(address, '/keys')).status).toBe(405);
  expect((await ask(address, '/nothing')).status).toBe(404);
  expect((await issue(undefined, { scopes: ['x'.repeat(9000)] })).status).toBe(413);
  expect((await ask(address, '/metrics')).text).toContain('unlockos_keys_issue_answers_total{endpoint="other"');
});

test.each([
  ['', { scopes: ['checkin:read'] }, 401, 'token_missing'],
  ['x.y.z', { scopes: ['checkin:read'] }, 401, 'token_invalid'],
  [undefined, {}, 400, 'bad_request'],
  [undefined, { scopes: [] }, 400, 'bad_request'],
  [undefined, { scopes: ['checkin:read'], ttl: '10' }, 400, 'bad_request'],
  [undefined, { scopes: ['checkin:read'], mode: 'live' }, 400, 'bad_request'],
  [undefined, { scopes: ['checkin:update'] }, 403, 'scope_not_allowed'],
  [undefined, { scopes: ['checkin:*'] }, 403, 'scope_not_allowed'],
  [undefined, { scopes: ['checkin:read'], ttl: '2h' }, 400, 'ttl_too_long'],
])('token %s with %j is refused with %i %s', async (token, body, status, code) => {
  const { provider, issue, keyring } = await issuing();
  const answer = await issue(token ?? (await provider.token(GITHUB)), body);
  expect([answer.status, answer.json().code]).toEqual([status, code]);
  expect(answer.headers['content-type']).toBe('application/problem+json');
  expect((await keyring.list()).keys).toEqual([]);
});

test('a server on a copy of the store refuses a token that may be spent, and says why', async () => {
  const { keyring, provider, issue } = await issuing();
  const token = await provider.token(GITHUB);
  expect((await issue(token)).status).toBe(201);
  const target = await receiver(DEFAULT_ENGINE);
  await keyring.storeCopy(target);
  const copy = await issuing({ keyring: await receiver(DEFAULT_ENGINE, target.location, false), provider });
  const answer = await copy.issue(token);
  expect([answer.status, answer.json().code]).toEqual([401, 'token_expired']);
  expect(answer.json().detail).toMatch(/^the token is from before \S+Z, when the store was restored or copied/);
});

test('a refusal names the claim that differs', async () => {
  const { provider, issue, lines } = await issuing();
  const answer = await issue(await provider.token({ ...GITHUB, repository_id: '7' }));
  expect(answer.json()).toMatchObject({
    status: 403,
    code: 'not_allowed',
    claim: 'repository_id',
    detail: 'repository_id is 7, the rule asks for 42',
  });
  expect(lines().at(-1)).toMatchObject({ answer: 'not_allowed', claim: 'repository_id' });
});
