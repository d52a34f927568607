import { afterAll, beforeAll, onTestFinished } from 'vitest';

type CleanUp = () => unknown;

/** Set while something is being made that outlives a single test. */
let shared: CleanUp[] | undefined;

/** Calls `cleanUp` when the current test ends or, within {@link sharedBy}, after the last test of the block. The latest is called first. */
export function atEnd(cleanUp: CleanUp): void {
  if (shared) shared.unshift(cleanUp);
  else onTestFinished(async () => void (await cleanUp()));
}

/**
 * Makes something once for all tests of the enclosing block; call it in that block. These tests may only read what it is: each would see
 * what another one changed.
 */
export function sharedBy<T>(make: () => Promise<T>): () => T {
  const cleanUps: CleanUp[] = [];
  let made: T;
  beforeAll(async () => {
    shared = cleanUps;
    try {
      made = await make();
    } finally {
      shared = undefined;
    }
  });
  afterAll(async () => {
    for (const cleanUp of cleanUps) await cleanUp();
  });
  return () => made;
}
