import path from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { KEY_STRING, keyStrings, Place, ROOT } from '../support/built-tool.js';
import { block } from '../support/documents.js';
import { type FaultyIssuer, faultyIssuer } from '../support/faulty-issuer.js';
import { packed, publish } from '../support/registry.js';
import { cancelStep, runAction, runComponent } from '../support/runner.js';
import { startSqld } from '../support/sqld.js';

// The action for GitHub and the component for GitLab: their own shell steps, on the package that npm would publish.

const ACTION = path.join(ROOT, 'action.yml');
const COMPONENT = path.join(ROOT, 'deploy/gitlab/unlockos-keys.yml');

let file: Buffer;
beforeAll(async () => {
  file = await packed();
});

interface Job {
  readonly place: Place;
  readonly server: FaultyIssuer;
  readonly env: Record<string, string>;
}

async function job(): Promise<Job> {
  const [registry, server] = await Promise.all([publish(file), faultyIssuer()]);
  const place = new Place({
    UNLOCKOS_KEYS_STORE: '',
    npm_config_registry: registry,
    npm_config_cache: process.env.npm_config_cache ?? path.join(process.env.HOME ?? '', '.npm'),
  });
  const env = { GITHUB_RUN_ID: '42', GITHUB_RUN_ATTEMPT: '1', GITHUB_JOB: 'test' };
  return { place, server, env: { ...env, ...server.github } };
}

/** The inputs that docs/ci.md gives to a step or an include, for another server and other commands. */
const shown = {
  action: parse(block('docs/ci.md', 'uses: unlockos/unlockos-keys')).jobs.test.steps[1].with,
  component: parse(block('docs/ci.md', 'deploy/gitlab/unlockos-keys.yml')).include[0].inputs,
};

test('the action runs commands with a key that a server issued, and the key is gone at the end', async () => {
  const { place, server, env } = await job();
  const inputs = { ...shown.action, from: server.url, run: 'echo "it has $UNLOCKOS_API_KEY"\nexit 3' };
  const { results } = await runAction(place, ACTION, inputs, env);
  expect(
    results.map(({ exitCode }) => exitCode),
    results.at(-1)?.stderr,
  ).toEqual([0, 0, 3]);
  expect(results.at(-1)?.stdout).toContain(`it has ${server.made[0]?.key}`);
  expect([server.made.length, server.keys.size]).toEqual([1, 0]);
});

test('the action leaves a key for the later steps, masked before they see it; the last step that docs/ci.md shows ends it', async () => {
  const { place, server, env } = await job();
  const inputs = { from: server.url, scopes: 'checkin:read', variable: 'KEY', ttl: '2h' };
  const { results, env: later } = await runAction(place, ACTION, inputs, env);
  const [made] = server.made;
  expect(later.KEY, results.at(-1)?.stderr).toBe(made?.key);
  expect(results.at(-1)?.stderr).toContain(`::add-mask::${made?.key}`);
  expect(keyStrings(results.at(-1)?.stdout ?? '')).toEqual([]);
  expect(server.keys.size).toBe(1);
  const last = parse(block('docs/ci.md', 'workflows/steps.yml')).jobs.test.steps.at(-1).run as string;
  const PATH = `${place.file('tmp/unlockos-keys/node_modules/.bin')}:${place.env().PATH}`;
  const script = last.replace('https://keys.acme.example', server.url);
  const ended = await place.run('bash', ['-e', '-c', script], { env: { ...later, PATH, UNLOCKOS_API_KEY: later.KEY } });
  expect(ended.exitCode, ended.stderr).toBe(0);
  expect(server.keys.size).toBe(0);
});

test('the action makes a key in a store that it has a token for', async () => {
  const { place, env } = await job();
  const sqld = await startSqld();
  const inputs = { store: sqld.url, 'auth-token': sqld.token, scopes: 'checkin:read' };
  await place.tool(['create', 'first', '--test', '-s', 'checkin:read', '-o', 'value', '--store', sqld.url], {
    env: { UNLOCKOS_KEYS_AUTH_TOKEN: sqld.token },
  });
  const { results, env: later } = await runAction(place, ACTION, inputs, env);
  expect(later.UNLOCKOS_API_KEY, results.at(-1)?.stderr).toMatch(KEY_STRING);
  const listed = await place.tool(['list', '--search', 'ci-42-1', '--json', '--store', sqld.url], {
    env: { UNLOCKOS_KEYS_AUTH_TOKEN: sqld.token },
  });
  expect(JSON.parse(listed.stdout)).toMatchObject([{ mode: 'test', status: 'active' }]);
});

