import { describe, expect, onTestFinished, test } from 'vitest';
import { openStore } from '../../src/store/open.js';
import { change, ENGINES, freshStore, newKey, options, rawDatabase, START } from '../support/stores.js';

describe.each(ENGINES)('rate limits counted in the store, on %s', (engine) => {
  const LIMIT = { limit: 10, windowSeconds: 3600 };

  test('let exactly the limit through, whoever asks, and say when to try again', async () => {
    const store = await freshStore(engine);
    const key = newKey('a', { rateLimit: LIMIT });
    await store.create([key, newKey('b')], change());
    const others = await Promise.all(
      Array.from({ length: 3 }, async () => {
        const other = await openStore(store.location, options(engine, { create: false, durable: false }));
        onTestFinished(() => other.close().catch(() => {}));
        return other;
      }),
    );
    const decisions = await Promise.all(
      Array.from({ length: 30 }, (_, i) => (others[i % 3] ?? store).admit(key.id, LIMIT)),
    );
    const admitted = decisions.filter((each) => each.admitted);
    expect(admitted).toHaveLength(10);
    expect(admitted.map(({ rate }) => rate.remaining).sort((x, y) => x - y)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    for (const each of decisions) {
      if (each.admitted) continue;
      expect(each.retryAfterMs).toBeGreaterThan(0);
      expect(each.retryAfterMs).toBeLessThanOrEqual(360_000);
      expect(each.rate).toMatchObject({ ...LIMIT, remaining: 0 });
    }
    expect(await store.admit((await store.candidates({ name: 'b', limit: 1 }))[0]?.id ?? '', LIMIT)).toMatchObject({
      admitted: true,
      rate: { remaining: 9 },
    });
  });

  test('start anew where the clock was set back, and where the time has passed', async () => {
    const store = await freshStore(engine);
    const key = newKey('a');
    await store.create([key], change());
    const db = await rawDatabase(store.location, engine);
    for (let i = 0; i < 10; i++) await store.admit(key.id, LIMIT);
    expect((await store.admit(key.id, LIMIT)).admitted).toBe(false);
    await db.exec('update key_rates set whole_at = whole_at + 8000000');
    expect(await store.admit(key.id, LIMIT)).toMatchObject({ admitted: true, rate: { remaining: 9 } });
    await db.exec('update key_rates set whole_at = 5');
    expect(await store.admit(key.id, LIMIT)).toMatchObject({ admitted: true, rate: { remaining: 9 } });
  });

  test('leave no audit row, go with their key, and follow an edited limit', async () => {
    const store = await freshStore(engine);
    const key = newKey('a');
    await store.create([key], change());
    const head = await store.audit.head();
    for (let i = 0; i < 3; i++) await store.admit(key.id, LIMIT);
    expect(await store.audit.head()).toEqual(head);
    expect(await store.admit(key.id, { limit: 2, windowSeconds: 3600 })).toMatchObject({ admitted: true });
    expect(await store.admit(key.id, { limit: 2, windowSeconds: 3600 })).toMatchObject({ admitted: false });
    await store.delete(key.id, change(START));
    const db = await rawDatabase(store.location, engine);
    expect(await db.all('select * from key_rates')).toEqual([]);
    await expect(store.admit(key.id, LIMIT)).rejects.toMatchObject({ code: 'store_unavailable' });
  });
});
