import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { type FaultyIssuer, faultyIssuer, idToken, problem } from '../support/faulty-issuer.js';
import { type TestCli, testCli } from '../support/test-cli.js';

const NODE = process.execPath;

/** A job beside a server: its clock is real, its store does not exist. */
async function job(env: (server: FaultyIssuer) => Record<string, string>) {
  const server = await faultyIssuer();
  const cli = testCli();
  cli.clock = () => new Date();
  cli.ci = { name: 'CI' };
  cli.env = { PATH: process.env.PATH, UNLOCKOS_KEYS_STORE: cli.store, ...env(server) };
  return { server, cli };
}

const withToken = (server: FaultyIssuer) => ({ UNLOCKOS_KEYS_ID_TOKEN: server.token() });

/** Runs a program that notes its environment, and ends as it is told. */
async function run(cli: TestCli, server: FaultyIssuer, flags: string[] = [], end = '') {
  const file = path.join(cli.dir, 'witness.mjs');
  const seen = path.join(cli.dir, 'seen.json');
  writeFileSync(
    file,
    `import { writeFileSync } from 'node:fs';\nwriteFileSync(${JSON.stringify(seen)}, JSON.stringify(process.env));\n${end}\n`,
  );
  const scope = flags.includes('-s') ? [] : ['-s', 'checkin:read'];
  const done = await cli.run('run', '--from', server.url, ...scope, ...flags, '--', NODE, file);
  const env = existsSync(seen) ? (JSON.parse(readFileSync(seen, 'utf8')) as Record<string, string>) : null;
  return { ...done, env };
}

