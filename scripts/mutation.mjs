// Mutation testing, one group of files at a time: `npm run mutation -- domain http`. Stryker changes one thing in the source, such as an
// operator or a word, and runs the tests that reach it; a change that no test notices has survived. Not part of CI: a group takes from
// minutes to hours. `npm run mutation -- domain --file src/domain/policy.ts` does one file of a group anew; the report keeps the others.
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** What is mutated in each group, and the tests that are run against it: on one local engine, without a server where that is possible. */
const GROUPS = {
  domain: {
    mutate: ['src/domain/*.ts', '!src/domain/confusables.ts'],
    tests: ['test/domain/*.test.ts', 'test/keyring/line-check.test.ts'],
  },
  http: { mutate: ['src/http/*.ts'], tests: ['test/http/*.test.ts', 'test/adapters/web.test.ts'] },
  rules: {
    mutate: ['src/server/{rules,rules-schema,path-match,shadowed,target}.ts'],
    tests: ['test/server/rules.test.ts'],
  },
  finder: { mutate: ['src/scan/{finder,escapes,base64}.ts'], tests: ['test/scan/{finder,escapes,base64}.test.ts'] },
  verifier: {
    mutate: ['src/verifier/*.ts', '!src/verifier/redis-limiter.ts'],
    tests: ['test/verifier/*.test.ts', '!test/verifier/redis-limiter.test.ts'],
  },
  keyring: { mutate: ['src/keyring/*.ts'], tests: ['test/keyring/*.test.ts'] },
  plans: {
    mutate: ['src/store/{changes,planned,deleted-changes,catalogue-changes,audited-change}.ts'],
    tests: [
      'test/store/{planned,planned-changes,catalogue-changes,deleted-changes}.test.ts',
      'test/store/{changes,atomicity,rotate}.test.ts',
    ],
  },
};

const { UNLOCKOS_KEYS_MUTATION_WORKERS: workers = '1' } = process.env;
const { positionals: names, values } = parseArgs({
  allowPositionals: true,
  options: { file: { type: 'string', multiple: true } },
});
const unknown = names.find((name) => !(name in GROUPS));
if (unknown !== undefined) {
  console.error(`there is no group "${unknown}"; the groups are: ${Object.keys(GROUPS).join(', ')}`);
  process.exit(2);
}
for (const name of names.length > 0 ? names : Object.keys(GROUPS)) {
  const { mutate, tests } = GROUPS[name];
  const reports = path.join('reports/mutation', name);
  mkdirSync(path.join(root, reports), { recursive: true });
  const config = path.join(reports, 'stryker.json');
  const options = {
    testRunner: 'vitest',
    vitest: { configFile: 'scripts/mutation.vitest.ts', related: false },
    plugins: ['@stryker-mutator/vitest-runner'],
    mutate: values.file ?? mutate,
    coverageAnalysis: 'perTest',
    ignoreStatic: true, // what is computed once when a module is loaded: all tests would be run for each
    concurrency: Number(workers),
    timeoutMS: 10_000,
    tsconfigFile: 'none.json',
    ignorePatterns: ['dist', 'bench', 'reports'],
    tempDirName: path.join(reports, 'tmp'),
    incremental: true,
    incrementalFile: path.join(reports, 'incremental.json'),
    reporters: ['clear-text', 'json', 'progress-append-only'],
    clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
    jsonReporter: { fileName: path.join(reports, 'mutation.json') },
    thresholds: { high: 95, low: 90, break: 85 },
  };
  writeFileSync(path.join(root, config), JSON.stringify(options));
  const env = {
    ...process.env,
    UNLOCKOS_KEYS_MUTATION_TESTS: JSON.stringify(tests),
    UNLOCKOS_KEYS_TEST_ENGINES: 'better-sqlite3',
  };
  const stryker = path.join('node_modules/@stryker-mutator/core/bin/stryker.js');
  const { status } = spawnSync(process.execPath, [stryker, 'run', config], { cwd: root, stdio: 'inherit', env });
  if (status !== 0) process.exitCode = 1;
}