test.each([
  ['no source', {}],
  ['two sources', { from: 'https://keys.acme.example', store: 'libsql://keys.acme.example' }],
])('the action says what is wrong with %s, and runs nothing', async (_, source) => {
  const { place, server, env } = await job();
  const { results } = await runAction(place, ACTION, { ...source, scopes: 'checkin:read', run: 'touch ran' }, env);
  expect(results).toMatchObject([{ exitCode: 2, stdout: expect.stringMatching(/^::error::unlockos-keys: /) }]);
  expect(server.made).toEqual([]);
});

test('an input that looks like a command is only a text', async () => {
  const { place, server, env } = await job();
  const hostile = '$(touch hit)`touch hit`"; touch hit; "';
  const inputs = { from: server.url, scopes: hostile, variable: hostile, ttl: hostile };
  const { results } = await runAction(place, ACTION, inputs, env);
  expect(results.at(-1)?.exitCode).toBe(2);
  expect((await place.run('ls', ['hit'])).exitCode).not.toBe(0);
});

test('a run of the action that is cancelled ends its key', async () => {
  const { place, server, env } = await job();
  const inputs = { ...shown.action, from: server.url, run: 'echo cancel me; sleep 600' };
  const { cancelled } = await runAction(place, ACTION, inputs, env, { cancel: true });
  expect(cancelled).toContain('cancel me');
  expect([server.made.length, server.keys.size], cancelled).toEqual([1, 0]);
});

test.each(['README.md', 'docs/ci.md'])('a step of %s that is cancelled ends its key', async (file) => {
  const { place, server, env } = await job();
  await place.run('npm', [
    'install',
    '--prefix',
    place.file('tool'),
    '--omit=optional',
    '--ignore-scripts',
    'unlockos-keys',
  ]);
  const { steps } = parse(block(file, 'workflows/test.yml')).jobs.test;
  place.write('bin/npm', '#!/bin/sh\necho cancel me; exec sleep 600\n', 0o755);
  const PATH = `${place.bin}:${place.file('tool/node_modules/.bin')}:${process.env.PATH}`;
  const said = await cancelStep(place, steps.at(-1).run.replace('https://keys.acme.example', server.url), {
    ...env,
    PATH,
  });
  expect(said).toContain('cancel me');
  expect([server.made.length, server.keys.size], said).toEqual([1, 0]);
});

test.each([
  ['- echo an item of a list', 127, /command not found/],
  [
    `x='a  b'\necho "$x" '$x' \${x:+set} \`echo ran\`; false | true; echo not reached`,
    1,
    /^a {2}b \$x set ran\n(?!not)/m,
  ],
])('the action and the component run the same commands: %j', async (commands, exitCode, says) => {
  const { place, server, env } = await job();
  const given = { from: server.url, scopes: 'checkin:read' };
  const { results } = await runAction(place, ACTION, { ...given, run: commands }, env);
  const token = { UNLOCKOS_KEYS_ID_TOKEN: server.token() };
  const { result } = await runComponent(place, COMPONENT, { ...given, commands }, token);
  for (const each of [results.at(-1), result]) {
    expect(`${each?.stdout}${each?.stderr}`).toMatch(says);
    expect(each?.exitCode).toBe(exitCode);
  }
  expect([server.made.length, server.keys.size]).toEqual([2, 0]);
});

test('the component runs commands with a key that a server issued, and the key is gone at the end', async () => {
  const { place, server } = await job();
  const inputs = { ...shown.component, from: server.url, commands: 'echo "it has $UNLOCKOS_API_KEY"; exit 3' };
  const { result, job: made } = await runComponent(place, COMPONENT, inputs, {
    UNLOCKOS_KEYS_ID_TOKEN: server.token(),
  });
  expect(result.exitCode, result.stderr).toBe(3);
  expect(result.stdout).toContain(`it has ${server.made[0]?.key}`);
  expect([server.made.length, server.keys.size]).toEqual([1, 0]);
  expect(made).toMatchObject({ id_tokens: { UNLOCKOS_KEYS_ID_TOKEN: { aud: server.url } }, stage: 'test' });
});
