import { generateKeyPairSync } from 'node:crypto';
import { CompactSign } from 'jose';
import { expect, test } from 'vitest';
import { mintKeyString } from '../../src/domain/key-parts.js';
import { parseIssueRules } from '../../src/issuer/rules.js';
import { shown, Tokens } from '../../src/issuer/tokens.js';
import { ruleFor } from '../support/issue-servers.js';
import { GITHUB } from '../support/oidc-claims.js';
import { AUDIENCE, OidcProvider } from '../support/oidc-provider.js';
import { verifying } from '../support/verifying.js';

// What is known of a token that is accepted, and what is said of one that is not.

async function scene() {
  const all = await verifying();
  const { provider, tokens } = all;
  const look = async (claims: Record<string, unknown>, how = {}) =>
    tokens.verify(await provider.token({ ...GITHUB, ...claims }, how));
  const accepted = async (claims: Record<string, unknown>, how = {}) => {
    const found = await look(claims, how);
    if ('code' in found) throw new Error(found.detail);
    return found;
  };
  const refused = async (claims: Record<string, unknown>, how = {}) => {
    const found = await look(claims, how);
    return 'code' in found ? `${found.code}: ${found.detail}` : 'accepted';
  };
  return { ...all, accepted, refused };
}

test('a token is in force from when it was issued until nobody accepts it any more', async () => {
  const { clock, accepted } = await scene();
  const now = Math.floor(clock.now / 1000);
  const { issued, ends } = await accepted({ iat: now - 7, exp: now + 300 });
  expect([issued.getTime(), ends.getTime()]).toEqual([(now - 7) * 1000, (now + 330) * 1000]);
  const parts = await accepted({ iat: now, exp: now + 300.0004 });
  expect(parts.ends.getTime()).toBe((now + 330) * 1000 + 1);
});

test('a token is over a day after it was issued, whatever its end', async () => {
  const { clock, accepted, provider, tokens } = await scene();
  const iat = Math.floor(clock.now / 1000) - 7;
  const claims = { ...GITHUB, iat, exp: 8_900_000_000_000 };
  const { ends } = await accepted(claims);
  expect(ends.getTime()).toBe((iat + 86_400 + 31) * 1000);
  const token = await provider.token(claims);
  clock.now = ends.getTime() - 1;
  expect(await tokens.verify(token)).toMatchObject({ ends });
  clock.now = ends.getTime();
  expect(await tokens.verify(token)).toMatchObject({ code: 'token_expired' });
});

test('an end that is no time is refused', async () => {
  const { refused } = await scene();
  expect(await refused({ exp: Number.MAX_SAFE_INTEGER })).toBe('token_invalid: exp of the token is not a time');
});

test('a claim that is in a token twice is refused: of two, some programs take the first, and some the last', async () => {
  const { provider, code } = await verifying();
  const { kid, alg, privateKey } = provider.key;
  const signed = (claims: string) =>
    new CompactSign(Buffer.from(claims)).setProtectedHeader({ alg, kid, typ: 'JWT' }).sign(privateKey);
  const [, body = ''] = (await provider.token({ ...GITHUB, more: { a: [{ b: 1 }, 'x:y'] } })).split('.');
  const claims = Buffer.from(body, 'base64url').toString();
  expect(await code(await signed(claims))).toBe('ok');
  for (const twice of [
    claims.replace('{', '{"repository_id":"7",'),
    claims.replace('{', '{"repository\\u005fid":"7",'),
    claims.replace('"b":1', '"b":1,"b":2'),
  ])
    expect(await code(await signed(twice))).toBe('token_invalid');
});

test('a token that does not say which of several keys signed it is told so', async () => {
  const { provider, refused } = await scene();
  await provider.rotate();
  expect(await refused({}, { header: { kid: undefined } })).toBe(
    'token_invalid: the token does not say which of the keys of its issuer it is signed with',
  );
});

test('a token is remembered by its id, where it has one, and that of another issuer is another', async () => {
  const { accepted } = await scene();
  const one = (await accepted({ jti: 'a', run_id: '1' })).digest;
  expect((await accepted({ jti: 'a', run_id: '2' })).digest).toBe(one);
  expect((await accepted({ jti: 'b', run_id: '1' })).digest).not.toBe(one);
  const elsewhere = await scene();
  expect((await elsewhere.accepted({ jti: 'a', run_id: '1' })).digest).not.toBe(one);
});

