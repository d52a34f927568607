import { afterEach, expect, test, vi } from 'vitest';
import { elapsed, sleep, underRealTimers } from '../../src/domain/real-time.js';

afterEach(() => {
  vi.useRealTimers();
});

test('timers and clock go on when an application replaces the global ones', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'performance', 'Date'] });
  const before = elapsed();
  await sleep(2);
  expect(elapsed()).toBeGreaterThan(before);
});

test('a module is loaded with the real setImmediate, and the other one is put back', async () => {
  const real = globalThis.setImmediate;
  expect(await underRealTimers(async () => globalThis.setImmediate)).toBe(real);
  expect(globalThis.setImmediate).toBe(real);
  vi.useFakeTimers({ toFake: ['setImmediate'] });
  const fake = globalThis.setImmediate;
  expect(fake).not.toBe(real);
  expect(await underRealTimers(async () => globalThis.setImmediate)).toBe(real);
  expect(globalThis.setImmediate).toBe(fake);
  const failing = underRealTimers(async () => {
    throw new Error('no such module');
  });
  await expect(failing).rejects.toThrow('no such module');
  expect(globalThis.setImmediate).toBe(fake);
});
