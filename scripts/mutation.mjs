// Mutation testing, one group of files at a time: `npm run mutation -- domain http`. Stryker changes one thing in the source, such as an
// operator or a word, and runs the tests that reach it; a change that no test notices has survived. Not part of CI: a group takes from
// minutes to hours. `npm run mutation -- domain --file src/domain/policy.ts` does one file of a group anew; the report keeps the others.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/**
 * What is mutated in each group, and the tests that are run against it: on one local engine, without a server where that is possible. With
 * `files`, each file is held by a few tests of its own, and is a run and a report of its own: for tests on whole stores, which reach all of
 * the group.
 */
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
    files: {
      'src/verifier/credential-cache.ts': ['test/verifier/credential-cache.test.ts'],
      'src/verifier/kept-credentials.ts': ['test/verifier/{kept-credentials,kept-credentials-reread}.test.ts'],
      'src/verifier/make-room.ts': ['test/verifier/make-room.test.ts'],
      'src/verifier/memory-limiter.ts': ['test/verifier/memory-limiter.test.ts'],
      'src/verifier/moment.ts': ['test/verifier/moment.test.ts'],
      'src/verifier/prover.ts': ['test/verifier/prover.test.ts'],
      'src/verifier/redis-limiter.ts': ['test/{verifier,system}/redis-limiter.test.ts'],
      'src/verifier/rehash-on-use.ts': ['test/verifier/rehash-on-use.test.ts'],
      'src/verifier/remote-credential-cache.ts': ['test/verifier/remote-credential-cache.test.ts'],
      'src/verifier/shared-limiter.ts': ['test/verifier/shared-limiter.test.ts'],
      'src/verifier/use-pages.ts': ['test/verifier/use-pages.test.ts'],
      'src/verifier/use-recorder.ts': ['test/verifier/use-recorder.test.ts'],
      'src/verifier/verifier.ts': ['test/verifier/{verifier,remote-verifier,hash-moves,hash-schemes}.test.ts'],
      'src/verifier/verify-once.ts': ['test/keyring/verify.test.ts'],
      'src/verifier/warning.ts': ['test/verifier/warning.test.ts'],
    },
  },
  keyring: {
    files: {
      'src/keyring/audit-check.ts': ['test/keyring/{audit-check,keyring}.test.ts'],
      'src/keyring/audit-follow.ts': ['test/keyring/audit-follow.test.ts'],
      'src/keyring/audit-sign.ts': ['test/keyring/audit-sign.test.ts'],
      'src/keyring/claim.ts': ['test/keyring/claim.test.ts'],
      'src/keyring/copy.ts': ['test/keyring/{copy,restore}.test.ts'],
      'src/keyring/creation.ts': ['test/keyring/{creation,earlier-run,like}.test.ts'],
      'src/keyring/deleted.ts': ['test/keyring/deleted.test.ts'],
      'src/keyring/delivery.ts': ['test/keyring/delivery.test.ts'],
      'src/keyring/earlier-run.ts': ['test/keyring/{earlier-run,rotation}.test.ts'],
      'src/keyring/hash-report.ts': ['test/keyring/hash-report.test.ts'],
      'src/keyring/identity.ts': ['test/keyring/identity.test.ts'],
      'src/keyring/inputs.ts': ['test/keyring/inputs.test.ts'],
      'src/keyring/issuing.ts': ['test/keyring/issuing.test.ts'],
      'src/keyring/keyring.ts': ['test/keyring/{every-change,asking,test-only,inputs,delivery}.test.ts'],
      'src/keyring/leaked.ts': ['test/keyring/leaked.test.ts'],
      'src/keyring/lifetime.ts': ['test/keyring/lifetime.test.ts'],
      'src/keyring/like.ts': ['test/keyring/like.test.ts'],
      'src/keyring/line-check.ts': ['test/keyring/line-check.test.ts'],
      'src/keyring/lookalikes.ts': ['test/keyring/lookalikes.test.ts'],
      'src/keyring/minting.ts': ['test/keyring/{creation,hash-report}.test.ts'],
      'src/keyring/namesakes.ts': ['test/keyring/namesakes.test.ts'],
      'src/keyring/prune.ts': ['test/keyring/prune.test.ts'],
      'src/keyring/recorded.ts': ['test/keyring/recorded.test.ts'],
      'src/keyring/references.ts': ['test/keyring/references.test.ts'],
      'src/keyring/review.ts': ['test/keyring/review.test.ts'],
      'src/keyring/rotation.ts': ['test/keyring/rotation.test.ts'],
      'src/keyring/rotation-status.ts': ['test/keyring/rotation-status.test.ts'],
      'src/keyring/usage.ts': ['test/keyring/usage.test.ts'],
    },
  },
  issuer: {
    files: {
      'src/issuer/admission.ts': ['test/issuer/admission.test.ts'],
      'src/issuer/fetch-json.ts': ['test/issuer/fetch-json.test.ts'],
      'src/issuer/hand-over.ts': ['test/issuer/delivery.test.ts'],
      'src/issuer/issue-request.ts': ['test/issuer/issue-request.test.ts'],
      'src/issuer/jobs.ts': ['test/issuer/jobs.test.ts'],
      'src/issuer/metrics.ts': ['test/issuer/rule-of-a-key.test.ts'],
      'src/issuer/providers.ts': ['test/issuer/rules.test.ts'],
      'src/issuer/refusals.ts': ['test/issuer/refusals.test.ts'],
      'src/issuer/rules.ts': ['test/issuer/rules.test.ts'],
      'src/issuer/rules-schema.ts': ['test/issuer/rules.test.ts'],
      'src/issuer/server.ts': ['test/issuer/{server,rule-of-a-key,limits,delivery}.test.ts'],
      'src/issuer/signing-keys.ts': ['test/issuer/signing-keys.test.ts'],
      'src/issuer/tokens.ts': ['test/issuer/{tokens,verified-tokens}.test.ts'],
    },
  },
  'issue-client': {
    files: {
      'src/issue-client/address.ts': ['test/issue-client/address.test.ts'],
      'src/issue-client/answers.ts': ['test/issue-client/answers.test.ts'],
      'src/issue-client/client.ts': ['test/issue-client/client.test.ts'],
      'src/issue-client/id-token.ts': ['test/issue-client/id-token.test.ts'],
      'src/issue-client/id-token-file.ts': ['test/issue-client/id-token.test.ts'],
      'src/issue-client/id-token-github.ts': ['test/issue-client/id-token-github.test.ts'],
      'src/issue-client/id-token-search.ts': ['test/issue-client/id-token.test.ts'],
      'src/issue-client/id-token-variable.ts': ['test/issue-client/id-token.test.ts'],
      'src/issue-client/persist.ts': ['test/issue-client/persist.test.ts'],
      'src/issue-client/refusals.ts': ['test/issue-client/refusals.test.ts'],
    },
  },
  adapters: {
    files: {
      'src/adapters/express.ts': ['test/adapters/{options,frameworks,time-limits,addresses}.test.ts'],
      'src/adapters/fastify.ts': ['test/adapters/{options,frameworks,time-limits,addresses}.test.ts'],
      'src/adapters/gate.ts': ['test/adapters/{options,web,refusals,addresses}.test.ts'],
      'src/adapters/hono.ts': ['test/adapters/{options,frameworks,addresses}.test.ts'],
      'src/adapters/node-request.ts': ['test/adapters/frameworks.test.ts'],
      'src/adapters/warning.ts': ['test/adapters/options.test.ts'],
      'src/adapters/web.ts': ['test/adapters/{options,web,addresses}.test.ts'],
      'src/adapters/web-gate.ts': ['test/adapters/{web,frameworks}.test.ts'],
    },
  },
  serve: {
    files: {
      'src/server/auth.ts': ['test/server/{auth,method-override,client-address}.test.ts'],
      'src/server/census.ts': ['test/server/census.test.ts'],
      'src/server/client-address.ts': ['test/server/client-address.test.ts'],
      'src/server/key-headers.ts': ['test/server/auth.test.ts'],
      'src/server/verify-request.ts': ['test/server/{verdict-json,verify-request}.test.ts'],
    },
  },
  issued: {
    files: {
      'src/cli/issued/create-from.ts': ['test/cli/create-from.test.ts'],
      'src/cli/issued/delete-from.ts': ['test/cli/delete-from.test.ts'],
      'src/cli/issued/from-flags.ts': ['test/cli/{create-from,delete-from,run-from}.test.ts'],
      'src/cli/issued/issued-keys.ts': ['test/cli/{create-from,delete-from}.test.ts'],
    },
  },
  delivery: {
    files: {
      'src/cli/delivery/child.ts': ['test/delivery/child.test.ts'],
      'src/cli/delivery/copy.ts': ['test/cli/sinks.test.ts'],
      'src/cli/delivery/delivery.ts': ['test/cli/{sinks,create}.test.ts'],
      'src/cli/delivery/dotenv.ts': ['test/delivery/file-sinks.test.ts'],
      'src/cli/delivery/dotenv-text.ts': ['test/delivery/dotenv-text.test.ts'],
      'src/cli/delivery/github-file.ts': ['test/delivery/runner-file.test.ts'],
      'src/cli/delivery/key-dir.ts': ['test/delivery/key-dir.test.ts'],
      'src/cli/delivery/key-file.ts': ['test/delivery/file-sinks.test.ts'],
      'src/cli/delivery/program.ts': ['test/cli/{sinks,create-from}.test.ts'],
      'src/cli/delivery/rotation.ts': ['test/cli/rotate.test.ts'],
      'src/cli/delivery/sinks.ts': ['test/cli/{sinks,create-from}.test.ts'],
      'src/cli/delivery/stdout.ts': ['test/cli/{sinks,create-many}.test.ts'],
      'src/cli/delivery/variable.ts': ['test/cli/sinks.test.ts'],
    },
  },
  files: {
    files: {
      'src/files/asset.ts': ['test/files/asset.test.ts'],
      'src/files/errno.ts': ['test/files/{private-file,exists}.test.ts'],
      'src/files/exists.ts': ['test/files/exists.test.ts'],
      'src/files/lines.ts': ['test/files/lines.test.ts'],
      'src/files/make-directory.ts': ['test/files/make-directory.test.ts'],
      'src/files/pepper-file.ts': ['test/files/pepper-file.test.ts'],
      'src/files/private-file.ts': ['test/files/private-file.test.ts'],
      'src/files/search-path.ts': ['test/files/search-path.test.ts'],
      'src/files/text.ts': ['test/files/text.test.ts'],
    },
  },
  hashing: {
    files: {
      'src/hashing/bcrypt-pool.ts': ['test/hashing/bcrypt-pool.test.ts'],
      'src/hashing/bcrypt-thread.ts': ['test/hashing/bcrypt-thread.test.ts'],
    },
  },
  'http-server': {
    files: {
      'src/http-server/client-error.ts': ['test/http-server/client-error.test.ts'],
      'src/http-server/health.ts': ['test/http-server/health.test.ts'],
      'src/http-server/http-server.ts': ['test/server/{server,refusals}.test.ts'],
      'src/http-server/json-body.ts': ['test/http-server/json-body.test.ts'],
      'src/http-server/listen.ts': ['test/http-server/listen.test.ts'],
      'src/http-server/log.ts': ['test/http-server/log.test.ts'],
      'src/http-server/metrics.ts': ['test/http-server/metrics.test.ts'],
      'src/http-server/replies.ts': ['test/server/server.test.ts'],
    },
  },
  loader: {
    files: { 'src/loader/compiled-forms.ts': ['test/loader/compiled-forms.test.ts'] },
  },
  'audited-change': { mutate: ['src/store/audited-change.ts'], tests: ['test/store/audited-change.test.ts'] },
  plans: {
    mutate: ['src/store/{changes,planned,deleted-changes,catalogue-changes}.ts'],
    tests: [
      'test/store/{planned,planned-changes,catalogue-changes,deleted-changes}.test.ts',
      'test/store/{changes,atomicity,rotate}.test.ts',
    ],
  },
};

