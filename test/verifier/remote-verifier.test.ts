import { describe, expect, test } from 'vitest';
import { mintKeyString } from '../../src/domain/key-parts.js';
import { make } from '../support/keyrings.js';
import { TOKENS } from '../support/sqld.js';
import { behindProxy, scene, verdictOf, verifierAt } from '../support/verifiers.js';

describe('a verifier on a remote store', () => {
  test('verifies with a read-only token, without last-used times', async () => {
    const { keyring, clock } = await scene('sqld');
    const { keyString } = await make(keyring, 'a');
    const verifier = await verifierAt(keyring, 'sqld', clock, { token: TOKENS.readOnly });
    expect(await verdictOf(verifier, keyString)).toBe('valid');
    await verifier.close();
    expect((await keyring.show('a')).lastUsedAt).toBeNull();
  });

  test('sends no query for a malformed key string', async () => {
    const { keyring, proxy, verifier } = await behindProxy();
    const { keyString } = await make(keyring, 'a');
    const before = proxy.requests;
    const wrong = keyString ?? '';
    for (let i = 0; i < wrong.length; i++) {
      const changed = wrong.slice(0, i) + (wrong[i] === 'x' ? 'y' : 'x') + wrong.slice(i + 1);
      expect(await verdictOf(verifier, changed), changed).toBe('invalid');
    }
    expect(proxy.requests).toBe(before);
    await verifier.verify(keyString);
    for (let i = 0; i < wrong.length; i++) {
      const changed = wrong.slice(0, i) + (wrong[i] === 'x' ? 'y' : 'x') + wrong.slice(i + 1);
      expect(await verdictOf(verifier, changed), changed).toBe('invalid');
    }
    expect(verifier.counters.bcrypt).toBe(1);
  });

  test('rejects while the server is down, and verifies when it is up again', async () => {
    const { keyring, proxy, verifier } = await behindProxy();
    const { keyString } = await make(keyring, 'a');
    await verifier.verify(keyString);
    await proxy.refuse();
    await expect(verifier.verify(keyString)).rejects.toMatchObject({ code: 'store_unavailable' });
    await proxy.listen();
    expect(await verdictOf(verifier, keyString)).toBe('valid');
  });

  test('with maxStaleMs, a disabled key works that long and no longer', async () => {
    const { keyring, clock } = await scene('sqld');
    const { keyString } = await make(keyring, 'a');
    const verifier = await verifierAt(keyring, 'sqld', clock, { maxStaleMs: 1000 });
    expect(await verdictOf(verifier, keyString)).toBe('valid');
    await keyring.disable('a');
    clock.now += 1000;
    expect(await verdictOf(verifier, keyString)).toBe('valid');
    clock.now += 1;
    expect(await verdictOf(verifier, keyString)).toBe('inactive');
  });

  test('sends one query per call, and none for an id that was unknown less than a second ago', async () => {
    const { keyring, clock, proxy, verifier } = await behindProxy();
    const { keyString } = await make(keyring, 'a');
    const unknown = mintKeyString('test').keyString;
    await verifier.verify(keyString); // proves the secret, and asks again
    const before = proxy.requests;
    await verifier.verify(keyString);
    expect(proxy.requests).toBe(before + 1);
    for (let i = 0; i < 5; i++) expect(await verdictOf(verifier, unknown)).toBe('invalid');
    expect(proxy.requests).toBe(before + 2);
    clock.now += 1000;
    expect(await verdictOf(verifier, unknown)).toBe('invalid');
    expect(proxy.requests).toBe(before + 3);
  });

  test('limits concurrent queries for made-up ids; a known key is not delayed', async () => {
    const { keyring, proxy, verifier } = await behindProxy(60_000); // hundreds of answers through one proxy
    const { keyString } = await make(keyring, 'a');
    await verifier.verify(keyString);
    const before = proxy.requests;
    const flood = Promise.allSettled(
      Array.from({ length: 2000 }, () => verifier.verify(mintKeyString('test').keyString)),
    );
    expect(await verdictOf(verifier, keyString)).toBe('valid');
    const ends = await flood;
    for (const end of ends)
      expect(end).toMatchObject(
        end.status === 'fulfilled' ? { value: { verdict: 'invalid' } } : { reason: { code: 'store_busy' } },
      );
    expect(proxy.requests - before).toBeLessThanOrEqual(257);
  });
});
