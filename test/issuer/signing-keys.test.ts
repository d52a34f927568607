import { generateKeyPair } from 'jose';
import { expect, test } from 'vitest';
import { parseIssueRules } from '../../src/issuer/rules.js';
import { Tokens } from '../../src/issuer/tokens.js';
import { ruleFor } from '../support/issue-servers.js';
import { GITHUB } from '../support/oidc-claims.js';
import { OidcProvider } from '../support/oidc-provider.js';
import { verifying } from '../support/verifying.js';

const MINUTE = 60_000;

test('keys are asked for at most once in 30 seconds, whatever comes in, and a new key is found after that', async () => {
  const { provider, code, clock } = await verifying();
  expect(await code(await provider.token(GITHUB))).toBe('ok');
  const before = provider.key;
  await provider.rotate();
  const old = () => provider.token(GITHUB, { key: before });
  for (let i = 0; i < 50; i++) {
    expect(await code(await provider.token(GITHUB))).toBe('provider_unavailable'); // nobody can know the key yet
    expect(await code(await old())).toBe('ok');
  }
  expect(provider.requests).toHaveLength(2);
  clock.monotonic += 30_001;
  const all = await Promise.all(
    Array.from({ length: 50 }, async (_, i) => code(await (i % 2 === 0 ? provider.token(GITHUB) : old()))),
  );
  expect(new Set(all)).toEqual(new Set(['ok']));
  expect(provider.requests).toHaveLength(4);
  clock.monotonic += 30_001;
  const unknown = { ...(await generateKeyPair('ES256')), alg: 'ES256', kid: 'nobody' };
  const forged = await provider.token(GITHUB, { key: unknown });
  expect(await code(forged)).toBe('token_invalid');
  for (let i = 0; i < 20; i++) expect(await code(forged)).toBe('provider_unavailable');
  expect(provider.requests).toHaveLength(6);
});

test('the provider is asked again after 30 seconds and no earlier, and the answer says how long that is', async () => {
  const { provider, tokens, clock } = await verifying();
  const token = await provider.token(GITHUB);
  provider.wrong.set('discovery', { status: 500 });
  const refused = async () => {
    const found = await tokens.verify(token);
    return 'code' in found ? [found.code, found.retryAfterMs] : 'ok';
  };
  expect(await refused()).toEqual(['provider_unavailable', 30_000]);
  provider.wrong.clear();
  clock.monotonic = 29_999;
  expect(await refused()).toEqual(['provider_unavailable', 1]);
  expect(tokens.counts).toEqual({ asked: 1, failed: 1 });
  clock.monotonic = 30_000;
  expect(await refused()).toBe('ok');
  expect(tokens.counts).toEqual({ asked: 2, failed: 1 });
  await provider.rotate();
  clock.monotonic = 40_000;
  const unknown = await tokens.verify(await provider.token(GITHUB));
  expect(unknown).toEqual({
    code: 'provider_unavailable',
    detail: `the keys of ${provider.issuer} that are known here do not contain that of this token`,
    retryAfterMs: 20_000,
  });
});

test('an answer that took longer than the rest is not waited for again', async () => {
  const { provider, tokens, clock } = await verifying({ timeoutMs: 300 });
  provider.wrong.set('jwks', { silent: true });
  const answer = tokens.verify(await provider.token(GITHUB));
  await expect.poll(() => provider.requests.length).toBe(2);
  clock.monotonic = 31_000;
  expect(await answer).toMatchObject({ code: 'provider_unavailable', retryAfterMs: 0 });
});

test('keys are asked for anew after five minutes, without anybody waiting for it', async () => {
  const { provider, code, clock, tokens } = await verifying();
  const token = await provider.token(GITHUB);
  expect(await code(token)).toBe('ok');
  clock.monotonic = 5 * MINUTE;
  expect(await code(token)).toBe('ok');
  expect(tokens.counts.asked).toBe(1);
  clock.monotonic = 5 * MINUTE + 1;
  provider.wrong.set('discovery', { silent: true });
  expect(await code(token)).toBe('ok');
  expect(tokens.counts.asked).toBe(2);
});

test.each(['/tenant', '/tenant/', '/'])('an issuer with the path %s is asked below that path', async (path) => {
  const provider = await OidcProvider.start(path);
  const keys = `${provider.issuer.replace(/\/$/, '')}/.well-known/jwks`;
  Object.assign(provider.discovery, { jwks_uri: keys });
  const { code } = await verifying({ provider });
  expect(await code(await provider.token(GITHUB))).toBe('ok');
  expect(provider.requests).toEqual([
    `${path.replace(/\/$/, '')}/.well-known/openid-configuration`,
    new URL(keys).pathname,
  ]);
});

