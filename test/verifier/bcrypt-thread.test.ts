import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { hashSecret } from '../../src/domain/secret-hash.js';
import { BcryptThread } from '../../src/verifier/bcrypt-thread.js';

const SECRET = 'S'.repeat(32);

test('comparisons are answered each for itself, in whatever number', async () => {
  const thread = new BcryptThread();
  const stored = await hashSecret(SECRET, 4);
  const asked = Array.from({ length: 20 }, (_, i) =>
    thread.matches(i % 3 === 0 ? SECRET : `${SECRET.slice(1)}x`, stored),
  );
  expect(await Promise.all(asked)).toEqual(Array.from({ length: 20 }, (_, i) => i % 3 === 0));
  expect(thread.comparisons).toBe(20);
  await thread.close();
});

test('a thread that dies in the middle of a comparison is made up for: no answer is lost, and none is wrong', async () => {
  const thread = new BcryptThread();
  const stored = await hashSecret(SECRET, 10);
  const started = once(process, 'worker') as Promise<[Worker]>;
  const asked = [SECRET, `${SECRET.slice(1)}x`, SECRET].map((secret) => thread.matches(secret, stored));
  const [worker] = await started;
  await worker.terminate();
  expect(await Promise.all(asked)).toEqual([true, false, true]);
  expect(await thread.matches(SECRET, stored)).toBe(true);
  await thread.close();
});

test('closing answers what was asked before', async () => {
  const thread = new BcryptThread();
  const stored = await hashSecret(SECRET, 4);
  const asked = [SECRET, 'x'.repeat(32)].map((secret) => thread.matches(secret, stored));
  await thread.close();
  expect(await Promise.all(asked)).toEqual([true, false]);
});
