import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { RateLimit } from '../../src/domain/rate-limit.js';
import { Place, ROOT } from '../support/built-tool.js';
import { certificate } from '../support/certificate.js';
import { RedisServer } from '../support/redis.js';
import { Served } from '../support/served.js';
import { startSqld } from '../support/sqld.js';
import { toolAlone } from '../support/tool-alone.js';

// Needs redis-server.

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

const LIMIT: RateLimit = { limit: 10, windowSeconds: 3600 };

describe('serve --limits redis://', () => {
  const args = (limits: string) => ['--listen', '127.0.0.1:0', '--environment', 'live', '--limits', limits];

  test('shares limits between servers, counts alone while Redis is down, and shares them again', async () => {
    const port = await freePort();
    const password = ['--requirepass', 'sesame', '--bind', '127.0.0.1', '--port', String(port)];
    const server = await new RedisServer().start(password);
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
    const outages = one.lines.filter(({ message }) => String(message).startsWith('Redis does not answer'));
    expect(outages).toEqual([
      expect.objectContaining({ reason: expect.stringMatching(/^(ECONNREFUSED|ECONNRESET)$/) }),
    ]);
    expect(one.text + two.text).not.toContain('sesame');
    for (const served of [one, two]) {
      served.child.kill('SIGTERM');
      await served.said('stopped');
      await once(served.child, 'exit');
    }
  });

  test('refuses a wrong password, a password in the address, and another machine without TLS', async () => {
    const port = await freePort();
    await new RedisServer().start(['--requirepass', 'sesame', '--bind', '127.0.0.1', '--port', String(port)]);
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
    for (const behind of ['?password=sesame', '/0?password=sesame', '#sesame']) {
      const { code, text } = await tried(`redis://127.0.0.1:${port}${behind}`);
      expect(code).toBe(2);
      expect(text).not.toContain('sesame');
    }
    const password = { UNLOCKOS_KEYS_REDIS_PASSWORD: 'sesame' };
    const noDatabase = await tried(`redis://127.0.0.1:${port}/99`, password);
    expect(noDatabase).toMatchObject({ code: 2, text: expect.stringContaining('Redis has no database 99') });
    expect(noDatabase.text).not.toContain('does not answer');
    expect(await tried('redis://redis.example:6379')).toMatchObject({ code: 6 });
    for (const wrong of ['redis://', 'redis://127.0.0.1:6379/x', 'redis://127.0.0.1/0?a=b'])
      expect(await tried(wrong)).toMatchObject({ code: 2 });
  });
});

test('serve counts in Redis over TLS, and the log says why it does not', async () => {
  const place = new Place();
  const { cert, key } = certificate('localhost');
  place.write('cert.pem', cert);
  const files = ['--tls-cert-file', place.file('cert.pem'), '--tls-key-file', place.write('key.pem', key)];
  const port = await freePort();
  await new RedisServer().start(['--tls-port', String(port), ...files, '--tls-auth-clients', 'no']);
  const keyString = await place.key('partner', '--live', '--rate-limit', '1/h');
  const args = ['--listen', '127.0.0.1:0', '--environment', 'live', '--limits', `rediss://localhost:${port}`];
  const trusts = { NODE_EXTRA_CA_CERTS: place.file('cert.pem') };
  const ask = async (served: Served) =>
    (await fetch(`${await served.url()}/auth`, { headers: { authorization: `Bearer ${keyString}` } })).status;
  const [one, two] = [0, 1].map(() => new Served(place, args, trusts)) as [Served, Served];
  expect([await ask(one), await ask(two)]).toEqual([200, 429]);
  const wary = new Served(place, args);
  await wary.said('Redis does not answer: limits are counted in memory until it does');
  expect(wary.lines.map(({ reason }) => reason)).toContain('DEPTH_ZERO_SELF_SIGNED_CERT');
  for (const served of [one, two, wary]) expect(await served.ended('SIGTERM')).toEqual([0, null]);
});

test('serve needs nothing that npm would install beside it to count in Redis', async () => {
  const { port: store } = await startSqld({ auth: false });
  const port = await freePort();
  await new RedisServer().start(['--requirepass', 'sesame', '--bind', '127.0.0.1', '--port', String(port)]);
  const place = new Place({ UNLOCKOS_KEYS_STORE: `http://127.0.0.1:${store}` });
  await place.key('partner', '--live');
  const words = ['--environment', 'live', '--listen', '127.0.0.1:0', '--limits', `redis://127.0.0.1:${port}`];
  const { exitCode, stderr } = await place.tool(['serve', ...words], { entry: toolAlone(place) });
  expect(exitCode, stderr).toBe(4);
  expect(stderr).toContain('Redis refused the user or the password');
});

test('the example in the docstring of redisLimiter runs', async () => {
  const source = readFileSync(path.join(ROOT, 'src/verifier/redis-limiter.ts'), 'utf8');
  const example = /```ts\n([\s\S]*?)```/.exec(source.replace(/^ \* ?/gm, ''))?.[1] ?? '';
  const server = await new RedisServer().start();
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

test('two processes together let exactly the limit through', async () => {
  const server = await new RedisServer().start();
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