test('a token that names no key where there are two is refused, and no other keys are asked for', async () => {
  const { provider, tokens, clock } = await verifying();
  const nameless = () => provider.token(GITHUB, { header: { kid: undefined } });
  expect(await tokens.verify(await nameless())).toMatchObject({ subject: GITHUB.sub });
  await provider.rotate();
  clock.monotonic = 11 * MINUTE;
  expect(await tokens.verify(await nameless())).toMatchObject({ code: 'token_invalid' });
  clock.monotonic += 31_000;
  expect(await tokens.verify(await nameless())).toMatchObject({ code: 'token_invalid' });
  expect(tokens.counts).toEqual({ asked: 2, failed: 0 });
});

test('a key that the provider withdrew serves ten minutes at most, and none serves longer while it is down', async () => {
  const { provider, code, clock, tokens } = await verifying();
  const token = await provider.token(GITHUB);
  expect(await code(token)).toBe('ok');
  await provider.rotate({ keep: false });
  clock.monotonic += 5 * MINUTE + 1;
  expect(await code(token)).toBe('ok'); // asks meanwhile
  await expect.poll(() => code(token)).toBe('provider_unavailable');
  clock.monotonic += 31_000;
  expect(await code(token)).toBe('token_invalid');
  const fresh = await provider.token(GITHUB);
  expect(await code(fresh)).toBe('ok');
  provider.wrong.set('jwks', { status: 500 });
  clock.monotonic += 9 * MINUTE;
  expect(await code(fresh)).toBe('ok');
  await expect.poll(() => tokens.counts.failed).toBe(1);
  clock.monotonic += 2 * MINUTE;
  expect(await code(fresh)).toBe('provider_unavailable');
  provider.wrong.clear();
  expect(await code(fresh)).toBe('provider_unavailable');
  clock.monotonic += 31_000;
  expect(await code(fresh)).toBe('ok');
});

test.each<[string, (provider: OidcProvider) => unknown, RegExp]>([
  ['is down', (provider) => provider.close(), /cannot be reached/],
  ['answers with an error', (provider) => provider.wrong.set('discovery', { status: 500 }), /status 500/],
  [
    'sends elsewhere',
    (provider) =>
      provider.wrong.set('discovery', { status: 302, headers: { location: `${provider.issuer}/.well-known/jwks` } }),
    /status 302/,
  ],
  ['never answers', (provider) => provider.wrong.set('jwks', { silent: true }), /did not answer/],
  ['answers without end', (provider) => provider.wrong.set('jwks', { body: ' '.repeat(300_000) }), /more than/],
  [
    'answers with no JSON',
    (provider) => provider.wrong.set('discovery', { body: '<html>' }),
    /not answer with a JSON object/,
  ],
  [
    'answers with no object',
    (provider) => provider.wrong.set('discovery', { body: 'null' }),
    /not answer with a JSON object/,
  ],
  ['has no keys', (provider) => provider.wrong.set('jwks', { body: '{"keys":7}' }), /not a JSON Web Key Set/],
  [
    'says that it is another',
    (provider) => Object.assign(provider.discovery, { issuer: 'https://other.example' }),
    /about another issuer/,
  ],
  ['names no keys', (provider) => delete provider.discovery.jwks_uri, /configuration names no https address of keys/],
  [
    'names keys by a number',
    (provider) => Object.assign(provider.discovery, { jwks_uri: 7 }),
    /configuration names no https address of keys/,
  ],
  [
    'names keys by half an address',
    (provider) => Object.assign(provider.discovery, { jwks_uri: '/.well-known/jwks' }),
    /configuration names no https address of keys/,
  ],
  [
    'names keys that anybody on the way could change',
    (provider) => Object.assign(provider.discovery, { jwks_uri: provider.issuer.replace('https', 'http') }),
    /no https address/,
  ],
])('a provider that %s lets nobody in', async (what, spoil, words) => {
  const { provider, tokens } = await verifying(what === 'never answers' ? { timeoutMs: 500 } : {});
  const token = await provider.token(GITHUB);
  spoil(provider);
  expect(await tokens.verify(token)).toMatchObject({
    code: 'provider_unavailable',
    detail: expect.stringMatching(words),
    retryAfterMs: 30_000,
  });
  expect(await tokens.verify(token)).toMatchObject({ detail: expect.stringContaining(provider.issuer) });
});

test('a provider whose certificate is not trusted lets nobody in, whatever the environment says', async () => {
  const provider = await OidcProvider.start();
  const before = process.env.NODE_TLS_REJECT_UNAUTHORIZED;
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
  try {
    const tokens = new Tokens(() => new Date());
    tokens.trust(parseIssueRules(JSON.stringify([ruleFor(provider)]), 'issue.yaml'));
    expect(await tokens.verify(await provider.token())).toMatchObject({ code: 'provider_unavailable' });
  } finally {
    if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before;
  }
  expect(provider.requests).toEqual([]);
});
