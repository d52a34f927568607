import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { type Place as AnyPlace, Place, ROOT } from '../support/built-tool.js';

// README's recipes, word for word, with the tool and a test of ours on PATH.

const readme = readFileSync(path.join(ROOT, 'README.md'), 'utf8');

function recipe(heading: string, mark: string): string {
  const section = readme.slice(readme.indexOf(heading));
  const blocks = [...section.matchAll(/```(?:sh|yaml)\n(.*?)```/gs)].map(([, text = '']) => text);
  const found = blocks.find((text) => text.includes(mark));
  if (found === undefined) throw new Error(`README has no block with ${mark}`);
  return found;
}

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

test('GitLab: a key that lives as long as its job', async () => {
  const place = machine();
  await place.key('other');
  const job = parse(recipe('### In CI', 'gitlab-ci')).test as { script: string[] };
  for (const line of job.script) await step(place, line, { CI: 'true', GITLAB_CI: 'true' });
  expect(seen(place)).toBe('valid\n');
  expect(await place.names()).toEqual(['other']);
  expect(await place.health()).toEqual({ doctor: 0, audit: 0 });
});

test('GitHub: a key that the steps of a job share', async () => {
  const place = machine();
  const { jobs } = parse(recipe('### In CI', 'workflows/test.yml')) as {
    jobs: { test: { steps: { run: string; if?: string }[] } };
  };
  const file = place.write('github-env', '');
  const runner = { CI: 'true', GITHUB_ACTIONS: 'true', GITHUB_ENV: file, GITHUB_RUN_ID: '4711' };
  const logs: string[] = [];
  for (const { run } of jobs.test.steps) {
    const [, value = ''] = /UNLOCKOS_API_KEY(?:=|<<\S+\n)(unlk_\S+)/.exec(readFileSync(file, 'utf8')) ?? [];
    const { stdout, stderr } = await step(place, run, { ...runner, ...(value && { UNLOCKOS_API_KEY: value }) });
    logs.push(stdout + stderr);
  }
  expect(seen(place)).toBe('valid\n');
  expect(await place.names()).toEqual([]);
  const keyString = /unlk_\S+/.exec(readFileSync(file, 'utf8'))?.[0] ?? '';
  expect(logs.join('').replaceAll(`::add-mask::${keyString}`, '')).not.toContain(keyString.slice(23));
});

test('a shell script: a key file that goes with the script', async () => {
  const place = machine();
  await step(place, recipe('### In CI', '#!/bin/sh'), {});
  expect(seen(place)).toBe('valid\n');
  expect(await place.names()).toEqual([]);
  const left = await place.run('ls', ['-a']);
  expect(left.stdout).not.toContain('.key');
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
  const [scan = '', replace = '', audit = ''] = recipe('### A leaked key', 'scan --git-history').trim().split('\n');
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
