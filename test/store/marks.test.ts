import { describe, expect, test } from 'vitest';
import { change, ENGINES, freshStore, markUsed, newKey, rawDatabase, START } from '../support/stores.js';

const YEAR = 365 * 86_400_000;

describe.each(ENGINES)('last-used times, on %s', (engine) => {
  const lastUsed = async (store: Awaited<ReturnType<typeof freshStore>>, id: string) =>
    (await store.credential(id))?.key.lastUsedAt?.getTime() ?? 0;

  test('are never later than the clock of the store', async () => {
    const store = await freshStore(engine);
    const row = newKey('a');
    await store.create([row], change());
    await markUsed(store, [{ id: row.id, at: new Date(Date.now() + 10 * YEAR) }]);
    expect(await lastUsed(store, row.id)).toBeGreaterThan(START.getTime() - YEAR);
    expect(await lastUsed(store, row.id)).toBeLessThanOrEqual(Date.now() + 1000);
    const before = await lastUsed(store, row.id);
    await markUsed(store, [{ id: row.id, at: new Date(before - YEAR) }]);
    expect(await lastUsed(store, row.id)).toBe(before);
  });

  test('one in the future is found by doctor, and set to now by the next use of any key', async () => {
    const store = await freshStore(engine);
    const [used, unused] = [newKey('used'), newKey('unused')];
    await store.create([used, unused], change());
    const ahead = async () => (await store.check()).find(({ check }) => check === 'last-used times');
    expect(await ahead()).toMatchObject({ status: 'ok', hint: null });
    const db = await rawDatabase(store.location, engine);
    await db.exec(`update key_usage set last_used_at = ${Date.now() + 10 * YEAR}`);
    expect(await ahead()).toMatchObject({ status: 'warning', detail: expect.stringMatching(/^2 in the future/) });
    await markUsed(store, [{ id: used.id, at: new Date() }]);
    expect(await ahead()).toMatchObject({ status: 'ok' });
    for (const { id } of [used, unused]) expect(await lastUsed(store, id)).toBeLessThanOrEqual(Date.now() + 1000);
    expect((await store.check()).filter(({ status }) => status === 'failed')).toEqual([]);
  });
});
