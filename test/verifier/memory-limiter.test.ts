import { expect, test } from 'vitest';
import { MemoryLimiter } from '../../src/verifier/memory-limiter.js';

const LIMIT = { limit: 2, windowSeconds: 60 };

test('each key has its own limit, which refills', () => {
  const limiter = new MemoryLimiter();
  const admitted = (keyId: string, now: number) => limiter.admit(keyId, LIMIT, now).admitted;
  expect([admitted('a', 0), admitted('a', 0), admitted('a', 0), admitted('b', 0)]).toEqual([true, true, false, true]);
  expect([admitted('a', 29_999), admitted('a', 30_000), admitted('a', 30_000)]).toEqual([false, true, false]);
});

test('keys whose limit is full again are forgotten, others are not', () => {
  const limiter = new MemoryLimiter();
  for (let i = 0; i < 1000; i++) limiter.admit(`key ${i}`, LIMIT, 0);
  for (let i = 0; i < 40_000; i++) limiter.admit('busy', { limit: 1_000_000, windowSeconds: 60 }, 30_000);
  expect(limiter.size).toBe(1);
  limiter.admit('a', LIMIT, 60_000);
  limiter.admit('a', LIMIT, 60_000);
  for (let i = 0; i < 1000; i++) limiter.admit('busy', { limit: 1_000_000, windowSeconds: 60 }, 60_000);
  expect(limiter.admit('a', LIMIT, 60_000).admitted).toBe(false);
});
