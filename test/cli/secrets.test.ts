import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { mintKeyString } from '../../src/domain/key-parts.js';
import { type TestCli, testCli } from '../support/test-cli.js';

async function withSecret(): Promise<TestCli & { id: string; keyString: string; secret: string }> {
  const cli = testCli();
  const made = await cli.create('partner');
  return Object.assign(cli, made, { secret: made.keyString.slice(23, 55) });
}

describe('the secret', () => {
  test('is in no file of the store, not even its beginning', async () => {
    const { dir, secret } = await withSecret();
    for (const file of readdirSync(dir).filter((name) => name.startsWith('keys.db')))
      expect(readFileSync(path.join(dir, file), 'latin1')).not.toContain(secret.slice(0, 12));
  });

  test.each([
    'list',
    'list --search partner',
    'show ID',
    'edit ID -d text',
    'enable ID',
    'disable ID --reason why',
    'disable --stdin',
    'delete --stdin --yes',
    'delete ID',
    'delete ID --yes',
    'verify --stdin',
    'verify --stdin --environment test',
    'verify --stdin --store none.db',
    'identify --stdin',
    'identify --stdin --store none.db',
    'scopes',
    'audit',
    'audit verify',
    'store check',
    'doctor',
  ])('is in no output of %s, whatever the format', async (line) => {
    for (const format of ['table', 'json', 'csv', 'value']) {
      const cli = await withSecret();
      cli.stdin = cli.keyString;
      const { stdout, stderr } = await cli.run(...line.replace('ID', cli.id).split(' '), '-o', format, '--debug');
      expect(stdout + stderr).not.toContain(cli.secret.slice(0, 12));
      expect(stdout + stderr).not.toContain('$2b$');
    }
  });

  test.each([
    'KEY',
    '--KEY',
    'create KEY --live -s plan:read',
    'create x --live -s KEY',
    'create x --live -s plan:read -d KEY',
    'create x --live -s plan:read --expires KEY',
    'create x --live -s plan:read --rate-limit KEY',
    'create x --live -s plan:read --like KEY',
    'create x --live -s plan:read --key-file none/KEY',
    'create x --live -s plan:read --env-file none/KEY',
    'create x --live -s plan:read --github-env KEY',
    'show KEY',
    'edit KEY -d x',
    'edit partner --name KEY',
    'edit partner -s KEY',
    'edit partner -d KEY',
    'enable KEY partner',
    'disable KEY partner',
    'delete KEY partner --yes',
    'disable KEY',
    'disable partner --reason KEY',
    'disable partner --actor KEY',
    'delete KEY --yes',
    'verify KEY',
    'verify --key-file KEY',
    'verify --stdin --environment KEY',
    'verify --stdin --require-scope KEY',
    'identify KEY',
    'list --search KEY',
    'list --cursor KEY',
    'list --sort KEY',
    'list -o KEY',
    'list --fields KEY',
    'list --timeout KEY',
    'list --color KEY',
    'list --store none/KEY',
    'scopes add KEY',
    'scopes add a:b --category-label KEY',
    'audit --key KEY',
    'audit --action KEY',
    'audit verify --anchor KEY',
    'store backup none/KEY',
  ])('given by mistake as in %s is not told back, and is stored nowhere', async (line) => {
    const cli = await withSecret();
    for (const flags of [['--debug'], ['--json', '--debug']]) {
      const { stdout, stderr } = await cli.run(...line.replace('KEY', cli.keyString).split(' '), ...flags);
      expect(stdout).not.toContain(cli.secret.slice(0, 12));
      expect(stderr).not.toContain(cli.secret.slice(0, 12));
    }
    const { stdout } = await cli.run('audit', '-o', 'jsonl');
    expect(stdout).not.toContain(cli.secret.slice(0, 12));
  });

  test('reaches exactly the channel that was asked for', async () => {
    const cli = testCli();
    const make = ['create', '--live', '-s', 'plan:read', '--debug'];
    const piped = await cli.run(...make, 'k1');
    const json = await cli.run(...make, 'k2', '--json');
    const file = await cli.run(...make, 'k3', '--key-file', 'k3.key', '--json');
    const copied = await cli.run(...make, 'k4', '--copy');
    const secrets = [
      piped.stdout,
      JSON.parse(json.stdout).keyString,
      readFileSync(path.join(cli.dir, 'k3.key'), 'utf8'),
    ];
    for (const [i, secret] of [...secrets, cli.clipboard.copied[0]].entries()) {
      expect(secret).toMatch(/^unlk_live_\w{51}\n?$/);
      for (const [j, { stdout, stderr }] of [piped, json, file, copied].entries()) {
        expect(stderr).not.toContain(secret?.slice(23, 55));
        expect(stdout.includes(secret?.slice(23, 55) ?? '')).toBe(i === j && i < 2);
      }
    }
  });
});

test.each([
  'show',
  'disable',
  'enable',
  'edit',
])('%s of a key string that lost its end repeats nothing of the secret', async (verb) => {
  const cli = testCli();
  await cli.create('a', '--test');
  const { keyString, secret, id } = mintKeyString('live');
  for (const cut of [keyString.slice(0, 60), keyString.slice(0, 45), `${keyString}x`]) {
    const { exitCode, stdout, stderr } = await cli.run(verb, cut);
    expect(exitCode).toBe(2);
    expect(stdout + stderr).not.toContain(secret.slice(0, 6));
    expect(stderr).toContain(id);
  }
});

test.each([
  ['create', '--description'],
  ['disable', '--reason'],
])('%s %s takes no key string, nor most of one', async (verb, flag) => {
  const cli = testCli();
  await cli.create('a', '--test');
  const { keyString, secret } = mintKeyString('live');
  const { exitCode, stderr } = await cli.run(
    verb,
    verb === 'create' ? 'b' : 'a',
    ...(verb === 'create' ? ['--test', '-s', 'plan:read'] : []),
    flag,
    `was ${keyString.slice(0, 58)}`,
  );
  expect(exitCode).toBe(2);
  expect(stderr).not.toContain(secret.slice(0, 6));
});
