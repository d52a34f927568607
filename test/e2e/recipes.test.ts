import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { type Place as AnyPlace, Place, ROOT } from '../support/built-tool.js';
import { block } from '../support/documents.js';
import { type FaultyIssuer, faultyIssuer, idToken } from '../support/faulty-issuer.js';

// The recipes of the documents, word for word, with the tool and a test of ours on PATH.

/** `unlockos-keys` on PATH, and an `npm` whose tests ask whether the key works, and note what they saw. */
function machine(): Place {
  const place = new Place();
  place.write(
    'bin/unlockos-keys',
    `#!/bin/sh\nexec '${process.execPath}' '${ROOT}/bin/unlockos-keys.js' "$@"\n`,
    0o755,
  );
  place.write(
    'bin/npm',
    `#!/bin/sh\nprintf '%s' "$UNLOCKOS_API_KEY" | unlockos-keys verify --stdin -o value > '${place.file('seen')}'\n`,
    0o755,
  );
  return place;
}

const seen = (place: AnyPlace) => readFileSync(place.file('seen'), 'utf8');

async function step(place: Place, script: string, env: Record<string, string>) {
  const done = await place.run('bash', ['-e', '-c', script], { env });
  expect(done.exitCode, done.stderr).toBe(0);
  return done;
}

/** A machine whose `npm test` notes its key, beside a server that issues keys in the place of the one that the documents name. */
async function jobMachine() {
  const [place, server] = [machine(), await faultyIssuer()];
  place.write(
    'bin/npm',
    `#!/bin/sh\n[ "$1" != test ] || printf '%s' "$UNLOCKOS_API_KEY" > '${place.file('seen')}'\n`,
    0o755,
  );
  const here = (text: string) => text.replaceAll('https://keys.acme.example', server.url);
  /** The program had a key of the server, which is gone, and no store was made. */
  const wasServed = (calls: string[]) => {
    expect(server.calls.map(({ method }) => method)).toEqual(calls);
    expect(seen(place)).toBe(server.made.at(-1)?.key);
    expect(existsSync(place.store)).toBe(false);
  };
  return { place, server, here, wasServed };
}

interface GithubJob {
  readonly permissions?: Record<string, string>;
  readonly env?: Record<string, string>;
  readonly steps: readonly { run?: string; if?: string }[];
}

const githubJob = (text: string) => (parse(text) as { jobs: { test: GithubJob } }).jobs.test;

/** The variables of the runner: what asks for ID tokens is among them only if the job may. */
function runner(server: FaultyIssuer, job: GithubJob): Record<string, string> {
  return job.permissions?.['id-token'] === 'write' ? server.github : { CI: 'true', GITHUB_ACTIONS: 'true' };
}

test.each([
  ['README.md', () => block('README.md', 'workflows/test.yml')],
  ['docs/ci.md', () => block('docs/ci.md', 'workflows/test.yml')],
])('GitHub, in %s: a key of a server for one program', async (_, text) => {
  const { place, server, here, wasServed } = await jobMachine();
  const job = githubJob(here(text()));
  for (const { run } of job.steps) if (run !== undefined) await step(place, run, runner(server, job));
  wasServed(['GET', 'POST', 'GET', 'DELETE']);
  expect(server.keys.size).toBe(0);
});

test('GitHub: a key of a server for the steps of a job', async () => {
  const { place, server, here, wasServed } = await jobMachine();
  const job = githubJob(here(block('docs/ci.md', 'workflows/steps.yml')));
  const env = { ...runner(server, job), GITHUB_ENV: place.write('github-env', '') };
  const [install = '', create = '', use = '', end = ''] = job.steps.map(({ run }) => run);
  await step(place, install, env);
  const { stdout, stderr } = await step(place, create, env);
  const [, key = ''] = /^UNLOCKOS_API_KEY=(unlk_test_\S+)$/m.exec(readFileSync(env.GITHUB_ENV, 'utf8')) ?? [];
  await step(place, use, { ...env, UNLOCKOS_API_KEY: key });
  expect(server.keys.size).toBe(1);
  expect(job.steps[3]?.if).toBe("always() && env.UNLOCKOS_API_KEY != ''");
  await step(place, end, { ...env, UNLOCKOS_API_KEY: key });
  expect(server.keys.size).toBe(0);
  wasServed(['GET', 'POST', 'GET', 'DELETE']);
  expect((stdout + stderr).replaceAll(`::add-mask::${key}`, '')).not.toContain(key.slice(23));
  expect(JSON.parse(server.calls[1]?.body ?? '')).toEqual({ scopes: ['checkin:read'], ttl: '30m' });
});

test('GitLab: a key of a server for one program', async () => {
  const { place, server, here, wasServed } = await jobMachine();
  const job = parse(here(block('docs/ci.md', 'image: node'))).test as {
    id_tokens: Record<string, { aud: string }>;
    script: string[];
  };
  const tokens = Object.entries(job.id_tokens).map(([name, { aud }]) => [name, idToken(aud)]);
  for (const line of job.script)
    await step(place, line, { CI: 'true', GITLAB_CI: 'true', ...Object.fromEntries(tokens) });
  wasServed(['POST', 'DELETE']);
  expect(server.keys.size).toBe(0);
});