test.each([
  ['an empty one', ''],
  ['a number', 7],
  ['a list', ['a']],
])('an id that is none tells no tokens apart, their texts do: %s', async (_, jti) => {
  const { accepted } = await scene();
  const [one, other] = [await accepted({ jti, run_id: '1' }), await accepted({ jti, run_id: '2' })];
  expect(one.digest).not.toBe(other.digest);
});

test('a subject has 1 to 512 characters', async () => {
  const { accepted, refused } = await scene();
  expect((await accepted({ sub: 's'.repeat(512) })).subject).toHaveLength(512);
  for (const sub of ['', 's'.repeat(513), 7, ['x'], null])
    expect(await refused({ sub })).toMatch(
      /^token_invalid: sub (is empty or longer than 512 characters|of the token|is missing)/,
    );
});

test('a token names its audiences, one or several', async () => {
  const { accepted } = await scene();
  expect((await accepted({ aud: AUDIENCE })).audiences).toEqual([AUDIENCE]);
  expect((await accepted({ aud: ['x', AUDIENCE] })).audiences).toEqual(['x', AUDIENCE]);
});

test.each([
  [{ header: { typ: undefined } }, 'accepted'],
  [{ header: { typ: 'jwt' } }, 'accepted'],
  [{ header: { typ: 'at+jwt' } }, 'token_invalid: typ of the token is at+jwt, not JWT'],
  [{ header: { typ: null } }, 'token_invalid: typ of the token is null, not JWT'],
  [{ header: { typ: '' } }, 'token_invalid: typ of the token is , not JWT'],
])('of the types that a header may name, only that of an ID token is accepted: %j', async (how, expected) => {
  const { refused } = await scene();
  expect(await refused({}, how)).toBe(expected);
});

test('a token of more than 16384 characters is not looked at', async () => {
  const { provider, tokens } = await scene();
  const length = (await provider.token({ ...GITHUB, padding: '' })).length;
  // Three characters of the text are four of the token, so that some lengths cannot be had.
  const at = async (more: number) =>
    provider.token({ ...GITHUB, padding: 'x'.repeat(Math.floor(((more - length) * 3) / 4)) });
  const [short, long] = [await at(16_384), await at(16_390)];
  expect([short.length > 16_376, short.length <= 16_384, long.length > 16_384]).toEqual([true, true, true]);
  expect(await tokens.verify(short)).toMatchObject({ subject: GITHUB.sub });
  expect(await tokens.verify(long)).toEqual({ code: 'token_invalid', detail: 'this is not an ID token' });
});

test('a refusal says which claim is wrong, and how', async () => {
  const { clock, refused, provider } = await scene();
  const now = Math.floor(clock.now / 1000);
  const future = (claim: string) => `token_invalid: ${claim} of the token is in the future: compare the clocks`;
  expect(await refused({ aud: 'x' })).toBe(`token_invalid: aud is x, and this server is ${AUDIENCE}`);
  expect(await refused({ aud: ['x', 'y'] })).toBe(`token_invalid: aud is ["x","y"], and this server is ${AUDIENCE}`);
  for (const claim of ['exp', 'sub', 'aud', 'iat'])
    expect(await refused({ [claim]: undefined })).toBe(`token_invalid: ${claim} is missing in the token`);
  expect(await refused({ nbf: now + 60 })).toBe(future('nbf'));
  expect(await refused({ iat: now + 60 })).toBe(future('iat'));
  expect(await refused({ exp: 'x' })).toBe('token_invalid: exp of the token is not what it must be');
  expect(await refused({ exp: now - 31, iat: now - 60, nbf: now - 60 })).toBe('token_expired: the token has expired');
  expect(await refused({ iss: 'https://evil.example' })).toBe(
    'token_invalid: iss is https://evil.example, which no rule names',
  );
  expect(await refused({ iss: undefined })).toBe('token_invalid: this is not an ID token');
  const stranger = await OidcProvider.start();
  expect(await refused({}, { key: { ...stranger.key, kid: provider.key.kid } })).toBe(
    'token_invalid: the signature of the token is not that of its issuer',
  );
});

