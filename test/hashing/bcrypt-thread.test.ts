import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { hashSecret, secretMatches } from '../../src/domain/secret-hash.js';
import { BcryptThread } from '../../src/hashing/bcrypt-thread.js';

const SECRET = 'S'.repeat(32);

test('concurrent comparisons each get their own answer', async () => {
  const thread = new BcryptThread();
  const stored = await hashSecret(SECRET, 4);
  const asked = Array.from({ length: 20 }, (_, i) =>
    thread.matches(i % 3 === 0 ? SECRET : `${SECRET.slice(1)}x`, stored),
  );
  expect(await Promise.all(asked)).toEqual(Array.from({ length: 20 }, (_, i) => i % 3 === 0));
  expect(thread.comparisons).toBe(20);
  await thread.close();
});

test('when the thread dies during a comparison, no answer is lost and none is wrong', async () => {
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

test('close() answers what was requested before', async () => {
  const thread = new BcryptThread();
  const stored = await hashSecret(SECRET, 4);
  const asked = [SECRET, 'x'.repeat(32)].map((secret) => thread.matches(secret, stored));
  await thread.close();
  expect(await Promise.all(asked)).toEqual([true, false]);
});

test('what is requested after close() is answered as well, whether the thread had worked or not', async () => {
  const stored = await hashSecret(SECRET, 4);
  for (const before of [0, 1, 3]) {
    const thread = new BcryptThread();
    const asked = Array.from({ length: before }, () => thread.matches(SECRET, stored));
    const closed = thread.close();
    const meanwhile = thread.matches(SECRET, stored);
    await closed;
    const later = [SECRET, 'x'.repeat(32)].map((secret) => thread.matches(secret, stored));
    expect(await Promise.all([...asked, meanwhile, ...later])).toEqual([...asked.map(() => true), true, true, false]);
    await thread.close();
  }
});

test('a thread that is idle when it is closed does not leave the next request without an answer', async () => {
  const thread = new BcryptThread();
  const stored = await hashSecret(SECRET, 4);
  expect(await thread.matches(SECRET, stored)).toBe(true);
  await thread.close();
  expect([await thread.matches(SECRET, stored), await thread.matches('x'.repeat(32), stored)]).toEqual([true, false]);
});

test('a job that fails rejects, and the jobs after it still run', async () => {
  const thread = new BcryptThread();
  const failing = thread.hash(null as unknown as string, 4);
  const next = thread.hash(SECRET, 4);
  await expect(failing).rejects.toThrow();
  expect(await secretMatches(SECRET, await next)).toBe(true);
  await thread.close();
});

test('a comparison does not wait for the hashes that nobody waits for', async () => {
  const thread = new BcryptThread();
  const stored = await hashSecret(SECRET, 4);
  const order: string[] = [];
  const hashes = Array.from({ length: 60 }, () => thread.hash(SECRET, 4).then(() => order.push('hash')));
  await thread.matches(SECRET, stored).then(() => order.push('comparison'));
  await Promise.all(hashes);
  expect(order.indexOf('comparison')).toBeLessThanOrEqual(1); // the job that ran already comes first
  await thread.close();
});
