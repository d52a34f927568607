import { describe, expect, onTestFinished, test } from 'vitest';
import { KeysError } from '../../src/domain/errors.js';
import { checksum, mintKeyString } from '../../src/domain/key-parts.js';
import type { Verdict } from '../../src/domain/verdict.js';
import { type RequestVerdict, responseFor } from '../../src/http/response.js';
import type { KeyVerifier } from '../../src/http/types.js';
import type { Keyring } from '../../src/keyring/keyring.js';
import { openStore } from '../../src/store/open.js';
import { Verifier, type VerifierOptions } from '../../src/verifier/verifier.js';
import { bearer, FRAMEWORK_NAMES, type Reply, serve } from '../support/framework-servers.js';
import { freshKeyring, make } from '../support/keyrings.js';
import { KEY, OUTCOMES, RATE } from '../support/outcomes.js';
import { options } from '../support/stores.js';

const TOKEN = mintKeyString('test').keyString;
const NEEDED = ['plan:read', 'plan:create'];

/** A verifier that returns `verdict`, or throws it, and records its calls. */
function answering(verdict: Verdict | Error): KeyVerifier & { asked: unknown[][] } {
  const asked: unknown[][] = [];
  return {
    asked,
    async verify(...question) {
      asked.push(question);
      if (verdict instanceof Error) throw verdict;
      return verdict;
    },
  };
}

async function real(more: Partial<VerifierOptions> = {}): Promise<{ keyring: Keyring; verifier: Verifier }> {
  const keyring = await freshKeyring('libsql');
  const store = await openStore(keyring.location, options('libsql', { create: false }));
  const verifier = new Verifier(store, { environment: 'test', ...more });
  onTestFinished(() => verifier.close().catch(() => {}));
  return { keyring, verifier };
}

/** The same key id with another secret and a correct checksum. */
function forged(keyString: string): string {
  const body = `${keyString.slice(0, 23)}${mintKeyString('test').secret}`;
  return body + checksum(body);
}

/** A response without what differs every time. */
function seen({ status, headers: { date, ...headers }, text }: Reply): unknown {
  return { status, headers, text };
}

function expectRefusal(reply: Reply, outcome: RequestVerdict, scopes: readonly string[]): void {
  const expected = responseFor(outcome, scopes);
  if (expected.ok) throw new Error('no refusal');
  expect(reply.status).toBe(expected.status);
  for (const [name, value] of Object.entries(expected.headers)) expect(reply.headers[name.toLowerCase()]).toBe(value);
  expect(JSON.parse(reply.text)).toEqual(expected.body);
}

