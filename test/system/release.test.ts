import { readdirSync, readFileSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { Place, ROOT } from '../support/built-tool.js';
import { read } from '../support/documents.js';

// A release as far as this machine can make one: from `npm version` to the files that would be published.

/** A clone of this repository as it is committed, with the packages that are installed here. */
async function clone(place: Place) {
  const run = async (...words: [string, ...string[]]) => {
    const [file, ...args] = words;
    const env = { npm_config_cache: process.env.npm_config_cache ?? path.join(process.env.HOME ?? '', '.npm') };
    return place.run(file, args, { cwd: place.file('clone'), env });
  };
  await place.run('git', ['clone', '--quiet', ROOT, 'clone']);
  symlinkSync(path.join(ROOT, 'node_modules'), place.file('clone', 'node_modules'));
  place.write('clone/.git/info/exclude', '/node_modules\n'); // a link is no directory, as .gitignore says
  await run('git', 'config', 'user.name', 'A');
  await run('git', 'config', 'user.email', 'a@example.com');
  return run;
}

/** What the workflow runs to publish. */
const publishes = (): string[] =>
  parse(read('.github/workflows/release.yml')).jobs.publish.steps.map(({ run }: { run?: string }) => run ?? '');

test('npm version and release:check make the files to publish, with all that is inside', async () => {
  const place = new Place();
  const run = await clone(place);
  const first = await run('npm', 'run', '--silent', 'release:check');
  expect(first).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('CHANGELOG.md begins with "Unreleased"'),
  });
  await run('git', 'tag', 'v9.8.6');
  expect(await run('npm', 'version', '9.8.6')).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('the tag v9.8.6 exists'),
  });
  expect((await run('git', 'log', '-1', '--format=%s')).stdout).not.toContain('9.8.6');
  await run('git', 'checkout', '--quiet', 'package.json', 'package-lock.json');
  await run('git', 'tag', 'v0.1.0', 'HEAD~1');
  expect((await run('npm', 'run', '--silent', 'release:check')).stderr).toContain(
    'the tag v0.1.0 is on another commit',
  );
  expect((await run('npm', 'version', '9.8.7', '--message', 'Release %s')).exitCode).toBe(0);
  expect((await run('git', 'status', '--porcelain')).stdout).toBe('');
  const checked = await run('npm', 'run', '--silent', 'release:check');
  expect(checked.exitCode, checked.stdout + checked.stderr).toBe(0);
  expect(checked.stdout).toContain('Ready to publish, in release/');
  const release = place.file('clone', 'release');
  expect(readdirSync(release).sort()).toEqual([
    'SHA256SUMS',
    'unlockos-keys-9.8.7.cdx.json',
    'unlockos-keys-9.8.7.tgz',
  ]);
  const [line = ''] = publishes().filter((each) => each.startsWith('npm publish '));
  const tried = await run('bash', '-c', `${line.replace(' --provenance', '')} --dry-run`); // GitHub alone can say where it comes from
  expect(tried, tried.stderr).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('unlockos-keys@9.8.7') });
  expect((await place.run('sha256sum', ['--check', '--strict', 'SHA256SUMS'], { cwd: release })).exitCode).toBe(0);
  const { components } = JSON.parse(readFileSync(path.join(release, 'unlockos-keys-9.8.7.cdx.json'), 'utf8'));
  const names = components.map(({ name }: { name: string }) => name);
  expect(names).toEqual(expect.arrayContaining(['bcryptjs', 'commander', 'drizzle-orm', 'libsql']));
  expect(names).not.toContain('vitest');
}, 400_000); // it builds, tests and installs

test('the workflow trusts no tag of others, and each job has the rights that it needs', () => {
  const workflow = parse(read('.github/workflows/release.yml'));
  expect(workflow.permissions).toEqual({});
  const { check, publish } = workflow.jobs;
  expect(check.permissions).toEqual({ contents: 'read' });
  expect(publish.needs).toBe('check');
  const steps = [...check.steps, ...publish.steps];
  for (const { uses } of steps) if (uses !== undefined) expect(uses).toMatch(/^[\w/-]+@[0-9a-f]{40}$/);
  const lines = publishes();
  expect(lines.indexOf('npm run release:check')).toBeLessThan(
    lines.findIndex((line: string) => line.startsWith('npm publish ./release/')),
  );
});
