import { describe, expect, test } from 'vitest';
import { change, ENGINES, freshStore, newKey, START } from '../support/stores.js';

const days = (n: number) => new Date(START.getTime() + n * 86_400_000);

describe.each(ENGINES)('counting the keys, on %s', (engine) => {
  test('by mode, status and expiry; zero where there is none', async () => {
    const store = await freshStore(engine);
    const nothing = { keys: { active: 0, inactive: 0, expired: 0 }, expiringWithin: { 7: 0, 14: 0, 30: 0 } };
    expect(await store.census(START)).toEqual({
      live: { ...nothing, nextExpiry: null },
      test: { ...nothing, nextExpiry: null },
    });
    const live = (name: string, expiresAt: Date | null = null) => newKey(name, { mode: 'live', expiresAt });
    await store.create(
      [
        live('a', days(1)),
        live('b', days(7)),
        live('c', days(14)),
        live('d', days(31)),
        live('e'),
        live('off', days(2)),
      ],
      change(),
    );
    await store.create([newKey('t', { expiresAt: days(10) })], change());
    const off = (await store.list({ search: 'off', now: START })).keys[0];
    await store.setStatus(off?.id ?? '', 'inactive', change());
    expect(await store.census(START)).toEqual({
      live: {
        keys: { active: 5, inactive: 1, expired: 0 },
        expiringWithin: { 7: 2, 14: 3, 30: 3 },
        nextExpiry: days(1),
      },
      test: {
        keys: { active: 1, inactive: 0, expired: 0 },
        expiringWithin: { 7: 0, 14: 1, 30: 1 },
        nextExpiry: days(10),
      },
    });
    const { live: later } = await store.census(days(7));
    expect(later).toMatchObject({ keys: { active: 3, expired: 2 }, expiringWithin: { 7: 1 }, nextExpiry: days(14) });
    expect((await store.census(days(40))).live.nextExpiry).toBeNull();
  });
});
