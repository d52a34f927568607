import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { SINKS } from '../../src/cli/delivery/sinks.js';
import { type FaultyIssuer, faultyIssuer, problem } from '../support/faulty-issuer.js';
import { type TestCli, testCli } from '../support/test-cli.js';

async function job() {
  const server = await faultyIssuer();
  const cli = testCli();
  cli.clock = () => new Date();
  cli.ci = { name: 'GitHub Actions' };
  cli.env = { PATH: process.env.PATH, ...server.github, GITHUB_ENV: path.join(cli.dir, 'runner-env') };
  cli.env.GITHUB_OUTPUT = path.join(cli.dir, 'runner-out');
  for (const name of ['runner-env', 'runner-out']) writeFileSync(path.join(cli.dir, name), 'A=1\n');
  mkdirSync(path.join(cli.dir, 'keys'));
  writeFileSync(path.join(cli.dir, 'take'), `#!/bin/sh\ncat > '${cli.dir}/taken'\nenv > '${cli.dir}/env'\n`);
  writeFileSync(path.join(cli.dir, 'refuse'), '#!/bin/sh\nexit 3\n');
  for (const name of ['take', 'refuse']) chmodSync(path.join(cli.dir, name), 0o755);
  return { server, cli };
}

const create = (cli: TestCli, server: FaultyIssuer, ...words: string[]) =>
  cli.run('create', '--from', server.url, '-s', 'checkin:read', ...words);

const read = (cli: TestCli, name: string) => readFileSync(path.join(cli.dir, name), 'utf8');

/** Every destination, with where the key string is then. */
const DESTINATIONS: Record<string, { words: string[]; holds: (cli: TestCli, stdout: string) => string }> = {
  keyFile: { words: ['--key-file', 'keys/a'], holds: (cli) => read(cli, 'keys/a') },
  dotenv: { words: ['--dotenv', '.env'], holds: (cli) => read(cli, '.env') },
  githubEnv: { words: ['--github-env', 'KEY'], holds: (cli) => read(cli, 'runner-env') },
  githubOutput: { words: ['--github-output', 'KEY'], holds: (cli) => read(cli, 'runner-out') },
  copy: { words: ['--copy'], holds: (cli) => cli.clipboard.copied.join() },
  pipe: { words: ['--pipe', '--', './take'], holds: (cli) => read(cli, 'taken') },
  value: { words: ['-o', 'value'], holds: (_, stdout) => stdout },
  json: { words: ['--json'], holds: (_, stdout) => JSON.parse(stdout).keyString },
};

test('here is every destination', () => {
  expect(Object.keys(DESTINATIONS)).toEqual([...Object.keys(SINKS), 'value', 'json']);
});