test('Buildkite, CircleCI and Kubernetes: a key of a server for one program', async () => {
  const { place, server, here, wasServed } = await jobMachine();
  place.write('bin/buildkite-agent', `#!/bin/sh\n[ "$4" = '${server.url}' ] && echo '${server.token()}'\n`, 0o755);
  place.write('bin/circleci', `#!/bin/sh\n[ "$5" = '{"aud":"${server.url}"}' ] && echo '${server.token()}'\n`, 0o755);
  const projected = place.write('projected', server.token());
  const recipes = [
    block('docs/ci.md', '# Buildkite'),
    block('docs/ci.md', '# CircleCI'),
    block('docs/ci.md', '# Kubernetes').replace('/var/run/secrets/keys/token', projected),
  ];
  for (const recipe of recipes) await step(place, here(recipe), {});
  wasServed(['POST', 'DELETE', 'POST', 'DELETE', 'POST', 'DELETE']);
  expect(server.keys.size).toBe(0);
});

test('GitLab, with a token: a key that lives as long as its job', async () => {
  const place = machine();
  await place.key('other');
  const job = parse(block('docs/ci.md', '.gitlab-ci.yml, with')).test as { script: string[] };
  for (const line of job.script) await step(place, line, { CI: 'true', GITLAB_CI: 'true' });
  expect(seen(place)).toBe('valid\n');
  expect(await place.names()).toEqual(['other']);
  expect(await place.health()).toEqual({ doctor: 0, audit: 0 });
});

test('GitHub, with a token: a key that the steps of a job share', async () => {
  const place = machine();
  const { jobs } = parse(block('docs/ci.md', 'workflows/token.yml')) as {
    jobs: { test: { env: Record<string, string>; steps: { run: string; if?: string }[] } };
  };
  const expressions = jobs.test.env.KEY_NAME?.match(/\$\{\{ [\w.-]+ \}\}/g);
  expect(expressions).toEqual(
    ['run_id', 'run_attempt', 'job', 'strategy'].map((part) => expect.stringContaining(part)),
  );
  const KEY_NAME = jobs.test.env.KEY_NAME?.replace(/\$\{\{.*?\}\}/g, '17171717171') ?? '';
  await place.key('other');
  const file = place.write('github-env', '');
  const runner = { CI: 'true', GITHUB_ACTIONS: 'true', GITHUB_ENV: file, KEY_NAME };
  const logs: string[] = [];
  for (const { run } of jobs.test.steps) {
    const [, value = ''] = /UNLOCKOS_API_KEY(?:=|<<\S+\n)(unlk_\S+)/.exec(readFileSync(file, 'utf8')) ?? [];
    const { stdout, stderr } = await step(place, run, { ...runner, ...(value && { UNLOCKOS_API_KEY: value }) });
    logs.push(stdout + stderr);
  }
  expect(seen(place)).toBe('valid\n');
  expect(await place.names()).toEqual(['other']);
  const keyString = /unlk_\S+/.exec(readFileSync(file, 'utf8'))?.[0] ?? '';
  expect(logs.join('').replaceAll(`::add-mask::${keyString}`, '')).not.toContain(keyString.slice(23));
});

describe('a shell script: a key file that goes with the script', () => {
  const script = (place: AnyPlace) => place.write('nightly', block('docs/ci.md', '#!/bin/sh'), 0o755);
  const expectNothingLeft = async (place: AnyPlace) => {
    expect(await place.names()).toEqual([]);
    expect((await place.run('find', ['tmp', '-name', 'key'])).stdout).toBe('');
  };

  test('when it ends', async () => {
    const place = machine();
    expect((await place.run(script(place), [])).exitCode).toBe(0);
    expect(seen(place)).toBe('valid\n');
    await expectNothingLeft(place);
  });

  test.each(['HUP', 'INT', 'TERM'])('when SIG%s ends it', async (signal) => {
    const place = machine();
    place.write('bin/npm', `#!/bin/sh\nkill -${signal} $PPID\n`, 0o755);
    expect((await place.run(script(place), [])).exitCode).toBe(143);
    await expectNothingLeft(place);
  });
});

test('the leak drill: dead, replaced, audited', async () => {
  const place = machine();
  const keyString = await place.key('partner-checkin', '--live');
  const git = ['-c', 'user.name=x', '-c', 'user.email=x@example.org', '-c', 'commit.gpgsign=false'];
  await place.run('git', ['init', '-q']);
  place.write('config.env', `KEY=${keyString}\n`);
  await place.run('git', [...git, 'add', 'config.env']);
  await place.run('git', [...git, 'commit', '-qm', 'oops']);
  await place.run('git', [...git, 'rm', '-q', 'config.env']);
  await place.run('git', [...git, 'commit', '-qm', 'nobody saw']);
  expect(existsSync(place.file('config.env'))).toBe(false);
  const [scan = '', replace = '', audit = ''] = block('docs/rotation-and-leaks.md', 'scan --git-history')
    .trim()
    .split('\n');
  const found = await place.run('bash', ['-c', scan]);
  expect(found.exitCode, found.stderr).toBe(7);
  expect(found.stdout).toContain('config.env');
  expect(found.stdout + found.stderr).not.toContain(keyString.slice(23));
  expect(await place.verdict(keyString)).toBe('inactive');
  await step(place, replace, {});
  const fresh = readFileSync(place.file('partner-checkin-2.key'), 'utf8').trim();
  expect(await place.verdict(fresh)).toBe('valid');
  const log = await step(place, audit, {});
  expect(log.stdout).toMatch(/key\.disable/);
});
