import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { filesOf, PROJECTS, type Project } from './test/support/projects.js';

const TIMEOUTS: Record<Project, number> = { unit: 120_000, store: 60_000, cli: 60_000, e2e: 120_000, system: 120_000 };

/** Starts the slowest projects first, so that no long file is left alone at the end; within a project, the largest files. */
class SlowestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ project }: TestSpecification) => PROJECTS.indexOf(project.name as Project);
    return (await super.sort(files)).sort((a, b) => rank(b) - rank(a));
  }
}

export default defineConfig({
  test: {
    // More than there are cores: tests wait for processes, servers and the disk. By default vitest leaves one core idle.
    maxWorkers: availableParallelism() + 2,
    // A source is made into JavaScript once, not once for each project.
    experimental: { fsModuleCache: true },
    sequence: { sequencer: SlowestFirst },
    // Which test is in which project, and why: test/support/projects.ts.
    projects: PROJECTS.map((name) => ({
      test: {
        name,
        include: filesOf(name),
        // Modules are loaded once per worker: to start a worker and load them anew for each file takes more processor time than most of these
        // tests. A test that changes something of its process puts it back. Those of `system` change the machine.
        isolate: name === 'system',
        testTimeout: TIMEOUTS[name],
        hookTimeout: TIMEOUTS[name],
        // A test that fails once on the shared machine of CI, and then passes, is reported as retried.
        retry: process.env.CI ? 1 : 0,
        // A busy machine can stand still for seconds: what a test waits for is awaited for as long as the test may take.
        expect: { poll: { interval: 20, timeout: TIMEOUTS[name] / 2 } },
      },
    })),
  },
});
