import { describe, expect, test } from 'vitest';
import { testCli } from '../support/test-cli.js';

const ESC = '\u001b[';

describe('colour of the table on stdout', () => {
  test.each([
    { tty: true, env: {}, flags: [], coloured: true },
    { tty: false, env: {}, flags: [], coloured: false },
    { tty: true, env: { NO_COLOR: '1' }, flags: [], coloured: false },
    { tty: true, env: { NO_COLOR: '' }, flags: [], coloured: true },
    { tty: true, env: { NO_COLOR: '0' }, flags: [], coloured: false },
    { tty: false, env: { FORCE_COLOR: '1' }, flags: [], coloured: true },
    { tty: false, env: { FORCE_COLOR: '3' }, flags: [], coloured: true },
    { tty: true, env: { FORCE_COLOR: '0' }, flags: [], coloured: false },
    { tty: false, env: { FORCE_COLOR: '' }, flags: [], coloured: false },
    { tty: false, env: { FORCE_COLOR: '1', NO_COLOR: '1' }, flags: [], coloured: false },
    { tty: false, env: { CLICOLOR_FORCE: '1' }, flags: [], coloured: true },
    { tty: false, env: { CLICOLOR_FORCE: '0' }, flags: [], coloured: false },
    { tty: true, env: { CLICOLOR: '0' }, flags: [], coloured: false },
    { tty: false, env: { CLICOLOR: '1' }, flags: [], coloured: false },
    { tty: true, env: { TERM: 'dumb' }, flags: [], coloured: false },
    { tty: true, env: { TERM: 'unknown' }, flags: [], coloured: false },
    { tty: true, env: { TERM: '' }, flags: [], coloured: false },
    { tty: true, env: { TERM: undefined }, flags: [], coloured: false },
    { tty: false, env: { TERM: undefined, FORCE_COLOR: '1' }, flags: [], coloured: true },
    { tty: true, env: { TERM: 'dumb', FORCE_COLOR: '1' }, flags: [], coloured: true },
    { tty: true, env: {}, flags: ['--no-color'], coloured: false },
    { tty: true, env: {}, flags: ['--color', 'never'], coloured: false },
    { tty: false, env: {}, flags: ['--color=always'], coloured: true },
    { tty: false, env: { NO_COLOR: '1' }, flags: ['--color', 'always'], coloured: true },
    { tty: true, env: { FORCE_COLOR: '1' }, flags: ['--no-color'], coloured: false },
    { tty: true, env: {}, flags: ['--color', 'auto'], coloured: true },
    { tty: false, env: {}, flags: ['--color', 'auto'], coloured: false },
  ])('terminal $tty, $env, $flags: $coloured', async ({ tty, env, flags, coloured }) => {
    const cli = testCli();
    await cli.create('ci');
    cli.tty.stdout = tty;
    cli.env = { ...cli.env, ...env };
    for (const argv of [['list'], ['show', 'ci'], ['scopes']]) {
      const { exitCode, stdout } = await cli.run(...argv, ...flags);
      expect(exitCode).toBe(0);
      expect(stdout.includes(ESC)).toBe(coloured);
    }
  });

  test('machine formats are never coloured', async () => {
    const cli = testCli();
    await cli.create('ci');
    cli.tty.stdout = true;
    for (const format of ['json', 'jsonl', 'csv', 'tsv', 'value'])
      expect((await cli.run('list', '--color', 'always', '-o', format)).stdout).not.toContain(ESC);
  });

  test('an unknown --color is refused before anything happens', async () => {
    const cli = testCli();
    const { exitCode, stderr } = await cli.run('create', 'ci', '--live', '-s', 'plan:read', '--color', 'red');
    expect(exitCode).toBe(2);
    expect(stderr).toContain('one of: auto, always, never');
    expect((await cli.run('list')).exitCode).toBe(8);
  });
});

