import { describe, expect, test } from 'vitest';
import { RemoteCredentialCache } from '../../src/verifier/remote-credential-cache.js';
import { change, DEFAULT_ENGINE, freshStore, newKey } from '../support/stores.js';

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
      expect(ends.at(-1)).toMatchObject({
        reason: {
          code: 'store_busy',
          message: expect.stringContaining('(256)'),
          hint: expect.stringContaining('again'),
        },
      });
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
