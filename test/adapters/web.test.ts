import { expect, test } from 'vitest';
import { protect } from '../../src/adapters/web.js';
import { mintKeyString } from '../../src/domain/key-parts.js';
import type { KeyVerifier } from '../../src/http/types.js';
import { KEY } from '../support/outcomes.js';

const [ONE, OTHER] = [mintKeyString('test').keyString, mintKeyString('test').keyString];

function counting(): KeyVerifier & { asked: unknown[] } {
  const asked: unknown[] = [];
  return {
    asked,
    async verify(keyString) {
      asked.push(keyString);
      return keyString === ONE ? { verdict: 'valid', key: KEY } : { verdict: 'invalid' };
    },
  };
}

const request = () => new Request('https://api.example/plans', { headers: { Authorization: `Bearer ${ONE}` } });

test('verifies each request once', async () => {
  const verifier = counting();
  const [first, second] = [protect(verifier), protect(verifier, { scopes: ['plan:read'] })];
  const one = request();
  expect(await first(one)).toEqual({ ok: true, key: KEY, headers: {} });
  expect(await second(one)).toEqual({ ok: true, key: KEY, headers: {} });
  expect(verifier.asked).toEqual([ONE]);
  expect(await second(request())).toMatchObject({ ok: true });
  expect(verifier.asked).toEqual([ONE, ONE]);
});

test('verifies a request again if its header has changed', async () => {
  const verifier = counting();
  const pass = protect(verifier);
  const changed = request();
  await pass(changed);
  changed.headers.set('Authorization', `Bearer ${OTHER}`);
  expect(await pass(changed)).toMatchObject({ ok: false, response: { status: 401 } });
  changed.headers.append('Authorization', `Bearer ${ONE}`);
  expect(await pass(changed)).toMatchObject({ ok: false, response: { status: 400 } });
  changed.headers.delete('Authorization');
  expect(await pass(changed)).toMatchObject({ ok: false, response: { status: 401 } });
  expect(verifier.asked).toEqual([ONE, OTHER]);
});

test('each verifier decides for itself', async () => {
  const refusing: KeyVerifier = { verify: async () => ({ verdict: 'invalid' }) };
  const one = request();
  expect(await protect(counting())(one)).toMatchObject({ ok: true });
  expect(await protect(refusing)(one)).toMatchObject({ ok: false, response: { status: 401 } });
});

test('does not cache a refusal', async () => {
  let verdicts = 0;
  const verifier: KeyVerifier = {
    verify: async () => (verdicts++ === 0 ? { verdict: 'invalid' } : { verdict: 'valid', key: KEY }),
  };
  const [pass, one] = [protect(verifier), request()];
  expect(await pass(one)).toMatchObject({ ok: false });
  expect(await pass(one)).toMatchObject({ ok: true });
});

test('later changes of the scopes array have no effect', async () => {
  const scopes = ['plan:read', 'plan:create'];
  const verifier: KeyVerifier = {
    verify: async (_, needs) => ({ verdict: 'missing_scope', key: KEY, missingScopes: [...(needs?.scopes ?? [])] }),
  };
  const pass = protect(verifier, { scopes });
  scopes.pop();
  const answer = await pass(request());
  expect(!answer.ok && answer.response.headers.get('WWW-Authenticate')).toContain('scope="plan:read plan:create"');
});
