import { createHmac, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { exportJWK, exportSPKI, generateKeyPair, UnsecuredJWT } from 'jose';
import { expect, test } from 'vitest';
import { GITHUB } from '../support/oidc-claims.js';
import { AUDIENCE, OidcProvider } from '../support/oidc-provider.js';
import { verifying } from '../support/verifying.js';

const MINUTE = 60_000;

const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

test.each(['RS256', 'ES256', 'PS256', 'ES384'])('a token with %s is accepted', async (alg) => {
  const { provider, tokens } = await verifying({ provider: await OidcProvider.start('', alg) });
  expect(await tokens.verify(await provider.token(GITHUB))).toMatchObject({
    issuer: provider.issuer,
    subject: GITHUB.sub,
    audiences: [AUDIENCE],
    digest: expect.stringMatching(/^[0-9a-f]{64}$/),
  });
});

test('what a provider did not sign for this server is refused', async () => {
  const { provider, code, tokens } = await verifying();
  const good = await provider.token(GITHUB);
  const [head = '', body = '', signature = ''] = good.split('.');
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString());
  const stranger = { ...(await generateKeyPair('ES256')), alg: 'ES256', kid: provider.key.kid };
  const jwk = await exportJWK(provider.key.publicKey);
  const hmac = (secret: string, header: object) => {
    const text = `${base64(header)}.${body}`;
    return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
  };
  const spki = await exportSPKI(provider.key.publicKey);
  const der = createPublicKey(spki).export({ type: 'spki', format: 'der' }).toString('latin1');
  const refused: Record<string, string> = {
    'of another key': await provider.token(GITHUB, { key: stranger }),
    'that brings its key along': await provider.token(GITHUB, {
      key: stranger,
      header: { jwk: await exportJWK(stranger.publicKey) },
    }),
    unsigned: new UnsecuredJWT(claims).encode(),
    'unsigned, with the name of a key': `${base64({ alg: 'none', kid: provider.key.kid })}.${body}.`,
    'unsigned, in other letters': `${base64({ alg: 'nOnE', kid: provider.key.kid })}.${body}.`,
    'without its signature': `${head}.${body}.`,
    'with a changed claim': `${head}.${base64({ ...claims, repository_id: '43' })}.${signature}`,
    'with HS256 and the public key': hmac(spki, { alg: 'HS256', kid: provider.key.kid }),
    'with HS256 and the bytes of the public key': hmac(der, { alg: 'HS256', kid: provider.key.kid }),
    'with HS256 and the JWK': hmac(JSON.stringify(jwk), { alg: 'HS256', kid: provider.key.kid }),
    'for another server': await provider.token({ ...GITHUB, aud: 'https://other.example' }),
    'without an audience': await provider.token({ ...GITHUB, aud: undefined }),
    'of another issuer': await provider.token({ ...GITHUB, iss: 'https://evil.example' }),
    'of an issuer with a slash more': await provider.token({ ...GITHUB, iss: `${provider.issuer}/` }),
    'without a subject': await provider.token({ ...GITHUB, sub: undefined }),
    'that never ends': await provider.token({ ...GITHUB, exp: undefined }),
    'without a beginning': await provider.token({ ...GITHUB, iat: undefined }),
    'for access, not identity': await provider.token(GITHUB, { header: { typ: 'at+jwt' } }),
    'with an extension that must be understood': `${base64({ alg: 'ES256', kid: provider.key.kid, crit: ['b64'], b64: false })}.${body}.${signature}`,
    'too long': await provider.token({ ...GITHUB, padding: 'x'.repeat(20_000) }),
    'in four parts': `${good}.x`,
    empty: '..',
  };
  for (const [what, token] of Object.entries(refused)) {
    expect(await code(token), `a token ${what}`).toBe('token_invalid');
    const problem = await tokens.verify(token);
    expect(JSON.stringify(problem)).not.toContain(signature);
  }
  expect(await code(good)).toBe('ok');
  expect(provider.requests).toHaveLength(2);
});

test.each([
  ['expired a moment ago', { exp: -29_000, iat: -400_000, nbf: -400_000 }, 'ok'],
  ['expired', { exp: -30_000, iat: -400_000, nbf: -400_000 }, 'token_expired'],
  ['begins in a moment', { nbf: 30_000, iat: 30_000 }, 'ok'],
  ['begins later', { nbf: 31_000 }, 'token_invalid'],
  ['was issued in the future', { iat: 31_000 }, 'token_invalid'],
  ['is older than a day', { iat: -86_500_000, exp: 300_000, nbf: -86_500_000 }, 'token_expired'],
])('a token that %s', async (_, times, expected) => {
  const { provider, code, clock } = await verifying();
  const seconds = (ms: number) => Math.floor((clock.now + ms) / 1000);
  const given = Object.fromEntries(Object.entries(times).map(([name, ms]) => [name, seconds(ms)]));
  expect(await code(await provider.token({ ...GITHUB, ...given }))).toBe(expected);
});

test('a token with a number that cannot be read exactly is refused: two jobs would be taken for one', async () => {
  const { provider, tokens, code } = await verifying();
  expect(await code(await provider.token({ ...GITHUB, run_id: Number.MAX_SAFE_INTEGER, sha: '1e99' }))).toBe('ok');
  expect(await tokens.verify(await provider.token({ ...GITHUB, run_id: 2 ** 53 }))).toMatchObject({
    code: 'token_invalid',
    detail: expect.stringContaining('run_id'),
  });
});

test('a clock that is off refuses tokens, and says to compare the clocks', async () => {
  const { provider, tokens, clock } = await verifying();
  const token = await provider.token(GITHUB);
  clock.now -= 10 * MINUTE;
  expect(await tokens.verify(token)).toMatchObject({ code: 'token_invalid', detail: expect.stringMatching(/clocks/) });
  clock.now += 20 * MINUTE;
  expect(await tokens.verify(token)).toMatchObject({ code: 'token_expired' });
});

test('a token with several audiences counts where one is ours, and one without jti is told by its text', async () => {
  const { provider, tokens } = await verifying();
  const token = await provider.token({ ...GITHUB, aud: ['https://other.example', AUDIENCE], jti: undefined });
  const again = await provider.token({
    ...GITHUB,
    aud: ['https://other.example', AUDIENCE],
    jti: undefined,
    run_id: '2',
  });
  const [one, two] = [await tokens.verify(token), await tokens.verify(again)];
  if ('code' in one || 'code' in two) throw new Error('refused');
  expect(one.digest).not.toBe(two.digest);
  // For each signature with ECDSA, there is another one that fits as well.
  const bytes = Buffer.from(token.split('.')[2] ?? '', 'base64url');
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const s = order - BigInt(`0x${bytes.subarray(32).toString('hex')}`);
  const twin = Buffer.concat([bytes.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, '0'), 'hex')]);
  const other = await tokens.verify(token.replace(/[^.]*$/, twin.toString('base64url')));
  expect('code' in other ? other : other.digest).toBe(one.digest);
});

test('a key that is too short to be one is no key', async () => {
  const { provider, code } = await verifying();
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
  const body = JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'short', alg: 'RS256' }] });
  provider.wrong.set('jwks', { body });
  const text = `${base64({ alg: 'RS256', kid: 'short' })}.${(await provider.token(GITHUB)).split('.')[1]}`;
  expect(await code(`${text}.${sign('sha256', Buffer.from(text), privateKey).toString('base64url')}`)).toBe(
    'token_invalid',
  );
});
