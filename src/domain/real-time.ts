// Taken when the module is loaded: an application's tests may replace the global ones later, and nobody would move them on.

export const { setTimeout: startTimer, clearTimeout: stopTimer } = globalThis;
const { setImmediate } = globalThis;
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
  if (replaced === setImmediate) return load();
  globalThis.setImmediate = setImmediate;
  try {
    return await load();
  } finally {
    globalThis.setImmediate = replaced;
  }
}
