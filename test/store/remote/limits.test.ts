import { describe, expect, onTestFinished, test } from 'vitest';
import { openStore } from '../../../src/store/open.js';
import { input } from '../../support/keyrings.js';
import { change, freshStore, keyringOver, newKey, options, START } from '../../support/stores.js';

describe('one change of a remote store', () => {
  test('more than one answer can tell of is refused, and nothing of it is made; as much as is allowed is made', async () => {
    const three = await freshStore('sqld');
    await three.create(
      ['a', 'b', 'c'].map((name) => newKey(name)),
      change(),
    );
    const patient = options('sqld', { timeoutMs: 60_000, create: false }); // so much takes a busy server more than the default
    const store = await openStore(three.location, patient);
    onTestFinished(() => store.close());
    const wide = (count: number) =>
      Array.from({ length: count }, (_, i) => newKey(`wide ${i}`, { description: '\u8aac'.repeat(500) }));
    await expect(store.create(wide(2501), change())).rejects.toMatchObject({ code: 'usage' });
    await expect(
      store.prospect(
        wide(834).map(({ name: each }) => each),
        null,
      ),
    ).rejects.toMatchObject({ code: 'usage' });
    expect((await store.list({ now: START })).keys).toHaveLength(3);
    expect(await store.create(wide(2500), change())).toHaveLength(2500);
    expect((await store.list({ now: START })).keys).toHaveLength(2503);
  });

  test('as many keys as can be created at once can be finished by their operation id, however wide they are', async () => {
    const { location } = await freshStore('sqld');
    const store = await openStore(location, options('sqld', { timeoutMs: 60_000, create: false }));
    onTestFinished(() => store.close());
    const keyring = keyringOver(store);
    const labels = Object.fromEntries(Array.from({ length: 32 }, (_, i) => [`${'l'.repeat(60)}${i}`, 'v'.repeat(60)]));
    const more = { description: '\u8aac'.repeat(500), labels, scopes: ['checkin:*', 'plan:*'] };
    const inputs = Array.from({ length: 833 }, (_, i) => input(`wide ${i}`, more));
    const first = await keyring.create(inputs, { operationId: 'bulk-of-widest' });
    const again = await keyring.create(inputs, { operationId: 'bulk-of-widest' });
    expect(again.map(({ replaced }) => replaced?.id)).toEqual(first.map(({ key }) => key.id));
    expect(await store.count({ now: START })).toBe(833);
    await expect(keyring.create([...inputs, input('one more')], {})).rejects.toMatchObject({ code: 'usage' });
  });
});