/** The score, in per cent, that each group must have. */
const LOWEST = 85;

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

const reportsOf = (name, file) =>
  path.join('reports/mutation', name, file === undefined ? '' : path.basename(file, '.ts'));

/** The runs of Stryker that a group takes: one, or one for each file that has tests of its own. */
function runsOf(name) {
  const { mutate, tests, files } = GROUPS[name];
  if (files === undefined) return [{ mutate: values.file ?? mutate, tests, reports: reportsOf(name) }];
  return Object.keys(files)
    .filter((file) => values.file?.includes(file) ?? true)
    .map((file) => ({ mutate: [file], tests: files[file], reports: reportsOf(name, file) }));
}

function run({ mutate, tests, reports }) {
  mkdirSync(path.join(root, reports), { recursive: true });
  const config = path.join(reports, 'stryker.json');
  const options = {
    testRunner: 'vitest',
    vitest: { configFile: 'scripts/mutation.vitest.ts', related: false },
    plugins: ['@stryker-mutator/vitest-runner'],
    mutate,
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

/** How many changes were noticed, and how many survived, by the latest reports of a group. */
function figuresOf(name) {
  const { files } = GROUPS[name];
  const reports = files === undefined ? [reportsOf(name)] : Object.keys(files).map((file) => reportsOf(name, file));
  const found = reports.map((each) => path.join(root, each, 'mutation.json')).filter((each) => existsSync(each));
  const mutants = found
    .flatMap((each) => Object.values(JSON.parse(readFileSync(each, 'utf8')).files))
    .flatMap((file) => file.mutants);
  const count = (...statuses) => mutants.filter(({ status }) => statuses.includes(status)).length;
  return { noticed: count('Killed', 'Timeout'), survived: count('Survived', 'NoCoverage') };
}

for (const name of names.length > 0 ? names : Object.keys(GROUPS)) {
  const runs = runsOf(name);
  if (runs.length === 0 && names.length > 0) {
    console.error(`the group "${name}" has no file ${values.file.join(', ')}`);
    process.exit(2);
  }
  for (const each of runs) run(each);
  const { noticed, survived } = figuresOf(name);
  const score = (100 * noticed) / (noticed + survived);
  console.log(`${name}: ${noticed} noticed, ${survived} survived, ${score.toFixed(1)} %`);
  if (!(score >= LOWEST)) process.exitCode = 1;
}