describe('global flags', () => {
  test.each([
    ['before the verb', ['--json', 'list']],
    ['after the verb', ['list', '--json']],
    ['as --output=', ['list', '--output=json']],
    ['as -ojson', ['list', '-ojson']],
  ])('work %s', async (_where, argv) => {
    const cli = testCli();
    await cli.create('ci');
    expect(JSON.parse((await cli.run(...argv)).stdout)).toHaveLength(1);
  });

  test('UNLOCKOS_KEYS_OUTPUT sets the format and a flag overrides it', async () => {
    const cli = testCli();
    const { id } = await cli.create('ci');
    cli.env.UNLOCKOS_KEYS_OUTPUT = 'json';
    expect(JSON.parse((await cli.run('list')).stdout)[0].id).toBe(id);
    expect((await cli.run('list', '-o', 'value')).stdout).toBe(`${id}\n`);
    cli.env.UNLOCKOS_KEYS_OUTPUT = 'xml';
    expect((await cli.run('list')).stderr).toContain('"xml" is not an output format (UNLOCKOS_KEYS_OUTPUT)');
  });

  test('--json and another -o do not go together', async () => {
    expect((await testCli().run('list', '--json', '-o', 'csv')).exitCode).toBe(2);
  });

  test.each([
    { flags: ['--actor', 'alice'], env: {}, ci: null, actor: 'alice' },
    { flags: [], env: { UNLOCKOS_KEYS_ACTOR: 'bob' }, ci: null, actor: 'bob' },
    { flags: ['--actor', 'alice'], env: { UNLOCKOS_KEYS_ACTOR: 'bob' }, ci: null, actor: 'alice' },
    { flags: [], env: { GITHUB_ACTOR: 'carol' }, ci: { name: 'GitHub Actions' }, actor: 'carol' },
    { flags: [], env: { GITHUB_ACTOR: 'carol' }, ci: null, actor: null },
    { flags: [], env: {}, ci: { name: 'CI' }, actor: null },
  ])('the actor of $flags, $env, $ci is $actor, beside the OS user', async ({ flags, env, ci, actor }) => {
    const cli = testCli({ env, ci });
    await cli.create('ci', '--live', ...flags);
    expect((await cli.json('audit', 'list', '--action', 'key.create'))[0]).toMatchObject({ actor, osUser: 'tester' });
  });

  test.each([
    { flags: ['--actor', 'a\u0001b'], env: {}, source: '--actor' },
    { flags: [], env: { UNLOCKOS_KEYS_ACTOR: 'a\nb' }, source: 'UNLOCKOS_KEYS_ACTOR' },
  ])('an actor that could not be recorded is refused by commands that only read, too: $source', async ({
    flags,
    env,
    source,
  }) => {
    const cli = testCli();
    await cli.create('ci');
    cli.env = { ...cli.env, ...env };
    for (const words of [
      ['list'],
      ['show', 'ci'],
      ['audit', 'list'],
      ['doctor'],
      ['profile', 'list'],
      ['store', 'path'],
    ]) {
      const { exitCode, stderr } = await cli.run(...words, ...flags);
      expect(exitCode, words.join(' ')).toBe(2);
      expect(stderr).toContain(`error: ${source} "a`);
    }
  });

  test('an actor that is a key string never reaches the audit log', async () => {
    const cli = testCli();
    const { keyString } = await cli.create('ci');
    const { exitCode, stderr } = await cli.run('disable', 'ci', '--actor', `by ${keyString}`);
    expect(exitCode).toBe(2);
    expect(stderr).not.toContain(keyString.slice(23));
    expect((await cli.json('show', 'ci')).status).toBe('active');
  });

  test('--debug and UNLOCKOS_KEYS_DEBUG name the store and show the stack of a failure', async () => {
    const cli = testCli();
    expect((await cli.run('list')).stderr).not.toContain('    at ');
    expect((await cli.run('list', '--debug')).stderr).toContain(`debug: store ${cli.store} (UNLOCKOS_KEYS_STORE)`);
    cli.env.UNLOCKOS_KEYS_DEBUG = '1';
    expect((await cli.run('list')).stderr).toContain('    at ');
  });
});