test('a refusal says whether the algorithm, the key or the provider is what fails', async () => {
  const { provider, tokens, code } = await verifying();
  const [head = '', body = ''] = (await provider.token(GITHUB)).split('.');
  const withHeader = (more: object) => {
    const header = { ...JSON.parse(Buffer.from(head, 'base64url').toString()), ...more };
    return `${Buffer.from(JSON.stringify(header)).toString('base64url')}.${body}.${'A'.repeat(86)}`;
  };
  const algorithm = 'the token is not signed with an algorithm that is accepted here (RS256, ES256 and their variants)';
  for (const header of [{ alg: 'HS256' }, { alg: 'none' }, { alg: 'EdDSA' }, { crit: ['more'], more: 1 }])
    expect(await tokens.verify(withHeader(header))).toEqual({ code: 'token_invalid', detail: algorithm });
  expect(await code(await provider.token(GITHUB))).toBe('ok');
  const short = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' });
  const weak = await verifying();
  weak.provider.wrong.set('jwks', { body: JSON.stringify({ keys: [{ ...short, kid: 'short', alg: 'RS256' }] }) });
  const claims = (await weak.provider.token(GITHUB)).split('.')[1];
  const named = Buffer.from(JSON.stringify({ alg: 'RS256', kid: 'short' })).toString('base64url');
  expect(await weak.tokens.verify(`${named}.${claims}.${'A'.repeat(171)}`)).toEqual({
    code: 'token_invalid',
    detail: 'the signature of the token cannot be checked with the key of its issuer',
  });
  const down = await verifying();
  const token = await down.provider.token(GITHUB);
  down.provider.wrong.set('discovery', { status: 500 });
  expect(await down.tokens.verify(token)).toEqual({
    code: 'provider_unavailable',
    detail: `${down.provider.issuer}/.well-known/openid-configuration answered with status 500`,
    retryAfterMs: 30_000,
  });
});

test('a token of one provider is held to the audiences of its own rules', async () => {
  const [one, other] = [await OidcProvider.start(), await OidcProvider.start()];
  const tokens = new Tokens(() => new Date(), { ca: `${one.ca}${other.ca}` });
  const rules = [
    ruleFor(one, { name: 'one', audience: 'of one' }),
    ruleFor(one, { name: 'more', audience: 'of one, too' }),
    ruleFor(other, { name: 'other', audience: 'of the other' }),
  ];
  tokens.trust(parseIssueRules(JSON.stringify(rules), 'f'));
  for (const [provider, aud, said] of [
    [one, 'of one', undefined],
    [one, 'of one, too', undefined],
    [one, 'of the other', 'aud is of the other, and this server is of one or of one, too'],
    [other, 'of the other', undefined],
    [other, 'of one', 'aud is of one, and this server is of the other'],
  ] as const) {
    const found = await tokens.verify(await provider.token({ ...GITHUB, aud }));
    expect('detail' in found ? found.detail : undefined).toBe(said);
  }
});

test('a provider that no rule names any more is not trusted, and one that is still named is not asked again', async () => {
  const { provider, tokens, code } = await verifying();
  const token = await provider.token(GITHUB);
  expect(await code(token)).toBe('ok');
  const rules = (issuer: string) => parseIssueRules(JSON.stringify([{ ...ruleFor(provider), issuer }]), 'f');
  tokens.trust(rules(provider.issuer));
  expect([await code(token), tokens.counts]).toEqual(['ok', { asked: 1, failed: 0 }]);
  tokens.trust(rules('https://other.example'));
  expect([await code(token), tokens.counts]).toEqual(['token_invalid', { asked: 0, failed: 0 }]);
});

test('a value of a token is shown on one line, without a key string, and not longer than a line', () => {
  const { keyString, secret } = mintKeyString('test');
  expect(shown('refs/heads/main')).toBe('refs/heads/main');
  expect(shown(['a', 7, null])).toBe('["a",7,null]');
  expect([shown(undefined), shown(true), shown(7)]).toEqual(['missing', 'true', '7']);
  expect(shown('\u001b[2J\u202e')).toBe('\\u{1b}[2J\\u{202e}');
  expect(shown(`x ${keyString}`)).not.toContain(secret.slice(0, 8));
  expect([shown('x'.repeat(100)), shown('x'.repeat(101))]).toEqual(['x'.repeat(100), `${'x'.repeat(100)}…`]);
  expect(shown('x'.repeat(1_000_000))).toHaveLength(101);
});
