import { defineConfig } from 'vitest/config';

/** The tests of one group of `scripts/mutation.mjs`. */
const tests: string[] = JSON.parse(process.env.UNLOCKOS_KEYS_MUTATION_TESTS ?? '[]');

export default defineConfig({
  test: {
    include: tests.filter((each) => !each.startsWith('!')),
    exclude: tests.filter((each) => each.startsWith('!')).map((each) => each.slice(1)),
    testTimeout: 60_000,
    isolate: false, // as in vitest.config.ts, and each change takes half the time
  },
});
