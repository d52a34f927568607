import { defineConfig } from 'vitest/config';

/** `unit` runs the sources in process; `e2e` runs the built tool; `system` needs Debian packages (see `.ci/run`). */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: [
            'test/*.test.ts',
            'test/{domain,store,keyring,manifest,scan,server,verifier,adapters,cli}/**/*.test.ts',
          ],
          testTimeout: 60_000,
        },
      },
      { test: { name: 'e2e', include: ['test/e2e/**/*.test.ts'], testTimeout: 120_000, hookTimeout: 120_000 } },
      { test: { name: 'system', include: ['test/system/**/*.test.ts'], testTimeout: 120_000, hookTimeout: 120_000 } },
    ],
  },
});
