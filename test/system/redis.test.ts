import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import path from 'node:path';
import { Redis } from 'ioredis';
import { RateLimiterRedis } from 'rate-limiter-flexible';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { RateLimit } from '../../src/domain/rate-limit.js';
import { type RedisLimiterOptions, redisLimiter } from '../../src/verifier/redis-limiter.js';
import { Verifier } from '../../src/verifier/verifier.js';
import { Place, ROOT } from '../support/built-tool.js';
import { freshKeyring, make } from '../support/keyrings.js';
import { Served } from '../support/served.js';
import { DEFAULT_ENGINE, scratch, storeOf } from '../support/stores.js';

// Needs redis-server.

class Server {
  readonly dir = scratch();
  readonly socket = path.join(this.dir, 'redis.sock');
  #child: ChildProcess | undefined;

  /** Starts it, and waits until it logs `awaited`. */
  async start(more: readonly string[] = [], awaited = 'ready to accept'): Promise<this> {
    const own = ['--port', '0', '--unixsocket', this.socket, '--dir', this.dir, '--save', '', '--appendonly', 'no'];
    const child = spawn('redis-server', [...own, ...more], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child = child;
    onTestFinished(() => void child.kill('SIGKILL'));
    let log = '';
    for await (const part of child.stdout ?? []) {
      log += String(part);
      if (log.includes(awaited)) return this;
    }
    throw new Error(`redis-server is gone: ${log}`);
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

  /** With `enableReadyCheck` false it calls itself ready while the server is still loading. */
  client(enableReadyCheck = true): Redis {
    const settings = { path: this.socket, enableOfflineQueue: false, retryStrategy: () => 10, enableReadyCheck };
    const client = new Redis(settings);
    client.on('error', () => {});
    onTestFinished(() => client.disconnect());
    return client;
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

/** Lets programs in `place` import this package and ioredis. */
function linkPackages(place: Place): void {
  mkdirSync(place.file('node_modules'));
  symlinkSync(ROOT, place.file('node_modules/unlockos-keys'));
  symlinkSync(path.join(ROOT, 'node_modules/ioredis'), place.file('node_modules/ioredis'));
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

describe('serve --limits redis://', () => {
  const args = (limits: string) => ['--listen', '127.0.0.1:0', '--environment', 'live', '--limits', limits];

  test('shares limits between servers, counts alone while Redis is down, and shares them again', async () => {
    const port = await freePort();
    const password = ['--requirepass', 'sesame', '--bind', '127.0.0.1', '--port', String(port)];
    const server = await new Server().start(password);
    const place = new Place();
    const keyString = await place.key('partner', '--live', '--rate-limit', '3/h');
    const env = { UNLOCKOS_KEYS_REDIS_PASSWORD: 'sesame' };
    const [one, two] = [0, 1].map(() => new Served(place, args(`redis://127.0.0.1:${port}`), env)) as [Served, Served];
    const ask = async (served: Served) =>
      (await fetch(`${await served.url()}/auth`, { headers: { authorization: `Bearer ${keyString}` } })).status;
    const asked = [await ask(one), await ask(two), await ask(one), await ask(two), await ask(one)];
    expect(asked.map((status) => status === 429)).toEqual([false, false, false, true, true]);
    await server.kill();
    await one.said('Redis does not answer: limits are counted in memory until it does');
    expect(await ask(one)).not.toBe(503);
    await server.start(password);
    await one.said('Redis answers again: limits are shared');
    expect(one.lines.filter(({ message }) => String(message).startsWith('Redis does not answer'))).toHaveLength(1);
    expect(one.text + two.text).not.toContain('sesame');
    for (const served of [one, two]) {
      served.child.kill('SIGTERM');
      await served.said('stopped');
      await once(served.child, 'exit');
    }
  });

  test('refuses a wrong password, a password in the address, and another machine without TLS', async () => {
    const port = await freePort();
    await new Server().start(['--requirepass', 'sesame', '--bind', '127.0.0.1', '--port', String(port)]);
    const place = new Place();
    await place.key('partner', '--live');
    const tried = async (limits: string, env: Record<string, string> = {}) => {
      const served = new Served(place, args(limits), env);
      const [code] = await once(served.child, 'close');
      return { code, text: served.text };
    };
    expect(await tried(`redis://127.0.0.1:${port}`, { UNLOCKOS_KEYS_REDIS_PASSWORD: 'wrong' })).toMatchObject({
      code: 4,
    });
    expect(await tried(`redis://127.0.0.1:${port}`)).toMatchObject({ code: 4 });
    const inAddress = await tried(`redis://:sesame@127.0.0.1:${port}`);
    expect(inAddress.code).toBe(2);
    expect(inAddress.text).not.toContain('sesame');
    expect(await tried('redis://redis.example:6379')).toMatchObject({ code: 6 });
    for (const wrong of ['redis://', 'redis://127.0.0.1:6379/x', 'redis://127.0.0.1/0?a=b'])
      expect(await tried(wrong)).toMatchObject({ code: 2 });
  });
});

test('the example in the docstring of redisLimiter runs', async () => {
  const source = readFileSync(path.join(ROOT, 'src/verifier/redis-limiter.ts'), 'utf8');
  const example = /```ts\n([\s\S]*?)```/.exec(source.replace(/^ \* ?/gm, ''))?.[1] ?? '';
  const server = await new Server().start();
  const place = new Place();
  const keyString = await place.key('example', '--live');
  linkPackages(place);
  const program = example
    .replace('./keys.db', place.store)
    .replace('new Redis({', `new Redis({ path: '${server.socket}',`);
  place.write(
    'example.mjs',
    `${program}
    console.log((await verifier.verify('${keyString}')).verdict);
    process.exit();`,
  );
  const { stdout, stderr } = await place.run(process.execPath, [place.file('example.mjs')]);
  expect({ stdout, stderr }).toEqual({ stdout: 'valid\n', stderr: '' });
});

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
  linkPackages(place);
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
    const server = await new Server().start();
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
