import { describe, expect, test } from 'vitest';
import { change, ENGINES, freshStore, keyringOver, newKey, START } from '../support/stores.js';

const days = (n: number) => new Date(START.getTime() + n * 86_400_000);

describe.each(ENGINES)('the expiry of a key, on %s', (engine) => {
  test('an edit moves it nearer, never away, and the log has it', async () => {
    const store = await freshStore(engine);
    const [{ key: endless } = {}, { key: ending } = {}] = await store.create(
      [newKey('endless'), newKey('ending', { expiresAt: days(30) })],
      change(),
    );
    if (!endless || !ending) throw new Error('nothing was made');
    const keyring = keyringOver(store);
    expect((await keyring.edit('endless', { expires: '10d' })).key.expiresAt).toEqual(days(10));
    expect((await keyring.edit(ending, { expiresAt: days(20) })).key.expiresAt).toEqual(days(20));
    expect((await keyring.edit('ending', { expiresAt: days(20), expires: undefined })).changed).toBe(false);
    for (const later of [{ expiresAt: days(21) }, { expiresAt: null }, { expires: 'never' }])
      await expect(keyring.edit('ending', later)).rejects.toMatchObject({
        code: 'conflict',
        hint: expect.stringContaining(`unlockos-keys rotate ${ending.id} --expires `),
      });
    for (const wrong of [{ expiresAt: START }, { expires: '10d', expiresAt: days(1) }, { expires: 'soon' }])
      await expect(keyring.edit('ending', wrong)).rejects.toMatchObject({ code: 'usage' });
    expect((await keyring.show('ending')).expiresAt).toEqual(days(20));
    expect(await keyring.auditList({ action: 'key.edit' })).toMatchObject([
      { before: { expiresAt: null }, after: { expiresAt: days(10).toISOString() } },
      { before: { expiresAt: days(30).toISOString() }, after: { expiresAt: days(20).toISOString() } },
    ]);
    expect((await keyring.auditVerify()).problems).toEqual([]);
  });
});
