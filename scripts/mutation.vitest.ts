import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The tests of one group of `scripts/mutation.mjs`. */
const tests: string[] = JSON.parse(process.env.UNLOCKOS_KEYS_MUTATION_TESTS ?? '[]');

/** Quick tests first: the first one that fails ends the run of a change. */
class QuickestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return (await super.sort(files)).reverse();
  }
}

export default defineConfig({
  test: {
    include: tests.filter((each) => !each.startsWith('!')),
    exclude: tests.filter((each) => each.startsWith('!')).map((each) => each.slice(1)),
    testTimeout: 60_000,
    sequence: { sequencer: QuickestFirst },
    isolate: false, // as in vitest.config.ts, and each change takes half the time
  },
});
