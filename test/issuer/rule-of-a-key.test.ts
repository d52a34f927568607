import { expect, test } from 'vitest';
import { parseIssueRules } from '../../src/issuer/rules.js';
import { ask } from '../support/auth-servers.js';
import { issuing, ruleFor } from '../support/issue-servers.js';
import { GITHUB } from '../support/oidc-claims.js';
import { OidcProvider } from '../support/oidc-provider.js';
import { storeOf } from '../support/stores.js';

// Which rule a token meets, and what a key has of it.

const READ = { scopes: ['checkin:read'] };

test('a token meets rules of its own issuer and audience only', async () => {
  const [one, other] = [await OidcProvider.start(), await OidcProvider.start()];
  const rules = () => [
    ruleFor(one, { name: 'one', audience: 'first', scopes: ['checkin:read'] }),
    ruleFor(one, { name: 'two', audience: 'second', scopes: ['plan:read'] }),
    ruleFor(other, { name: 'other', audience: 'first', scopes: ['facility:read'] }),
  ];
  const { issue, keyring } = await issuing({ provider: one, ca: other.ca, rules });
  const scopes = ['checkin:read', 'plan:read', 'facility:read'];
  for (const [provider, aud, rule, allowed] of [
    [one, 'first', 'one', ['checkin:read']],
    [one, 'second', 'two', ['plan:read']],
    [one, ['third', 'second'], 'two', ['plan:read']],
    [other, 'first', 'other', ['facility:read']],
  ] as const)
    for (const scope of scopes) {
      const answer = await issue(await provider.token({ ...GITHUB, aud }), { scopes: [scope] });
      const isAllowed = allowed.some((each) => each === scope);
      expect([answer.status, answer.json().detail]).toEqual(
        isAllowed ? [201, undefined] : [403, `the rule ${rule} does not allow: ${scope}`],
      );
      if (isAllowed) expect((await keyring.show(answer.json().id)).labels['ci-rule']).toBe(rule);
    }
});

test('rules that were changed hold from the next request on', async () => {
  const { server, provider, issue } = await issuing();
  const status = async (body: object = READ) => (await issue(await provider.token(GITHUB), body)).status;
  expect(await status()).toBe(201);
  const require = (more: object) =>
    server.require(parseIssueRules(JSON.stringify([ruleFor(provider, { ...more })]), 'f'));
  require({ scopes: ['plan:read'] });
  expect([await status(), await status({ scopes: ['plan:read'] })]).toEqual([403, 201]);
  require({ audience: 'another' });
  expect(await status()).toBe(401);
  require({ issuer: 'https://another.example' });
  expect(await status()).toBe(401);
  require({});
  expect(await status()).toBe(201);
});

test('a category is asked for as a whole, and given where the rule has all of it; a scope twice is one', async () => {
  const all = ['checkin:read', 'checkin:create', 'checkin:update'];
  const { provider, issue } = await issuing({ rules: (at) => [ruleFor(at, { scopes: all })] });
  const given = async (scopes: string[]) => issue(await provider.token(GITHUB), { scopes });
  expect((await given(['checkin:*'])).json().scopes.toSorted()).toEqual(all.toSorted());
  expect((await given(['checkin:read', 'checkin:read'])).json().scopes).toEqual(['checkin:read']);
  expect((await given(['checkin:read', 'plan:*', 'facility:read'])).json()).toMatchObject({
    code: 'scope_not_allowed',
    detail: expect.stringMatching(/^the rule app does not allow: (plan:\w+, )+facility:read$/),
  });
});

test.each([
  [undefined, {}, 60],
  [undefined, { maxTtl: '10m' }, 10],
  [undefined, { maxTtl: '12h' }, 60],
  ['12h', { maxTtl: '12h' }, 720],
  ['5m', { maxTtl: '12h' }, 5],
])('a key that is asked for with the ttl %j under %j lives %i minutes', async (ttl, more, minutes) => {
  const { provider, issue, keyring } = await issuing({ rules: (at) => [ruleFor(at, more)] });
  const body = { ...READ, ...(ttl !== undefined && { ttl }) };
  const { id } = (await issue(await provider.token(GITHUB), body)).json();
  const { createdAt, expiresAt } = await keyring.show(id);
  const life = (expiresAt?.getTime() ?? 0) - createdAt.getTime(); // counted from a moment before it was stored
  expect(Math.round(life / 60_000)).toBe(minutes);
});

test('a key that would live longer than its rule allows is refused with what it allows', async () => {
  const { provider, issue } = await issuing({ rules: (at) => [ruleFor(at, { maxTtl: '12h' })] });
  const answer = await issue(await provider.token(GITHUB), { ...READ, ttl: '721m' });
  expect([answer.status, answer.json().detail]).toEqual([400, 'the rule app lets keys live 720 minutes at most']);
});

test('a key has the rate limit of its rule, and the name of its job', async () => {
  const { provider, issue, keyring } = await issuing({ rules: (at) => [ruleFor(at, { rateLimit: '7/h' })] });
  const { id, name } = (await issue(await provider.token(GITHUB), READ)).json();
  expect(await keyring.show(id)).toMatchObject({ name, mode: 'test', rateLimit: { limit: 7, windowSeconds: 3600 } });
});

