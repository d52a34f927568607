import path from 'node:path';
import { Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import type { KeysError } from '../../src/domain/errors.js';
import { type RedisLimiterOptions, redisLimiter } from '../../src/verifier/redis-limiter.js';
import { Verifier } from '../../src/verifier/verifier.js';
import { freshKeyring, make } from '../support/keyrings.js';
import { DEFAULT_ENGINE, scratch, storeOf } from '../support/stores.js';

const LIMIT = { limit: 2, windowSeconds: 3600 };

/** A client without a server. */
function client(): Redis {
  const made = new Redis({ path: path.join(scratch(), 'none.sock'), enableOfflineQueue: false, lazyConnect: true });
  made.on('error', () => {});
  onTestFinished(() => made.disconnect());
  return made;
}

test.each([
  { whenDown: 'maybe' },
  { timeoutMs: 0 },
  { timeoutMs: Number.NaN },
  { timeoutMs: 100_000 },
  { prefix: 7 },
])('refuses the options %j', (options) => {
  expect(() => redisLimiter(client(), options as unknown as RedisLimiterOptions)).toThrow(
    expect.objectContaining({
      code: 'usage',
      message: expect.stringMatching(new RegExp(`^redisLimiter: options.*${Object.keys(options)[0]}`)),
    }),
  );
});

test.each([
  ['an empty object', {}],
  ['a class instead of a client', Redis],
  ['node-redis 3, which takes callbacks', { eval() {}, send_command() {} }],
  ['a function that can do the same', Object.assign(() => {}, { eval() {}, defineCommand() {} })],
  ['an address', 'redis://127.0.0.1'],
  ['null', null],
  ['something with the names of what a client can do', { eval: 'eval' }],
  ['and of an ioredis client', { defineCommand: 'eval' }],
])('%s is refused as a client, and does not count as a Redis that is down', (_, given) => {
  expect(() => redisLimiter(given as object)).toThrow(
    expect.objectContaining({
      code: 'usage',
      message: 'client is not a Redis client',
      hint: expect.stringContaining('ioredis'),
    }),
  );
});

test('without a server, the process counts', async () => {
  const limiter = redisLimiter(client());
  const admitted = [];
  for (let i = 0; i < 3; i++) admitted.push((await limiter.admit('a', LIMIT, 0)).admitted);
  expect(admitted).toEqual([true, true, false]);
});

test('without a server and with whenDown: refuse, there is no verdict', async () => {
  const keyring = await freshKeyring(DEFAULT_ENGINE);
  const { keyString } = await make(keyring, 'a', { rateLimit: LIMIT });
  const rateLimit = redisLimiter(client(), { whenDown: 'refuse' });
  const verifier = new Verifier(storeOf(keyring), { environment: 'test', rateLimit });
  for (let i = 0; i < 2; i++) {
    const failure: KeysError = await verifier.verify(keyString).then(
      () => expect.unreachable(),
      (error) => error,
    );
    expect(failure).toMatchObject({
      code: 'store_unavailable',
      message: expect.stringContaining('Redis does not answer'),
      hint: expect.stringContaining('whenDown'),
    });
    expect(failure.cause).toBeInstanceOf(Error); // also if Redis was not tried again
    expect(`${failure.stack} ${failure.cause}`).not.toContain(keyString);
  }
  expect((await verifier.verify(`${keyString.slice(0, -1)}!`)).verdict).toBe('invalid');
});