describe('run --from', () => {
  test('gives the program a key of the server, deletes it at the end, and opens no store', async () => {
    const { server, cli } = await job(withToken);
    const { exitCode, stdout, stderr, env } = await run(cli, server, ['--ttl', '10m'], 'process.exit(3)');
    expect({ exitCode, stdout }, stderr).toEqual({ exitCode: 3, stdout: '' });
    const [made] = server.made;
    expect(env?.UNLOCKOS_API_KEY).toBe(made?.key);
    expect(server.calls.map(({ method, path, body }) => [method, path, body])).toEqual([
      ['POST', '/keys', '{"scopes":["checkin:read"],"ttl":"10m"}'],
      ['DELETE', `/keys/${made?.id}`, ''],
    ]);
    expect(server.keys.size).toBe(0);
    expect(existsSync(cli.store)).toBe(false);
    expect(stderr).toMatch(/Created TEST key .*\nDeleted /);
    const token = cli.env.UNLOCKOS_KEYS_ID_TOKEN ?? '';
    expect(JSON.stringify({ ...env, UNLOCKOS_API_KEY: '' })).not.toContain(token);
    expect(stderr).not.toContain(token);
    expect(stderr).not.toContain(made?.key.slice(23));
  });

  test('without --ttl the rule of the server decides', async () => {
    const { server, cli } = await job(withToken);
    expect((await run(cli, server)).exitCode).toBe(0);
    expect(server.calls[0]?.body).toBe('{"scopes":["checkin:read"]}');
  });

  test('takes an ID token from GitHub, another for each request, and the program gets nothing to ask for one', async () => {
    const { server, cli } = await job((each) => each.github);
    const { exitCode, stderr, env } = await run(cli, server);
    expect(exitCode, stderr).toBe(0);
    expect(server.calls.map(({ method, path }) => [method, path])).toEqual([
      ['GET', `/token?api-version=2.0&audience=${encodeURIComponent(server.url)}`],
      ['POST', '/keys'],
      ['GET', `/token?api-version=2.0&audience=${encodeURIComponent(server.url)}`],
      ['DELETE', `/keys/${server.made[0]?.id}`],
    ]);
    expect(server.calls[1]?.token).not.toBe(server.calls[3]?.token);
    expect(Object.keys(env ?? {}).filter((name) => name.startsWith('ACTIONS_'))).toEqual([]);
    expect(env?.GITHUB_ACTIONS).toBe('true');
    expect(stderr).toContain(`::add-mask::${server.made[0]?.key}`);
    expect(stderr).not.toContain(server.requestToken);
  });

  test.each([
    [
      '--id-token-env',
      (cli: TestCli, token: string) => Object.assign(cli.env, { BUILD_TOKEN: token }) && 'BUILD_TOKEN',
    ],
    [
      '--id-token-file',
      (cli: TestCli, token: string) => writeFileSync(path.join(cli.dir, 'token'), `${token}\n`) ?? 'token',
    ],
  ])('takes it from %s', async (flag, put) => {
    const { server, cli } = await job(() => ({}));
    const token = server.token();
    const { exitCode, stderr, env } = await run(cli, server, [flag, String(put(cli, token))]);
    expect(exitCode, stderr).toBe(0);
    expect(server.calls.map((call) => call.token)).toEqual([token, token]);
    expect(JSON.stringify(env)).not.toContain(token);
    expect(server.keys.size).toBe(0);
  });

  test('asks GitHub for the audience that is given', async () => {
    const { server, cli } = await job((each) => each.github);
    const { exitCode, stderr } = await run(cli, server, ['--audience', 'keys']);
    expect(exitCode).toBe(4);
    expect(stderr).toContain(`does not accept the ID token: aud is keys, the rule asks for ${server.url}`);
    expect(server.calls[0]?.path).toMatch(/&audience=keys$/);
  });

  test.each([
    [{}, [], /there is no ID token for this job[\s\S]*--id-token-env NAME/],
    [{ GITHUB_ACTIONS: 'true' }, [], /permissions: id-token: write/],
    [{ GITHUB_ACTIONS: 'true', GITHUB_EVENT_NAME: 'pull_request' }, [], /from a fork/],
    [{ GITLAB_CI: 'true' }, [], /id_tokens: \{ UNLOCKOS_KEYS_ID_TOKEN: \{ aud: http/],
    [{}, ['--id-token-env', 'NONE'], /the variable NONE is not set/],
    [{ SECRET: 'hunter2' }, ['--id-token-env', 'SECRET'], /does not hold an ID token, so nothing was sent/],
    [{}, ['--id-token-file', 'none'], /cannot read the ID token "none": there is no such file/],
  ])('without an ID token it says what the job lacks, and asks nobody: %j %j', async (env, flags, says) => {
    const { server, cli } = await job(() => env);
    const { exitCode, stderr, env: seen } = await run(cli, server, flags);
    expect({ exitCode, seen }, stderr).toEqual({ exitCode: 4, seen: null });
    expect(stderr).toMatch(says);
    expect(stderr).not.toContain('hunter2');
    expect(server.calls).toEqual([]);
  });

  test.each([
    [['--store', 'keys.db'], /--store and --from do not go together[\s\S]*the server has the store/],
    [['-p', 'prod'], /--profile and --from/],
    [['--allow-http'], /--allow-http and --from/],
    [['--name', 'x'], /the server names the key/],
    [['--rate-limit', '5/s'], /--rate-limit and --from/],
    [['--actor', 'me'], /--actor and --from[\s\S]*the ID token says who/],
    [['-s', 'checkin:*'], /"checkin:\*" and --from do not go together/],
    [['-s', 'checkin'], /"checkin" is not a scope/],
    [['--ttl', '25h'], /longer than 24 hours/],
    [['--ttl', '1h', '--expires', '1h'], /--ttl and --expires mean the same/],
    [['--id-token-env', 'A', '--id-token-file', 'b'], /do not go together/],
    [['--audience', 'x'], /--audience says what to ask GitHub for/],
  ])('%j is refused before anybody is asked', async (flags, says) => {
    const { server, cli } = await job(withToken);
    const { exitCode, stderr, env } = await run(cli, server, flags);
    expect({ exitCode, env }, stderr).toEqual({ exitCode: 2, env: null });
    expect(stderr).toMatch(says);
    expect(server.calls).toEqual([]);
  });

  test.each([
    ['http://keys.acme.example', /would be accessed unencrypted/],
    ['https://me:hunter2@keys.acme.example', /contains a user name or password/],
    ['https://keys.acme.example/?token=hunter2', /has parameters/],
    ['libsql://keys.acme.example', /is not an https:\/\/ URL/],
    ['keys.acme.example', /is not a URL/],
  ])('--from %s is refused, and no secret in it is repeated', async (url, says) => {
    const cli = testCli({ env: { UNLOCKOS_KEYS_ID_TOKEN: idToken('x') } });
    const { exitCode, stderr } = await cli.run('run', '--from', url, '-s', 'plan:read', '--', NODE);
    expect({ exitCode }).toEqual({ exitCode: 2 });
    expect(stderr).toMatch(says);
    expect(stderr).not.toContain('hunter2');
  });

  test.each([
    ['--id-token-env', 'TOKEN'],
    ['--id-token-file=TOKEN'],
    ['--audience', 'TOKEN'],
    ['TOKEN'],
  ])('a token in the place of its variable is refused, and not repeated: %s', async (...words) => {
    const { server, cli } = await job(withToken);
    const token = server.token();
    const { exitCode, stderr } = await run(
      cli,
      server,
      words.map((word) => word?.replace('TOKEN', token) ?? ''),
    );
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/an argument holds a token[\s\S]*name the variable or the file/);
    expect(stderr).not.toContain('eyJ');
    expect(server.calls).toEqual([]);
  });

  test('a dry run asks nobody', async () => {
    const { server, cli } = await job(withToken);
    const { exitCode, stderr, env } = await run(cli, server, ['-n']);
    expect({ exitCode, env }).toEqual({ exitCode: 0, env: null });
    expect(stderr).toContain(`Dry run: would ask ${server.url} for a TEST key with checkin:read`);
    expect(server.calls).toEqual([]);
  });

  test('a program that does not exist is refused before anybody is asked', async () => {
    const { server, cli } = await job(withToken);
    const { exitCode } = await cli.run('run', '--from', server.url, '-s', 'plan:read', '--', 'no-such-program');
    expect(exitCode).toBe(127);
    expect(server.calls).toEqual([]);
  });

  test('needs no home directory, no configuration and no sound store', async () => {
    const { server, cli } = await job(withToken);
    Object.assign(cli.env, {
      UNLOCKOS_KEYS_STORE: 'ftp://x',
      UNLOCKOS_KEYS_PROFILE: 'none',
      UNLOCKOS_KEYS_CONFIG_DIR: 'y',
    });
    expect((await run(cli, server)).exitCode).toBe(0);
  });

  test.each([
    ['not_allowed', 403, 4, 'repository_id is 7, the rule asks for 42'],
    ['scope_not_allowed', 403, 6, 'plan:read may not be asked for'],
    ['ttl_too_long', 400, 6, 'the longest is 30m'],
    ['bad_request', 400, 2, 'scopes is missing'],
    ['token_expired', 401, 4, 'it expired 40 s ago'],
  ])('%s is said in the words of the server, without the token', async (code, status, exit, detail) => {
    const { server, cli } = await job(withToken);
    const token = cli.env.UNLOCKOS_KEYS_ID_TOKEN ?? '';
    server.next.POST.push(problem(status, code, `${detail} ${token} \u001b[31m`));
    const { exitCode, stderr, env } = await run(cli, server);
    expect({ exitCode, env }, stderr).toEqual({ exitCode: exit, env: null });
    expect(stderr).toContain(detail);
    expect(stderr).not.toContain(token);
    expect(stderr).not.toContain('\u001b');
  });
});

describe('the end of the key', () => {
  test('a server that cannot delete now is not said to create none', async () => {
    const { server, cli } = await job(withToken);
    for (let n = 0; n < 4; n++) server.next.DELETE.push(problem(503, 'store_unavailable', 'x', { 'retry-after': '0' }));
    expect((await run(cli, server)).stderr).toContain('cannot delete a key now: its store does not answer: x');
  });

  test('one that could not be deleted is said with its end, and the exit code of the program stands', async () => {
    const { server, cli } = await job(withToken);
    server.next.DELETE.push(problem(403, 'not_allowed', 'no longer'));
    const { exitCode, stderr } = await run(cli, server, [], 'process.exit(5)');
    expect(exitCode).toBe(5);
    expect(stderr).toContain(`could not delete key ${server.made[0]?.id}`);
    expect(stderr).toContain(`it expires at ${server.made[0]?.expiresAt}`);
  });

  test('it is deleted with the token that it was made with, when there is no other', async () => {
    const { server, cli } = await job((each) => each.github);
    server.next.GET.push(
      (_, reply) => server.giveToken(reply),
      (_, reply) => reply.writeHead(403).end(),
    );
    const { exitCode } = await run(cli, server);
    expect(exitCode).toBe(0);
    const [post, gone] = ['POST', 'DELETE'].map((method) => server.calls.find((call) => call.method === method));
    expect(gone?.token).toBe(post?.token);
    expect(server.keys.size).toBe(0);
  });
});
