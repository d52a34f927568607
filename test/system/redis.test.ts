import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Redis } from 'ioredis';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { RateLimit } from '../../src/domain/rate-limit.js';
import { type RedisLimiterOptions, redisLimiter } from '../../src/verifier/redis-limiter.js';
import { Verifier } from '../../src/verifier/verifier.js';
import { Place, ROOT } from '../support/built-tool.js';
import { freshKeyring, make } from '../support/keyrings.js';
import { scratch } from '../support/stores.js';

// Needs redis-server.

class Server {
  readonly socket = path.join(scratch(), 'redis.sock');
  #child: ChildProcess | undefined;

  async start(): Promise<this> {
    const settings = ['--port', '0', '--unixsocket', this.socket, '--save', '', '--appendonly', 'no'];
    const child = spawn('redis-server', settings, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child = child;
    onTestFinished(() => void child.kill('SIGKILL'));
    for await (const part of child.stdout ?? []) if (String(part).includes('ready to accept')) break;
    child.stdout?.resume();
    return this;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  async kill(): Promise<void> {
    const gone = this.#child && once(this.#child, 'exit');
    this.signal('SIGKILL');
    await gone;
    rmSync(this.socket, { force: true });
  }

  client(): Redis {
    const client = new Redis({ path: this.socket, enableOfflineQueue: false, retryStrategy: () => 10 });
    client.on('error', () => {});
    onTestFinished(() => client.disconnect());
    return client;
  }
}

/** Resolves when the client is connected; what it says of attempts that failed is no reason to give up, as `once` would. */
function ready(client: Redis): Promise<void> {
  return new Promise((resolve) => {
    client.once('ready', () => resolve());
  });
}

const LIMIT: RateLimit = { limit: 10, windowSeconds: 3600 };

async function limited(options: RedisLimiterOptions = {}) {
  const server = await new Server().start();
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

  test('are enforced through a verifier', async () => {
    const { limiter } = await limited();
    const keyring = await freshKeyring('better-sqlite3');
    const { keyString } = await make(keyring, 'a', { rateLimit: { limit: 2, windowSeconds: 3600 } });
    const verifier = new Verifier(keyring.store, { environment: 'test', rateLimit: limiter });
    const verdicts = [];
    for (let i = 0; i < 3; i++) verdicts.push((await verifier.verify(keyString)).verdict);
    expect(verdicts).toEqual(['valid', 'valid', 'rate_limited']);
  });
});

test('two processes together let exactly the limit through', async () => {
  const { server } = await limited();
  const program = `
    import { Redis } from 'ioredis';
    import { redisLimiter } from 'unlockos-keys/redis';
    const client = new Redis({ path: ${JSON.stringify(server.socket)} });
    const limiter = redisLimiter(client);
    process.once('message', async () => {
      const all = await Promise.all(Array.from({ length: 30 }, () => limiter.admit('a', ${JSON.stringify(LIMIT)}, 0)));
      process.send(all.filter(({ admitted }) => admitted).length);
      client.disconnect();
      process.disconnect();
    });
    client.once('ready', () => process.send('ready'));`;
  const place = new Place();
  place.write('package.json', '{ "type": "module" }');
  const { mkdirSync, symlinkSync } = await import('node:fs');
  mkdirSync(place.file('node_modules'));
  symlinkSync(ROOT, place.file('node_modules/unlockos-keys'));
  symlinkSync(path.join(ROOT, 'node_modules/ioredis'), place.file('node_modules/ioredis'));
  writeFileSync(place.file('one.mjs'), program);
  const children = [0, 1].map(() => fork(place.file('one.mjs'), { cwd: place.dir }));
  await Promise.all(children.map((child) => once(child, 'message')));
  const counts = children.map((child) => once(child, 'message'));
  for (const child of children) child.send('go');
  const [one, two] = (await Promise.all(counts)).map(([count]) => Number(count));
  expect((one ?? 0) + (two ?? 0)).toBe(10);
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

  test('or gives no verdict at all, where that was asked for', async () => {
    const { server, limiter } = await broken({ whenDown: 'refuse' });
    await server.kill();
    await expect(limiter.admit('a', LIMIT, 0)).rejects.toMatchObject({ code: 'store_unavailable' });
    await expect(limiter.admit('a', LIMIT, 0)).rejects.toMatchObject({ code: 'store_unavailable' });
  });

  test('and one that hangs is given up', async () => {
    const { server, limiter, clock } = await broken({ timeoutMs: 50 });
    server.signal('SIGSTOP');
    expect(await limiter.admit('a', LIMIT, 0)).toMatchObject({ admitted: true, rate: { remaining: 9 } });
    server.signal('SIGCONT');
    clock.now += 1000;
    const decision = await limiter.admit('a', LIMIT, 0);
    expect(decision.admitted).toBe(true);
  });
});

test.each([
  { whenDown: 'maybe' },
  { timeoutMs: 0 },
  { timeoutMs: Number.NaN },
  { timeoutMs: 100_000 },
])('options %j are refused', (options) => {
  expect(() => redisLimiter({}, options as RedisLimiterOptions)).toThrow(expect.objectContaining({ code: 'usage' }));
});
