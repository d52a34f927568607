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
