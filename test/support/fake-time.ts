import { afterAll, afterEach, beforeAll, vi } from 'vitest';

/**
 * Loads modules anew for all tests of the enclosing block, so that their timers and their clock stand still until a test moves them on: they
 * take both from the global object while they are loaded. Take all modules from here, because an error of one copy of a module is none of
 * another copy.
 */
export function underFakeTime<T>(load: () => Promise<T>): () => T {
  let loaded: T;
  beforeAll(async () => {
    vi.resetModules();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'hrtime'] });
    loaded = await load();
  });
  afterEach(() => void vi.clearAllTimers());
  afterAll(() => {
    vi.useRealTimers();
    vi.resetModules();
  });
  return () => loaded;
}