test.each([
  ['all', ['issued', 'not_allowed', 'ended', 'not_found', 'not_found']],
  ['refused', ['not_allowed', 'not_found', 'not_found']],
  ['none', []],
] as const)('of answers, %s are logged, and each is counted', async (logged, expected) => {
  const { provider, issue, end, address, lines } = await issuing({ logged });
  const { id } = (await issue(await provider.token(GITHUB), READ)).json();
  await issue(await provider.token({ ...GITHUB, repository_id: '7' }), READ);
  await end(id, await provider.token(GITHUB));
  await end('0123456789ab', await provider.token(GITHUB));
  await ask(address, '/nothing');
  expect(lines().map(({ answer }) => answer)).toEqual(expected);
  const { text } = await ask(address, '/metrics');
  for (const [endpoint, answer] of [
    ['keys', 'issued'],
    ['keys', 'not_allowed'],
    ['key', 'ended'],
    ['key', 'not_found'],
    ['other', 'not_found'],
  ])
    expect(text).toContain(`unlockos_keys_issue_answers_total{endpoint="${endpoint}",answer="${answer}"} 1\n`);
  expect(text).toContain('unlockos_keys_issue_provider_requests_total 1\n');
  expect(text).toContain('unlockos_keys_issue_provider_failures_total 0\n');
  expect(text).toContain('unlockos_keys_issue_undelivered_total 0\n');
  expect(text).toContain('unlockos_keys_issue_seconds_count{endpoint="keys"} 2\n');
});

test('a line of the log says who asked, by which rule, for which key, and how long it took', async () => {
  const { provider, issue, end, lines } = await issuing();
  const actor = 'github:acme/app@refs/heads/main run 9876543210 attempt 1';
  const { id } = (await issue(await provider.token(GITHUB), READ)).json();
  expect((await end(id, await provider.token(GITHUB))).text).toBe('');
  await issue(await provider.token({ ...GITHUB, repository_id: '7' }), READ);
  await issue(await provider.token(GITHUB), { scopes: ['facility:read'] });
  await end('x', await provider.token(GITHUB));
  const all = lines();
  for (const line of all) expect(line.ms).toBeGreaterThan(0);
  expect(all.map(({ time: _time, ms: _ms, level: _level, message: _message, ...rest }) => rest)).toEqual([
    { endpoint: 'keys', status: 201, answer: 'issued', actor, rule: 'app', keyId: id },
    { endpoint: 'key', status: 204, answer: 'ended', actor, keyId: id },
    {
      endpoint: 'keys',
      status: 403,
      answer: 'not_allowed',
      actor,
      claim: 'repository_id',
      detail: 'repository_id is 7, the rule asks for 42',
    },
    {
      endpoint: 'keys',
      status: 403,
      answer: 'scope_not_allowed',
      actor,
      rule: 'app',
      detail: 'the rule app does not allow: facility:read',
    },
    { endpoint: 'key', status: 404, answer: 'not_found', actor, detail: 'this job was given no such key' },
  ]);
});

test('a token in another place than its header, twice, or beside another key is refused', async () => {
  const { provider, address, keyring } = await issuing();
  const token = await provider.token(GITHUB);
  const post = async (headers: Record<string, string | string[]>, query = '') => {
    const all = { 'content-type': 'application/json', ...headers };
    const answer = await ask(address, `/keys${query}`, { method: 'POST', headers: all, body: JSON.stringify(READ) });
    return [answer.status, answer.json().code];
  };
  const bearer = `Bearer ${token}`;
  expect(await post({ authorization: [bearer, bearer] })).toEqual([401, 'token_invalid']);
  expect(await post({ authorization: bearer }, `?access_token=${token}`)).toEqual([401, 'token_invalid']);
  expect(await post({ authorization: token })).toEqual([401, 'token_missing']);
  expect(await post({}, `?access_token=${token}`)).toEqual([401, 'token_missing']);
  expect((await keyring.list()).keys).toEqual([]);
  expect(await post({ authorization: bearer }, '?x=1')).toEqual([201, undefined]);
});

test('what the store fails at is logged without what the request held', async () => {
  const { provider, issue, end, keyring, lines } = await issuing();
  const token = await provider.token(GITHUB);
  const { id } = (await issue(token, READ)).json();
  await storeOf(keyring).close();
  for (const answer of [await issue(await provider.token(GITHUB), READ), await end(id, token)])
    expect([answer.status, answer.json().code, answer.headers['retry-after']]).toEqual([503, 'store_unavailable', '1']);
  const failed = lines().filter(({ message }) => message === 'the store failed');
  expect(failed).toHaveLength(2);
  for (const line of failed) expect(line).toMatchObject({ level: 'error', code: 'store_unavailable', error: /\S/ });
  expect(JSON.stringify(lines())).not.toContain(token.slice(0, 40));
});
