const { hrtime } = process;

/**
 * Milliseconds of a clock that is never set. In place of `performance.now`, whose module costs a short process a millisecond to load. Bound
 * when this module is loaded, so that fake timers of a test cannot stop it.
 */
export function monotonic(): number {
  return Number(hrtime.bigint()) / 1e6;
}
