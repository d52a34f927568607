import type { Redis } from 'ioredis';
import { RateLimiterRedis } from 'rate-limiter-flexible';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { RateLimit } from '../../src/domain/rate-limit.js';
import { type RedisLimiterOptions, redisLimiter } from '../../src/verifier/redis-limiter.js';
import { Verifier } from '../../src/verifier/verifier.js';
import { freshKeyring, make } from '../support/keyrings.js';
import { RedisServer, ready } from '../support/redis.js';
import { DEFAULT_ENGINE, storeOf } from '../support/stores.js';

// Needs redis-server.

const LIMIT: RateLimit = { limit: 10, windowSeconds: 3600 };

async function limited(options: RedisLimiterOptions = {}) {
  const server = await new RedisServer().start();
  const client = server.client();
  await ready(client);
  return { server, client, limiter: redisLimiter(client, options) };
}

describe('limits in Redis', () => {
  test('let the limit through, say what is left and when to try again, each key by itself', async () => {
    const { limiter } = await limited();
    for (let left = 9; left >= 0; left--)
      expect(await limiter.admit('a', LIMIT, 0)).toMatchObject({ admitted: true, rate: { ...LIMIT, remaining: left } });
    const no = await limiter.admit('a', LIMIT, 0);
    expect(no).toMatchObject({ admitted: false, rate: { remaining: 0 } });
    if (no.admitted) return;
    expect(no.retryAfterMs).toBeGreaterThan(350_000);
    expect(no.retryAfterMs).toBeLessThanOrEqual(360_001);
    expect(no.rate.resetMs).toBeGreaterThan(3_590_000);
    expect(await limiter.admit('b', LIMIT, 0)).toMatchObject({ admitted: true });
  });

  test.each([
    { limit: 7, windowSeconds: 60 }, // a step is no whole number of milliseconds
    { limit: 100_000, windowSeconds: 1 }, // or far less than one
  ])('say exactly what is left of $limit in $windowSeconds s', async (limit) => {
    const { limiter } = await limited();
    expect(await limiter.admit('a', limit, 0)).toMatchObject({ admitted: true, rate: { remaining: limit.limit - 1 } });
  });

  test('leave other limiters over the same client alone, made before or after, and are left alone by them', async () => {
    const { limiter, client } = await limited();
    const others = { storeClient: client, points: 5, duration: 3600 };
    const before = new RateLimiterRedis({ ...others, keyPrefix: 'before' });
    redisLimiter(client);
    expect(await before.consume('x')).toMatchObject({ consumedPoints: 1 });
    expect(await client.get('before:x')).toBe('1');
    const after = new RateLimiterRedis({ ...others, keyPrefix: 'after' });
    expect(await after.consume('x')).toMatchObject({ consumedPoints: 1 });
    for (const left of [9, 8]) expect(await limiter.admit('a', LIMIT, 0)).toMatchObject({ rate: { remaining: left } });
    expect(await client.pttl('unlockos-keys:a')).toBeLessThan(1_000_000); // two tenths of the window, and not a window
  });

  test('come back one at a time, not at the edge of a window; a clock that was set back locks nobody out', async () => {
    const { limiter, client } = await limited();
    for (let i = 0; i < 10; i++) await limiter.admit('a', LIMIT, 0);
    const shift = async (ms: number) =>
      client.set('unlockos-keys:a', `${Number(await client.get('unlockos-keys:a')) + ms}`);
    await shift(-360_000); // as if a tenth of the window had passed
    expect((await limiter.admit('a', LIMIT, 0)).admitted).toBe(true);
    expect((await limiter.admit('a', LIMIT, 0)).admitted).toBe(false);
    await shift(8_000_000);
    expect(await limiter.admit('a', LIMIT, 0)).toMatchObject({ admitted: true, rate: { remaining: 9 } });
  });

  test('hold the key id and a time, which goes by itself; an edited limit holds from then on', async () => {
    const { limiter, client } = await limited({ prefix: 'mine' });
    for (let i = 0; i < 4; i++) await limiter.admit('a', LIMIT, 0);
    expect(await client.keys('*')).toEqual(['mine:a']);
    expect(await client.pttl('mine:a')).toBeGreaterThan(1_000_000);
    expect(await limiter.admit('a', { limit: 2, windowSeconds: 3600 }, 0)).toMatchObject({ admitted: true });
    expect(await limiter.admit('a', { limit: 2, windowSeconds: 3600 }, 0)).toMatchObject({ admitted: false });
    expect(await limiter.admit('a', { limit: 1000, windowSeconds: 3600 }, 0)).toMatchObject({ admitted: true });
  });

  test('are counted through a client that takes scripts as node-redis does', async () => {
    const { client } = await limited();
    const nodeRedis = {
      eval: (script: string, call: { keys: string[]; arguments: string[] }) =>
        client.eval(script, call.keys.length, ...call.keys, ...call.arguments),
    };
    const limiter = redisLimiter(nodeRedis, { prefix: 'other' });
    for (const left of [9, 8]) expect(await limiter.admit('a', LIMIT, 0)).toMatchObject({ rate: { remaining: left } });
    expect(await client.keys('*')).toEqual(['other:a']);
  });

  test('leave no timer once they are counted', async () => {
    const { limiter } = await limited({ timeoutMs: 60_000 });
    const timers = () => process.getActiveResourcesInfo().filter((each) => each === 'Timeout').length;
    const before = timers();
    for (let i = 0; i < 20; i++) await limiter.admit('a', LIMIT, 0);
    expect(timers()).toBeLessThanOrEqual(before); // one of the client may be over
  });

  test('are enforced through a verifier', async () => {
    const { limiter } = await limited();
    const keyring = await freshKeyring(DEFAULT_ENGINE);
    const { keyString } = await make(keyring, 'a', { rateLimit: { limit: 2, windowSeconds: 3600 } });
    const verifier = new Verifier(storeOf(keyring), { environment: 'test', rateLimit: limiter });
    const verdicts = [];
    for (let i = 0; i < 3; i++) verdicts.push((await verifier.verify(keyString)).verdict);
    expect(verdicts).toEqual(['valid', 'valid', 'rate_limited']);
  });
});

