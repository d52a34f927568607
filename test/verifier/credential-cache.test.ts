import { expect, test } from 'vitest';
import { DataVersionCredentialCache } from '../../src/verifier/credential-cache.js';
import { change, DEFAULT_ENGINE, freshStore, newKey } from '../support/stores.js';

test('a cache by version gives the same answer until another connection changes something', async () => {
  const store = await freshStore(DEFAULT_ENGINE);
  const [
    {
      key: { id },
    } = { key: { id: '' } },
  ] = await store.create([newKey('a')], change());
  const cache = new DataVersionCredentialCache(store);
  const first = await cache.credential(id);
  expect(cache.credential(id)).toBe(first);
  expect(await cache.credential('unknown')).toBeNull();
  await (await freshStore(DEFAULT_ENGINE, store.location)).setStatus(id, 'inactive', change());
  expect((await cache.credential(id))?.key.status).toBe('inactive');
});

test('an answer from before a change does not take the place of one that another call got after it', async () => {
  const store = await freshStore(DEFAULT_ENGINE);
  const row = newKey('a');
  await store.create([row], change());
  const elsewhere = await freshStore(DEFAULT_ENGINE, store.location);
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  let slow = true;
  /** The same store, whose first answer comes late. */
  const late = new Proxy(store, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name, target);
      if (name !== 'credential') return typeof value === 'function' ? value.bind(target) : value;
      return async (id: string) => {
        const waits = slow;
        slow = false;
        const found = await target.credential(id);
        if (waits) await released;
        return found;
      };
    },
  });
  const cache = new DataVersionCredentialCache(late);
  const first = cache.credential(row.id);
  await store.credential(row.id); // the first answer is read by now
  await elsewhere.setStatus(row.id, 'inactive', change());
  expect((await cache.credential(row.id))?.key.status).toBe('inactive');
  release();
  expect((await first)?.key.status).toBe('active');
  expect((await cache.credential(row.id))?.key.status).toBe('inactive');
});

test('ids that are not there take no place', async () => {
  const store = await freshStore(DEFAULT_ENGINE);
  const row = newKey('a');
  await store.create([row], change());
  const cache = new DataVersionCredentialCache(store);
  const first = await cache.credential(row.id);
  for (let i = 0; i < 10_000; i++) expect(await cache.credential(`unknown ${i}`)).toBeNull();
  expect(cache.credential(row.id)).toBe(first);
});
