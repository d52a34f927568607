import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { Place, ROOT } from '../support/built-tool.js';
import { faultyProxy } from '../support/faulty-proxy.js';
import { GITHUB, GITLAB } from '../support/oidc-claims.js';
import { AUDIENCE, OidcProvider } from '../support/oidc-provider.js';
import { type KillPoint, killAt } from '../support/preloads.js';
import { Served } from '../support/served.js';
import { startSqld } from '../support/sqld.js';

// A job and the server that gives it keys, both as they are installed, with a real provider of ID tokens.

/** Hands out the ID tokens of a GitHub job, as GitHub does. */
async function githubService(provider: OidcProvider, claims: object = GITHUB) {
  const server = createServer(async (call, reply) => {
    const aud = new URL(call.url ?? '', 'http://x').searchParams.get('audience') ?? '';
    reply.end(JSON.stringify({ value: await provider.token({ ...claims, aud }) }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    CI: 'true',
    GITHUB_ACTIONS: 'true',
    ACTIONS_ID_TOKEN_REQUEST_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token?api-version=2.0`,
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'of-the-runner',
  };
}

/** `issue` on a store, and a machine that runs jobs. `node`: flags for the first server. */
async function scene(store: Record<string, string> = {}, node: (place: Place) => readonly string[] = () => []) {
  const provider = await OidcProvider.start();
  const [operator, runner] = [new Place(store), new Place()];
  await operator.key('other');
  const rule = { issuer: provider.issuer, audience: AUDIENCE, scopes: ['checkin:read'], maxTtl: '30m' };
  const rules = [
    { ...rule, name: 'app', claims: { repository_id: '42' } },
    { ...rule, name: 'kiosk', claims: { project_id: '20' } },
  ];
  const file = operator.write('issue.json', JSON.stringify(rules));
  const env = { NODE_EXTRA_CA_CERTS: operator.write('provider.pem', provider.ca) };
  const serve = (listen: string, flags: readonly string[] = []) =>
    new Served(
      operator,
      ['--rules', file, '--listen', listen],
      { ...env, NODE_OPTIONS: flags.join(' ') },
      process.execPath,
      'issue',
    );
  const server = serve('127.0.0.1:0', node(operator));
  const url = await server.url();
  const job = (flags: string[], more: Record<string, string>) =>
    runner.tool([...flags.slice(0, 1), '--from', url, ...flags.slice(1)], { env: more });
  /** Another server in its place. */
  const next = () => serve(new URL(url).host);
  return { provider, operator, runner, server, next, url, job };
}

const SQLD = async () => {
  const { url, token } = await startSqld();
  return { UNLOCKOS_KEYS_STORE: url, UNLOCKOS_KEYS_AUTH_TOKEN: token };
};

test.each([
  ['a file', async () => ({})],
  ['sqld', SQLD],
])('with a store in %s: a GitHub job gets a key that works while its program runs, and no longer', async (_, store) => {
  const { provider, operator, runner, server, job } = await scene(await store());
  const github = await githubService(provider);
  const verify = `printf %s "$UNLOCKOS_API_KEY" > key; exec '${process.execPath}' '${ROOT}/bin/unlockos-keys.js' verify --stdin -o value < key`;
  const asOperator = Object.fromEntries(
    Object.entries(operator.env()).filter(([name]) => name.startsWith('UNLOCKOS_KEYS_')),
  );
  const flags = ['--audience', AUDIENCE, '-s', 'checkin:read', '--ttl', '10m'];
  // The program may read the store, so that it can tell whether its key works; what runs it does not look at those variables.
  const program = ['env', ...Object.entries(asOperator).map(([name, value]) => `${name}=${value}`), 'sh', '-c', verify];
  const ran = await job(['run', ...flags, '--', ...program], github);
  expect(ran, ran.stderr).toMatchObject({ exitCode: 0, stdout: 'valid\n' });
  const keyString = readFileSync(runner.file('key'), 'utf8');
  expect(await operator.verdict(keyString)).toBe('invalid');
  expect(await operator.names()).toEqual(['other']);
  expect(existsSync(runner.store)).toBe(false);
  const log = await operator.look(['audit', 'list', '--key', keyString.slice(10, 22), '--json']);
  expect(JSON.parse(log.stdout)).toMatchObject([
    { action: 'key.create', actor: expect.stringContaining('github:acme/app@refs/heads/main') },
    { action: expect.stringMatching(/^key\./), actor: expect.stringContaining('github:acme/app@refs/heads/main') },
  ]);
  expect(server.text + ran.stderr).not.toContain('eyJ');
  expect(server.text + ran.stderr.replace(/^::add-mask::.*$/m, '')).not.toContain(keyString.slice(23));

  const file = runner.write('github-env', '');
  const made = await job(['create', '--audience', AUDIENCE, '-s', 'checkin:read', '--github-env', 'KEY'], {
    ...github,
    GITHUB_ENV: file,
  });
  expect(made.exitCode, made.stderr).toBe(0);
  const shared = readFileSync(file, 'utf8').trim().replace('KEY=', '');
  expect(await operator.verdict(shared)).toBe('valid');
  const end = ['delete', shared.slice(10, 22), '--audience', AUDIENCE, '--yes'];
  const stranger = await job(end, await githubService(provider, { ...GITHUB, run_attempt: '2' }));
  expect(stranger.exitCode, stranger.stderr).toBe(3);
  expect(await operator.verdict(shared)).toBe('valid');
  const ended = await job(end, github);
  expect(ended.exitCode, ended.stderr).toBe(0);
  expect(await operator.verdict(shared)).toBe('invalid');
  expect(await operator.health()).toEqual({ doctor: 0, audit: 0 });
});

test('what is refused is said in the words of the server', async () => {
  const { provider, operator, job } = await scene();
  const run = ['run', '--audience', AUDIENCE, '-s', 'checkin:read'];
  const end = ['--', process.execPath, '-e', '0'];
  const other = await githubService(provider, { ...GITHUB, repository_id: '7' });
  const github = await githubService(provider);
  const pull = await githubService(provider, { ...GITHUB, event_name: 'pull_request', ref: 'refs/pull/1/merge' });
  for (const [words, env, exitCode, says] of [
    [[...run, ...end], other, 4, /no rule of .* allows this job a key: repository_id is "?7"?, /],
    [[...run, ...end], pull, 4, /no rule of .* allows this job a key: .*pull/],
    [[...run, '-s', 'plan:read', ...end], github, 6, /does not allow a scope: .*plan:read/],
    [[...run, '--ttl', '2h', ...end], github, 6, /does not allow a key to live that long: .*30 min/],
    [['run', '-s', 'checkin:read', ...end], github, 4, /does not accept the ID token: aud is .*127\.0\.0\.1/],
  ] as const) {
    const done = await job([...words], env);
    expect(done.exitCode, done.stderr).toBe(exitCode);
    expect(done.stderr).toMatch(says);
    expect(done.stderr).not.toContain('eyJ');
  }
  expect(await operator.names()).toEqual(['other']);
});

test('one ID token of GitLab gives one key, which it can delete; a lost answer is known by that', async () => {
  const { provider, operator, url, runner, job } = await scene();
  const gitlab = async () => ({ CI: 'true', GITLAB_CI: 'true', UNLOCKOS_KEYS_ID_TOKEN: await provider.token(GITLAB) });
  const words = ['run', '-s', 'checkin:read', '--', process.execPath, '-e', '0'];
  const env = await gitlab();
  const [first, second] = [await job(words, env), await job(words, env)];
  expect(first.exitCode, first.stderr).toBe(0);
  expect(second.exitCode).toBe(4);
  expect(second.stderr).toMatch(/the ID token was used before at /);
  expect(await operator.names()).toEqual(['other']);

  const proxy = await faultyProxy(url);
  proxy.at(1, 'cut-before-reply');
  const lost = await runner.tool(['run', '--from', proxy.url, ...words.slice(1)], { env: await gitlab() });
  expect(lost.exitCode, lost.stderr).toBe(8);
  expect(lost.stderr).toMatch(/created a key, but its answer was lost; that key was deleted/);
  expect(await operator.names()).toEqual(['other']);
});

test.each<KillPoint>([
  'before-commit',
  'after-commit',
])('a server that is killed %s: the job gets a key of the next one, and none is left that nobody has', async (point) => {
  const { provider, operator, server, next, job } = await scene({}, (place) => killAt(place, point));
  const github = await githubService(provider);
  const words = ['run', '--audience', AUDIENCE, '-s', 'checkin:read', '--', process.execPath, '-e', '0'];
  const running = job(words, github);
  expect(await server.ended()).toEqual([null, 'SIGKILL']);
  const left = await operator.names();
  const second = next();
  const { exitCode, stderr } = await running;
  expect(exitCode, stderr).toBe(0);
  expect(left).toHaveLength(point === 'after-commit' ? 2 : 1);
  if (point === 'after-commit') expect(stderr).toMatch(/Deleted key \w{12}, which .* had created and nobody got/);
  expect(await operator.names()).toEqual(['other']);
  expect(await second.ended('SIGTERM')).toEqual([0, null]);
  expect(await operator.health()).toEqual({ doctor: 0, audit: 0 });
});
