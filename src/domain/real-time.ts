import * as timers from 'node:timers';

// Not the global ones, and taken when this is loaded: an application's tests may replace them before or after that, and nobody would move
// them on.
export const { setTimeout: startTimer, clearTimeout: stopTimer, setImmediate: startImmediate } = timers;
const nanoseconds = process.hrtime.bigint; // to load the module of `performance` takes a millisecond

/** Milliseconds, of a clock that only goes forward. */
export const elapsed = (): number => Number(nanoseconds()) / 1e6;

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    startTimer(resolve, ms);
  });
}

/** Loads a module that takes `setImmediate` from the global object while it is loaded. */
export async function underRealTimers<T>(load: () => Promise<T>): Promise<T> {
  const replaced = globalThis.setImmediate;
  if (replaced === startImmediate) return load();
  globalThis.setImmediate = startImmediate;
  try {
    return await load();
  } finally {
    globalThis.setImmediate = replaced;
  }
}
