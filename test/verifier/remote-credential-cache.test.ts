import { describe, expect, test } from 'vitest';
import { mintKeyString } from '../../src/domain/key-string.js';
import { RemoteCredentialCache } from '../../src/verifier/remote-credential-cache.js';
import { make } from '../support/keyrings.js';
import { change, DEFAULT_ENGINE, freshStore, newKey } from '../support/stores.js';
import { behindProxy, scene, verdictOf, verifierAt } from '../support/verifiers.js';

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

/** A cache over a local store: what it remembers does not depend on the engine. */
async function timed(maxStaleMs: number) {
  const store = await freshStore(DEFAULT_ENGINE);
  const clock = { now: 1_000_000 };
  const cache = new RemoteCredentialCache(store, maxStaleMs, () => ({ wall: clock.now, real: clock.now }));
  const statusOf = async (id: string) => (await cache.credential(id))?.key.status ?? null;
  return { store, clock, cache, statusOf };
}

describe('over any store', () => {
  test('gives what it read for maxStaleMs, counted from the question', async () => {
    const { store, clock, cache, statusOf } = await timed(1000);
    const [
      {
        key: { id },
      } = { key: { id: '' } },
    ] = await store.create([newKey('a')], change());
    const reading = cache.credential(id);
    clock.now += 400;
    expect((await reading)?.key.status).toBe('active');
    await store.setStatus(id, 'inactive', change());
    expect(cache.credential(id)).not.toBeInstanceOf(Promise);
    clock.now += 600;
    expect(await statusOf(id)).toBe('active');
    clock.now += 1;
    expect(await statusOf(id)).toBe('inactive');
  });

  test('remembers nothing of a key with 0', async () => {
    const { store, statusOf } = await timed(0);
    const [
      {
        key: { id },
      } = { key: { id: '' } },
    ] = await store.create([newKey('a')], change());
    for (const status of ['inactive', 'active', 'inactive'] as const) {
      await store.setStatus(id, status, change());
      expect(await statusOf(id)).toBe(status);
    }
    await store.delete(id, change());
    expect(await statusOf(id)).toBeNull();
  });

  test('an id that is not there is not there for a second', async () => {
    const { store, clock, cache, statusOf } = await timed(60_000);
    const row = newKey('a');
    expect(await statusOf(row.id)).toBeNull();
    await store.create([row], change());
    expect(cache.credential(row.id)).toBeNull();
    clock.now += 999;
    expect(cache.credential(row.id)).toBeNull();
    clock.now += 1;
    expect(await statusOf(row.id)).toBe('active');
  });

  test('an id that is not there is asked for again after a second, and may be gone again', async () => {
    const { store, clock, statusOf } = await timed(1000);
    const row = newKey('a');
    expect(await statusOf(row.id)).toBeNull();
    await store.create([row], change());
    clock.now += 1000;
    expect(await statusOf(row.id)).toBe('active');
    await store.delete(row.id, change());
    expect(await statusOf(row.id)).toBe('active');
    clock.now += 1001;
    expect(await statusOf(row.id)).toBeNull();
  });

  test('asks for 256 ids at once that nobody has seen, and for every one that was there', async () => {
    const { store, cache } = await timed(0);
    const [
      {
        key: { id },
      } = { key: { id: '' } },
    ] = await store.create([newKey('a')], change());
    await cache.credential(id);
    for (let round = 0; round < 2; round++) {
      const made = Array.from({ length: 300 }, () => newKey('x').id);
      const asked = Promise.allSettled(made.map((each) => cache.credential(each)));
      expect((await cache.credential(id))?.key.id).toBe(id);
      const ends = await asked;
      expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(256);
      expect(ends.at(-1)).toMatchObject({ reason: { code: 'store_busy' } });
    }
  });

  test('forgets the oldest of ten thousand ids', async () => {
    const { store, statusOf } = await timed(1000);
    const row = newKey('a');
    expect(await statusOf(row.id)).toBeNull();
    await store.create([row], change());
    for (let i = 1; i < 10_000; i++) await statusOf(`unknown ${i}`);
    expect(await statusOf(row.id)).toBeNull();
    await statusOf('one more');
    expect(await statusOf(row.id)).toBe('active');
  });
});