describe('create --from', () => {
  test.each(Object.entries(DESTINATIONS))('puts the key string into %s, and nowhere else', async (_, {
    words,
    holds,
  }) => {
    const { server, cli } = await job();
    const { exitCode, stdout, stderr } = await create(cli, server, '--expires', '2h', ...words);
    expect(exitCode, stderr).toBe(0);
    const [made] = server.made;
    const keyString = made?.key ?? '';
    expect(holds(cli, stdout)).toContain(keyString);
    expect(stderr.replaceAll(`::add-mask::${keyString}`, '')).not.toContain(keyString.slice(23));
    expect(stderr).not.toContain(server.requestToken);
    expect(server.calls.map(({ method }) => method)).toEqual(['GET', 'POST']);
    expect(server.calls[1]?.body).toBe('{"scopes":["checkin:read"],"ttl":"2h"}');
    expect(server.keys.size).toBe(1);
    if (existsSync(path.join(cli.dir, 'env'))) expect(read(cli, 'env')).not.toMatch(/^ACTIONS_/m);
  });

  test('JSON has the fields of a key, with null for what the server did not tell', async () => {
    const { server, cli } = await job();
    const { stdout } = await create(cli, server, '--json');
    const [made] = server.made;
    expect(JSON.parse(stdout)).toMatchObject({
      id: made?.id,
      name: made?.name,
      keyString: made?.key,
      mode: 'test',
      status: 'active',
      scopes: ['checkin:read'],
      expiresAt: made?.expiresAt,
      rateLimit: null,
      description: null,
      labels: null,
      createdAt: null,
    });
    expect((await create(cli, server, '--json', '--fields', 'id,rateLimit')).stdout).toMatch(/"rateLimit": null/);
  });

  test.each<[string, string[], (cli: TestCli) => void]>([
    ['stdout that is full', ['-o', 'value'], (cli) => Object.assign(cli.broken, { stdout: 'ENOSPC' })],
    ['a program that does not take it', ['--pipe', '--', './refuse'], () => {}],
    ['a file whose directory is gone', ['--github-env', 'KEY'], (cli) => rmSync(path.join(cli.dir, 'runner-env'))],
    ['a second destination that fails', ['--key-file', 'keys/a', '--pipe', '--', './refuse'], () => {}],
  ])('%s: the key is deleted at the server', async (_, words, spoil) => {
    const { server, cli } = await job();
    server.next.POST.push((_call, reply, body) => {
      spoil(cli);
      server.issue(body, reply);
    });
    const { exitCode, stderr } = await create(cli, server, ...words);
    expect(exitCode, stderr).toBe(1);
    expect(stderr).toMatch(/could not be delivered \(.*\), so the key was deleted: /);
    expect(stderr).toContain('hint: run the command again for another key');
    expect(server.keys.size).toBe(0);
    expect(existsSync(path.join(cli.dir, 'keys/a'))).toBe(false);
  });

  test('a key that can be neither delivered nor deleted is named with its end', async () => {
    const { server, cli } = await job();
    server.next.DELETE.push(problem(403, 'not_allowed', 'no'));
    const { exitCode, stderr } = await create(cli, server, '--pipe', '--', './refuse');
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`this key could NOT be deleted: ${server.made[0]?.id}`);
    expect(stderr).toContain(`it expires by itself: ${server.made[0]?.expiresAt}`);
  });

  test('a destination that cannot be used is found before anybody is asked', async () => {
    const { server, cli } = await job();
    writeFileSync(path.join(cli.dir, 'keys/a'), 'mine');
    expect((await create(cli, server, '--key-file', 'keys/a')).exitCode).toBe(5);
    expect(read(cli, 'keys/a')).toBe('mine');
    expect((await create(cli, server)).stderr).toMatch(/missing: a destination/);
    expect(server.calls).toEqual([]);
  });

  test('an interruption while the server is asked leaves no key and no file', async () => {
    const { server, cli } = await job();
    server.next.POST.push((_, reply, body) => {
      cli.signals.emit('SIGTERM', 'SIGTERM');
      server.issue(body, reply);
    });
    const { exitCode, stderr } = await create(cli, server, '--key-file', 'keys/a');
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/interrupted by SIGTERM\), so the key was deleted/);
    expect(server.keys.size).toBe(0);
    expect(existsSync(path.join(cli.dir, 'keys/a'))).toBe(false);
  });

  test('an interruption while the server is busy ends the wait', async () => {
    const { server, cli } = await job();
    server.next.POST.push(problem(429, 'too_many_keys', 'x', { 'retry-after': '50' }));
    cli.onStderr = (text) => void (text.includes('asking again in 50 s') && cli.signals.emit('SIGINT', 'SIGINT'));
    const { exitCode, stderr } = await create(cli, server, '-o', 'value');
    expect(exitCode, stderr).toBe(130);
    expect(server.count('POST')).toBe(1);
  });

  test.each([
    [['a-name', '-o', 'value'], /the name "a-name" and --from do not go together/],
    [['--live', '-o', 'value'], /--live and --from[\s\S]*test keys only/],
    [['--label', 'team=x', '-o', 'value'], /--label and --from/],
    [['--like', 'x', '-o', 'value'], /--like and --from/],
    [['--if-exists', 'rotate', '-o', 'value'], /--if-exists and --from/],
    [['--add-scope', 'x:y', '-o', 'value'], /--add-scope and --from/],
    [
      ['--operation-id', 'deploy-2026', '-o', 'value'],
      /--operation-id and --from[\s\S]*run the command again with another/,
    ],
    [['--expires', 'never', '-o', 'value'], /--expires "never" is not a duration/],
    [['--expires', '2d', '-o', 'value'], /longer than 24 hours/],
    [['-o', 'csv'], /-o csv is for lists/],
    [['x', '--pipe', '--', './take'], /the name "x"/],
  ])('%j is refused before anybody is asked', async (words, says) => {
    const { server, cli } = await job();
    const { exitCode, stderr } = await create(cli, server, ...words);
    expect(exitCode, stderr).toBe(2);
    expect(stderr).toMatch(says);
    expect(server.calls).toEqual([]);
  });

  test.each(['--audience', '--id-token-env', '--id-token-file'])('%s without --from is refused', async (flag) => {
    const cli = testCli();
    const made = await cli.run('create', 'x', '--test', '-s', 'plan:read', '-o', 'value', flag, 'x');
    expect(made).toMatchObject({ exitCode: 2, stdout: '', stderr: expect.stringContaining(`${flag} is for --from`) });
    expect(existsSync(cli.store)).toBe(false);
  });
});