describe.each(FRAMEWORK_NAMES)('inside %s', (framework) => {
  const verdicts = OUTCOMES.map(({ outcome }) => outcome).filter(
    (outcome): outcome is Verdict => !['missing', 'invalid_request', 'unavailable'].includes(outcome.verdict),
  );

  test.each(
    verdicts,
  )('$verdict: the adapter answers, not the route, after one call of the verifier', async (verdict) => {
    const verifier = answering(verdict);
    const call = await serve(framework, verifier, { '/': [{ scopes: NEEDED }] }, () => expect.unreachable());
    expectRefusal(await call({ fields: [bearer(TOKEN)] }), verdict, NEEDED);
    expect(verifier.asked).toEqual([[TOKEN, { scopes: NEEDED }]]);
    const post = await call({ method: 'POST', fields: [bearer(TOKEN), ['Content-Length', '0']] });
    expectRefusal(post, verdict, NEEDED);
    if (framework === 'web') return;
    expect(await call({ method: 'HEAD', fields: [bearer(TOKEN)] })).toMatchObject({ status: post.status, text: '' });
  });

  test('valid: the route gets the key, after one call of the verifier, and the response has the rate limit headers', async () => {
    const verifier = answering({ verdict: 'valid', key: KEY, rate: RATE });
    const call = await serve(framework, verifier, { '/': [{ scopes: NEEDED }] }, (key) => ({ is: key?.id }));
    const { status, headers, text } = await call({ fields: [['X-Note', 'authorization'], bearer(TOKEN)] });
    expect({ status, text }).toEqual({ status: 200, text: `{"is":"${KEY.id}"}` });
    expect(headers).toMatchObject({ 'ratelimit-policy': '"default";q=600;w=60', ratelimit: '"default";r=599;t=1' });
    expect(headers['content-type']).toMatch(/^application\/json/);
    expect(verifier.asked).toEqual([[TOKEN, { scopes: NEEDED }]]);
  });

  test('without limits there are no rate limit headers', async () => {
    const call = await serve(framework, answering({ verdict: 'valid', key: KEY }), { '/': [{}] });
    const { status, headers } = await call({ fields: [bearer(TOKEN)] });
    expect(status).toBe(200);
    expect(Object.keys(headers).filter((name) => name.startsWith('ratelimit'))).toEqual([]);
  });

  test.each([
    ['no header', []],
    ['another scheme', [['Authorization', 'Basic dXNlcjpwYXNz']]],
    ['an empty header', [['Authorization', '']]],
    ['the bare key', [['Authorization', TOKEN]]],
    ['X-API-Key alone', [['X-API-Key', TOKEN]]],
    [
      'X-API-Key beside another scheme',
      [
        ['X-API-Key', TOKEN],
        ['Authorization', 'Basic dXNlcjpwYXNz'],
      ],
    ],
  ] as const)('%s: missing, and the verifier is not called', async (_, fields) => {
    const verifier = answering({ verdict: 'valid', key: KEY });
    const call = await serve(framework, verifier, { '/': [{}] }, () => expect.unreachable());
    expectRefusal(await call({ fields }), { verdict: 'missing' }, []);
    expectRefusal(await call({ fields, path: `/?access_token=${TOKEN}` }), { verdict: 'missing' }, []);
    expect(verifier.asked).toEqual([]);
  });

  test.each([
    ['the same field twice', '/', [bearer(TOKEN), bearer(TOKEN)]],
    ['the field twice, in different case', '/', [bearer(TOKEN), ['aUTHORIZATION', 'Bearer x']]],
    ['the field twice, first another scheme', '/', [['Authorization', 'Basic dXNlcjpwYXNz'], bearer(TOKEN)]],
    ['the field twice, then another scheme', '/', [bearer(TOKEN), ['Authorization', 'Basic dXNlcjpwYXNz']]],
    ['the field twice, the last one empty', '/', [bearer(TOKEN), ['Authorization', '']]],
    ['two keys in one field', '/', [['Authorization', `Bearer ${TOKEN}, Bearer ${TOKEN}`]]],
    ['the scheme twice', '/', [['Authorization', `Bearer Bearer ${TOKEN}`]]],
    ['no token', '/', [['Authorization', 'Bearer']]],
    ['a tab', '/', [['Authorization', `Bearer\t${TOKEN}`]]],
    ['a byte above ASCII', '/', [['Authorization', `Bearer ${TOKEN}\u00ff`]]],
    ['X-API-Key besides', '/', [bearer(TOKEN), ['X-API-Key', TOKEN]]],
    ['an empty X-API-Key besides', '/', [['x-api-key', ''], bearer(TOKEN)]],
    ['access_token besides', `/?a=b&access_token=${TOKEN}`, [bearer(TOKEN)]],
    ['access_token besides, escaped', `/?access%5ftoken=${TOKEN}`, [bearer(TOKEN)]],
  ] as const)('%s: refused, and the verifier is not called', async (_, path, fields) => {
    const verifier = answering({ verdict: 'valid', key: KEY });
    const call = await serve(framework, verifier, { '/': [{}] }, () => expect.unreachable());
    expectRefusal(await call({ path, fields }), { verdict: 'invalid_request' }, []);
    expect(verifier.asked).toEqual([]);
  });

  test.each([
    new KeysError('store_busy', 'too many keys wait to be proven'),
    new KeysError('store_unavailable', 'no answer from the store at /secret/place'),
    new KeysError('unauthorized', 'the token was refused'),
    new TypeError('a fault of a limiter of somebody’s own'),
  ])('%s: the client gets 503, the server gets the reason', async (error) => {
    const told: unknown[] = [];
    const gates = [{ scopes: NEEDED, onUnavailable: (reason: unknown) => void told.push(reason) }];
    const call = await serve(framework, answering(error), { '/': gates }, () => expect.unreachable());
    const reply = await call({ fields: [bearer(TOKEN)] });
    expectRefusal(reply, { verdict: 'unavailable' }, NEEDED);
    expect(reply.text).not.toContain(error.message);
    expect(told).toEqual([error]);
  });

  test('a verifier that throws synchronously, or returns an unknown verdict, admits nobody', async () => {
    const throwing: KeyVerifier = {
      verify() {
        throw new Error('at once');
      },
    };
    for (const verifier of [throwing, answering({ verdict: 'fine', key: KEY } as never)]) {
      const call = await serve(framework, verifier, { '/': [{}] }, () => expect.unreachable());
      expectRefusal(await call({ fields: [bearer(TOKEN)] }), { verdict: 'unavailable' }, []);
    }
  });

  test('protect() throws for a scope that is not well-formed', async () => {
    for (const scopes of [['plan:*'], [''], ['Plan:read'], ['plan:read plan:create'], 'plan:read' as never])
      await expect(serve(framework, answering(new Error()), { '/': [{ scopes }] })).rejects.toMatchObject({
        code: 'usage',
      });
  });

  test('with a real store: a key passes only routes whose scopes it has, and only in the Authorization header', async () => {
    const { keyring, verifier } = await real({ rateLimit: 'off' });
    const all = ['checkin:read', 'plan:read', 'facility:read'];
    const subsets = Array.from({ length: 8 }, (_, bits) => all.filter((_scope, index) => bits & (1 << index)));
    const routes = Object.fromEntries(subsets.map((scopes, index) => [`/${index}`, [{ scopes }]]));
    const call = await serve(framework, verifier, routes);
    for (const [holder, scopes] of subsets.entries()) {
      if (scopes.length === 0) continue;
      const { key, keyString } = await make(keyring, `key ${holder}`, { scopes });
      for (const [route, needed] of subsets.entries()) {
        const path = `/${route}`;
        const reply = await call({ path, fields: [bearer(keyString)] });
        const missingScopes = needed.filter((scope) => !scopes.includes(scope));
        if (missingScopes.length > 0) expectRefusal(reply, { verdict: 'missing_scope', key, missingScopes }, needed);
        else expect(reply).toMatchObject({ status: 200, text: JSON.stringify({ id: key.id }) });
        const other = [['X-API-Key', keyString]] as const;
        expect((await call({ path, fields: other })).status).toBe(401);
        expect((await call({ path: `${path}?access_token=${keyString}` })).status).toBe(401);
        expect((await call({ path, fields: [...other, bearer(keyString)] })).status).toBe(400);
      }
    }
  });

  test('with a real store: every wrong key gets the same response, byte for byte', async () => {
    const { keyring, verifier } = await real();
    const { keyString } = await make(keyring, 'a');
    const call = await serve(framework, verifier, { '/': [{ scopes: ['checkin:read'] }] });
    const unknown = await call({ fields: [bearer(TOKEN)] });
    expectRefusal(unknown, { verdict: 'invalid' }, []);
    const live = mintKeyString('live').keyString;
    for (const wrong of [
      forged(keyString),
      live,
      keyString.slice(0, -1),
      keyString.toUpperCase(),
      `${keyString}=`,
      'x',
    ])
      expect(seen(await call({ fields: [bearer(wrong)] }))).toEqual(seen(unknown));
  });

  test('with a real store: disabled, enabled, rate limited, deleted, store closed', async () => {
    const { keyring, verifier } = await real();
    const { key, keyString } = await make(keyring, 'a', { rateLimit: { limit: 2, windowSeconds: 86_400 } });
    const call = await serve(framework, verifier, { '/': [{ scopes: ['checkin:read'] }] });
    const status = async () => (await call({ fields: [bearer(keyString)] })).status;
    expect((await call({ fields: [bearer(keyString)] })).headers.ratelimit).toMatch(/^"default";r=1;t=4(3200|3199)$/);
    await keyring.disable('a');
    expectRefusal(await call({ fields: [bearer(keyString)] }), { verdict: 'inactive', key }, []);
    await keyring.enable('a');
    expect(await status()).toBe(200);
    const used = await call({ fields: [bearer(keyString)] });
    expect(used).toMatchObject({ status: 429, headers: { 'ratelimit-policy': '"default";q=2;w=86400' } });
    expect(used.headers.ratelimit).toBe(`"default";r=0;t=${used.headers['retry-after']}`);
    await keyring.delete('a');
    expect(await status()).toBe(401);
    await verifier.close();
    expect(await status()).toBe(503);
  });

  test('with a real store: a request through several gates counts once, and each gate checks its own scopes', async () => {
    const { keyring, verifier } = await real();
    const { keyString } = await make(keyring, 'a', { rateLimit: { limit: 3, windowSeconds: 86_400 } });
    const gates = [{}, { scopes: ['checkin:read'] }, {}];
    const call = await serve(framework, verifier, { '/': gates, '/plans': [...gates, { scopes: ['plan:read'] }] });
    const one = await call({ fields: [bearer(keyString)] });
    expect(one).toMatchObject({ status: 200, headers: { ratelimit: expect.stringMatching(/^"default";r=2;/) } });
    const two = await call({ path: '/plans', fields: [bearer(keyString)] });
    expect(two).toMatchObject({ status: 403 });
    expect(two.headers['www-authenticate']).toContain('scope="plan:read"');
    const three = await call({ fields: [bearer(keyString)] });
    expect(three.headers.ratelimit).toMatch(/^"default";r=0;/);
    expect((await call({ fields: [bearer(keyString)] })).status).toBe(429);
  });
});
