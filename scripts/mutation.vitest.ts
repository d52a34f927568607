import path from 'node:path';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { PROJECTS, projectOf } from '../test/support/projects.js';

/** The tests of one group of `scripts/mutation.mjs`. */
const tests: string[] = JSON.parse(process.env.UNLOCKOS_KEYS_MUTATION_TESTS ?? '[]');

const rank = ({ moduleId }: TestSpecification) => PROJECTS.indexOf(projectOf(path.relative('test', moduleId)));

/** Quick tests first, those without a store before all: the first one that fails ends the run of a change. */
class QuickestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return (await super.sort(files)).reverse().sort((a, b) => rank(a) - rank(b));
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
