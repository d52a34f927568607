import { describe, expect, test, vi } from 'vitest';
import { underFakeTime } from '../support/fake-time.js';
import type { RawDatabase } from '../support/raw-database.js';
import { LOCAL_ENGINES } from '../support/stores.js';

const LIMIT = { limit: 1000, windowSeconds: 3600 };

describe.each(LOCAL_ENGINES)('limits that are counted in the store, on %s', (engine) => {
  const modules = underFakeTime(async () => ({
    ...(await import('../../src/verifier/shared-limiter.js')),
    stores: await import('../support/stores.js'),
  }));

  /** A limiter over a real store, and another connection that can hold the lock. */
  async function scene() {
    const { SharedLimiter, stores } = modules();
    const store = await stores.freshStore(engine);
    const key = stores.newKey('a', { rateLimit: LIMIT });
    await store.create([key], stores.change());
    const other: RawDatabase = await stores.rawDatabase(store.location, engine);
    const admit = store.admit.bind(store);
    let attempts = 0;
    /** What comes after an answer of the store, before the limiter gets it. */
    let afterwards: () => Promise<unknown> = async () => {};
    store.admit = async (...given) => {
      attempts += 1;
      try {
        return await admit(...given);
      } finally {
        await afterwards();
      }
    };
    const limiter = new SharedLimiter(store);
    return {
      id: key.id,
      ask: (id = key.id) => limiter.admit(id, LIMIT),
      lock: () => other.exec('begin immediate'),
      unlock: () => other.exec('rollback'),
      hold: (until: Promise<unknown>) => {
        afterwards = () => until;
      },
      attempts: () => {
        const made = attempts;
        attempts = 0;
        return made;
      },
    };
  }
  const busy = expect.objectContaining({ code: 'store_busy' });

  test('a request waits for the lock for a while, and is counted once it is free', async () => {
    const { ask, lock, unlock, attempts } = await scene();
    await lock();
    const asked = ask();
    await vi.advanceTimersByTimeAsync(10);
    await unlock();
    await vi.advanceTimersByTimeAsync(2);
    expect(await asked).toMatchObject({ admitted: true, rate: { remaining: 999 } });
    expect(attempts()).toBe(7);
    expect(await ask()).toMatchObject({ admitted: true, rate: { remaining: 998 } });
    expect([attempts(), vi.getTimerCount()]).toEqual([1, 0]);
  });

  test('a request that waited 50 ms in vain is refused, and the others at once, until one is counted', async () => {
    const { ask, lock, unlock, attempts } = await scene();
    for (let round = 0; round < 2; round++) {
      await lock();
      const asked = Promise.allSettled([ask()]);
      await vi.advanceTimersByTimeAsync(49);
      expect([attempts(), vi.getTimerCount()]).toEqual([25, 1]);
      await vi.advanceTimersByTimeAsync(1);
      expect(await asked).toMatchObject([{ reason: busy }]);
      expect(attempts()).toBe(1);
      for (let i = 0; i < 3; i++) await expect(ask()).rejects.toEqual(busy);
      expect(attempts()).toBe(3);
      await unlock();
      expect(await ask()).toMatchObject({ admitted: true });
      expect([attempts(), vi.getTimerCount()]).toEqual([1, 0]);
    }
  });

  test('what else the store says is not asked again', async () => {
    const { ask, attempts } = await scene();
    await expect(ask('no such key')).rejects.toMatchObject({ code: 'store_unavailable' });
    expect([attempts(), vi.getTimerCount()]).toEqual([1, 0]);
  });

  test('an answer that takes 2 s is given up, and no timer is left', async () => {
    const { ask, hold } = await scene();
    let answer = () => {};
    hold(
      new Promise<void>((resolve) => {
        answer = resolve;
      }),
    );
    const asked = Promise.allSettled([ask()]);
    await vi.advanceTimersByTimeAsync(1999);
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(await asked).toMatchObject([
      { reason: { code: 'store_unavailable', message: expect.stringContaining('2000 ms'), hint: 'try again' } },
    ]);
    answer();
    expect(vi.getTimerCount()).toBe(0);
    expect(await ask()).toMatchObject({ admitted: true, rate: { remaining: 998 } }); // the late one was counted
  });
});