describe('a Redis that is down', () => {
  async function broken(options: RedisLimiterOptions = {}) {
    const clock = { now: 0 };
    const scene = await limited({ now: () => clock.now, ...options });
    expect((await scene.limiter.admit('a', LIMIT, 0)).admitted).toBe(true);
    return { ...scene, clock };
  }

  test('leaves each process to count by itself, and counts again once it is back', async () => {
    const { server, client, limiter, clock } = await broken();
    for (let i = 0; i < 9; i++) await limiter.admit('a', LIMIT, 0);
    await server.kill();
    const alone = [];
    for (let i = 0; i < 11; i++) alone.push((await limiter.admit('a', LIMIT, 0)).admitted);
    expect(alone).toEqual([...Array(10).fill(true), false]);
    const again = ready(client);
    await server.start();
    await again;
    expect((await limiter.admit('a', LIMIT, 0)).admitted).toBe(false); // not asked again yet
    clock.now += 1000;
    expect(await limiter.admit('a', LIMIT, 0)).toMatchObject({ admitted: true, rate: { remaining: 9 } });
    expect(await client.keys('*')).toEqual(['unlockos-keys:a']);
  });

  test('is tried again after a second of the clock of this process', async () => {
    const { server, client, limiter } = await limited();
    vi.useFakeTimers({ toFake: ['performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const remaining = async () => (await limiter.admit('a', LIMIT, 0)).rate.remaining;
    await server.kill();
    expect(await remaining()).toBe(9);
    const again = ready(client);
    await server.start();
    await again;
    vi.advanceTimersByTime(999);
    expect(await remaining()).toBe(8);
    vi.advanceTimersByTime(1);
    expect(await remaining()).toBe(9);
  });

  test('or gives no verdict at all, where that was asked for, until it is back', async () => {
    const { server, client, limiter, clock } = await broken({ whenDown: 'refuse' });
    await server.kill();
    for (let i = 0; i < 2; i++)
      await expect(limiter.admit('a', LIMIT, 0)).rejects.toMatchObject({ code: 'store_unavailable' });
    const back = ready(client);
    await server.start();
    await back;
    await expect(limiter.admit('a', LIMIT, 0)).rejects.toMatchObject({ code: 'store_unavailable' });
    clock.now += 1000;
    expect(await limiter.admit('a', LIMIT, 0)).toMatchObject({ admitted: true, rate: { remaining: 9 } });
  });

  test('is said to hang where there is to be no verdict then', async () => {
    const { server, limiter } = await broken({ timeoutMs: 50, whenDown: 'refuse' });
    server.signal('SIGSTOP');
    const cause = expect.objectContaining({ message: 'Redis did not answer within 50 ms' });
    await expect(limiter.admit('a', LIMIT, 0)).rejects.toMatchObject({ code: 'store_unavailable', cause });
  });

  test('is given up when it hangs, and then tried by one request at a time', async () => {
    const { server, client, limiter, clock } = await broken({ timeoutMs: 50 });
    server.signal('SIGSTOP');
    expect(await limiter.admit('a', LIMIT, 0)).toMatchObject({ admitted: true, rate: { remaining: 9 } });
    clock.now += 1000;
    const alone = await Promise.all(Array.from({ length: 20 }, () => limiter.admit('a', LIMIT, 0)));
    expect(alone.filter(({ admitted }) => admitted)).toHaveLength(9);
    server.signal('SIGCONT');
    await client.ping(); // what was sent before is answered before
    clock.now += 1000;
    // one request before it hung, one that found out, one that tried: the other 19 were never sent
    expect(await limiter.admit('a', LIMIT, 0)).toMatchObject({ admitted: true, rate: { remaining: 6 } });
  });

  test.each<[string, (client: Redis) => Promise<unknown>, (client: Redis) => Promise<unknown>]>([
    ['OOM', (client) => client.config('SET', 'maxmemory', '1'), (client) => client.config('SET', 'maxmemory', '0')],
    ['READONLY', (client) => client.replicaof('127.0.0.1', 1), (client) => client.replicaof('NO', 'ONE')],
  ])('is what one that answers %s is, too', async (code, spoil, mend) => {
    const { client, limiter, clock } = await broken({ whenDown: 'refuse' });
    await spoil(client);
    const cause = expect.objectContaining({ message: expect.stringContaining(code) });
    await expect(limiter.admit('a', LIMIT, 0)).rejects.toMatchObject({ code: 'store_unavailable', cause });
    await mend(client);
    clock.now += 1000;
    expect(await limiter.admit('a', LIMIT, 0)).toMatchObject({ admitted: true, rate: { remaining: 8 } });
  });

  test('or one that is still loading', async () => {
    const server = await new RedisServer().start();
    const writer = server.client();
    await ready(writer);
    await writer.mset(Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`filler-${i}`, 'x'.repeat(100)])));
    await writer.save();
    writer.disconnect();
    await server.kill();
    const slowly = ['--key-load-delay', '5000', '--loading-process-events-interval-bytes', '1024'];
    await server.start([...slowly, '--rdbcompression', 'no'], 'Loading RDB');
    const client = server.client(false);
    await ready(client);
    const limiter = redisLimiter(client, { whenDown: 'refuse', timeoutMs: 60_000 });
    const cause = expect.objectContaining({ message: expect.stringContaining('LOADING') });
    await expect(limiter.admit('a', LIMIT, 0)).rejects.toMatchObject({ code: 'store_unavailable', cause });
  });
});
