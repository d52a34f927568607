import { createRequire, syncBuiltinESMExports } from 'node:module';
import { afterAll, afterEach, beforeAll, vi } from 'vitest';

const timers: typeof import('node:timers') = createRequire(import.meta.url)('node:timers');

/** As long as `act` takes, `node:timers` has the timers of the global object. */
async function withGlobalTimers<T>(act: () => Promise<T>): Promise<T> {
  const { setTimeout, clearTimeout } = timers;
  Object.assign(timers, { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout });
  syncBuiltinESMExports();
  try {
    return await act();
  } finally {
    Object.assign(timers, { setTimeout, clearTimeout });
    syncBuiltinESMExports();
  }
}

/**
 * Loads modules anew for all tests of the enclosing block, so that their timers and their clock stand still until a test moves them on: they
 * take both from Node while they are loaded. Take all modules from here, because an error of one copy of a module is none of another copy.
 */
export function underFakeTime<T>(load: () => Promise<T>): () => T {
  let loaded: T;
  beforeAll(async () => {
    vi.resetModules();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'hrtime'] });
    loaded = await withGlobalTimers(load);
  });
  afterEach(() => void vi.clearAllTimers());
  afterAll(() => {
    vi.useRealTimers();
    vi.resetModules();
  });
  return () => loaded;
}
