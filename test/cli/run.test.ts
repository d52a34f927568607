import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { type TestCli, testCli } from '../support/test-cli.js';

const NODE = process.execPath;

/** A child that notes what it was given, and ends as it is told. */
function witness(cli: TestCli, end = 'process.exit(0)'): string[] {
  const file = path.join(cli.dir, 'witness.mjs');
  const note = `writeFileSync(${JSON.stringify(path.join(cli.dir, 'seen.json'))}, JSON.stringify({ env: process.env, argv: process.argv }))`;
  writeFileSync(file, `import { writeFileSync } from 'node:fs';\n${note};\n${end};\n`);
  return [NODE, file];
}

const seen = (cli: TestCli): { env: Record<string, string>; argv: string[] } =>
  JSON.parse(readFileSync(path.join(cli.dir, 'seen.json'), 'utf8'));

const run = (cli: TestCli, flags: string[], words: string[]) => cli.run('run', ...flags, '--', ...words);

describe('run', () => {
  test('gives the command a key of its own, in that one variable, and deletes it at the end', async () => {
    const cli = testCli();
    await cli.create('other');
    cli.env = {
      ...cli.env,
      PATH: process.env.PATH,
      UNLOCKOS_KEYS_AUTH_TOKEN: 'token',
      UNLOCKOS_KEYS_PEPPERS: '',
      KEPT: 'yes',
    };
    const { exitCode, stdout, stderr } = await run(
      cli,
      ['-s', 'checkin:read,plan:read', '--ttl', '10m'],
      [...witness(cli), '--x', '-y'],
    );
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '' });
    const { env, argv } = seen(cli);
    const keyString = env.UNLOCKOS_API_KEY ?? '';
    expect(keyString).toMatch(/^unlk_test_/);
    expect(argv.slice(2)).toEqual(['--x', '-y']);
    expect(argv.join(' ')).not.toContain(keyString.slice(23));
    expect(env.KEPT).toBe('yes');
    expect(env).not.toHaveProperty('UNLOCKOS_KEYS_AUTH_TOKEN');
    expect(env).not.toHaveProperty('UNLOCKOS_KEYS_PEPPERS');
    expect(Object.values({ ...env, UNLOCKOS_API_KEY: '' }).join(' ')).not.toContain(keyString.slice(23));
    expect(stderr).not.toContain(keyString.slice(23));
    expect(await cli.names()).toEqual(['other']);
    const events = await cli.json('audit', 'list', '--key', keyString.slice(10, 22));
    expect(events.map(({ action }: { action: string }) => action)).toEqual(['key.create', 'key.delete']);
    expect(events[0].after).toMatchObject({
      mode: 'test',
      scopes: ['checkin:read', 'plan:read'],
      expiresAt: '2026-11-23T10:10:00.000Z',
    });
  });

  test.each([
    ['process.exit(3)', 3],
    ['process.exit(255)', 255],
    ["process.kill(process.pid, 'SIGTERM'); setInterval(() => {}, 1000)", 143],
    ["process.kill(process.pid, 'SIGKILL'); setInterval(() => {}, 1000)", 137],
  ])('passes the end of the command on: %s is %i, and the key is gone', async (end, code) => {
    const cli = testCli();
    expect((await run(cli, ['-s', 'plan:read'], witness(cli, end))).exitCode).toBe(code);
    expect(await cli.names()).toEqual([]);
    expect(existsSync(path.join(cli.dir, 'seen.json'))).toBe(true);
  });

  test('takes names, and shows what it would do', async () => {
    const cli = testCli();
    await run(cli, ['-s', 'plan:read', '--name', 'mine', '--env-name', 'MY_KEY', '--rate-limit', '5/s'], witness(cli));
    expect(seen(cli).env.MY_KEY).toMatch(/^unlk_test_/);
    const [made] = await cli.json('audit', 'list', '--action', 'key.create');
    expect(made).toMatchObject({ keyName: 'mine', after: { rateLimit: '5/s' } });
    const dry = await run(cli, ['-s', 'plan:read', '-n'], witness(cli));
    expect(dry.stderr).toMatch(/Dry run/);
    expect(await cli.json('audit', 'list', '--action', 'key.create')).toHaveLength(1);
  });

  test('masks the key on GitHub before the command can print it', async () => {
    const cli = testCli();
    cli.ci = { name: 'GitHub Actions' };
    cli.env = { ...cli.env, GITHUB_ACTIONS: 'true' };
    const { stderr } = await run(cli, ['-s', 'plan:read'], witness(cli));
    expect(stderr).toContain(`::add-mask::${seen(cli).env.UNLOCKOS_API_KEY}`);
  });

  test.each([
    { flags: [], words: [NODE], exit: 2, says: /missing: scopes/ },
    { flags: ['-s', 'nope:read'], words: [NODE], exit: 2, says: /nope:read/ },
    { flags: ['-s', 'plan:read', '--ttl', '25h'], words: [NODE], exit: 2, says: /longer than 24 hours/ },
    { flags: ['-s', 'plan:read', '--ttl', '60'], words: [NODE], exit: 2, says: /duration/ },
    { flags: ['-s', 'plan:read', '--env-name', 'A B'], words: [NODE], exit: 2, says: /variable name/ },
    { flags: ['-s', 'plan:read', '--live'], words: [NODE], exit: 2, says: /--live/ },
    { flags: ['-s', 'plan:read'], words: [], exit: 2, says: /command/ },
    { flags: ['-s', 'plan:read'], words: ['no-such-program'], exit: 127, says: /does not exist/ },
    { flags: ['-s', 'plan:read'], words: ['./folder'], exit: 126, says: /not executable/ },
    { flags: ['-s', 'plan:read'], words: ['./text'], exit: 126, says: /not executable/ },
  ])('$flags $words ends with $exit, and no key is made', async ({ flags, words, exit, says }) => {
    const cli = testCli();
    await cli.create('other');
    mkdirSync(path.join(cli.dir, 'folder'));
    writeFileSync(path.join(cli.dir, 'text'), 'text');
    const { exitCode, stderr } = await run(cli, flags, words);
    expect(exitCode).toBe(exit);
    expect(stderr).toMatch(says);
    expect(await cli.json('audit', 'list', '--action', 'key.create')).toHaveLength(1);
  });

  test('says why a program could not be started whose interpreter is missing, and deletes the key', async () => {
    const cli = testCli();
    await cli.create('other');
    writeFileSync(path.join(cli.dir, 'script'), '#!/bin/sh\r\nexit 0\r\n', { mode: 0o755 });
    const { exitCode, stderr } = await run(cli, ['-s', 'plan:read'], ['./script']);
    expect(exitCode).toBe(127);
    expect(stderr).toContain(
      'error: cannot run "./script": the interpreter that its first line names does not exist\n',
    );
    expect(await cli.names()).toEqual(['other']);
  });

  test('says when the key could not be deleted, and the code of the command stands', async () => {
    const cli = testCli();
    await cli.create('other');
    await cli.sql("create trigger stuck before delete on api_keys begin select raise(abort, 'stuck'); end");
    const { exitCode, stderr } = await run(cli, ['-s', 'plan:read'], witness(cli, 'process.exit(4)'));
    expect(exitCode).toBe(4);
    expect(stderr).toMatch(/could not delete .*expires at 2026-11-23T11:00:00.000Z/);
  });
});

describe('--pipe', () => {
  /** A program that keeps what it reads. */
  function keeper(cli: TestCli, end = 'exit 0'): string {
    const file = path.join(cli.dir, 'keep');
    writeFileSync(file, `#!/bin/sh\ncat > '${cli.dir}/kept'\nenv > '${cli.dir}/env'\necho "$@"\n${end}\n`);
    chmodSync(file, 0o755);
    return file;
  }
  const kept = (cli: TestCli) => readFileSync(path.join(cli.dir, 'kept'), 'utf8');

  test('hands the key string to a program, alone, on its stdin and nowhere else', async () => {
    const cli = testCli();
    const { exitCode, stdout, stderr } = await cli.run(
      'create',
      'ci',
      '--test',
      '-s',
      'plan:read',
      '--pipe',
      '--',
      keeper(cli),
      'set',
      '-x',
    );
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '' });
    const keyString = kept(cli);
    expect(keyString).toMatch(/^unlk_test_[0-9a-z]{12}_[0-9A-Za-z]{38}$/);
    const env = readFileSync(path.join(cli.dir, 'env'), 'utf8');
    expect(env + stderr).not.toContain(keyString.slice(23));
    expect(env).toMatch(/^UNLOCKOS_KEYS_NAME=ci$/m);
    expect(env).toMatch(new RegExp(`^UNLOCKOS_KEYS_ID=${keyString.slice(10, 22)}$`, 'm'));
    cli.stdin = keyString;
    expect((await cli.json('verify', '--stdin')).verdict).toBe('valid');
  });

  test('works under CI, with JSON on stdout, and for rotate', async () => {
    const cli = testCli();
    cli.ci = { name: 'CI' };
    const made = await cli.run('create', 'ci', '--test', '-s', 'plan:read', '--json', '--pipe', '--', keeper(cli));
    expect(JSON.parse(made.stdout)).toMatchObject({ name: 'ci', keyString: null });
    const first = kept(cli);
    expect((await cli.run('rotate', 'ci', '--pipe', '--', keeper(cli), 'set')).exitCode).toBe(0);
    expect(kept(cli)).not.toBe(first);
    cli.stdin = kept(cli);
    expect((await cli.json('verify', '--stdin')).verdict).toBe('valid');
  });

  test('a program whose interpreter is missing is named, and the key is disabled', async () => {
    const cli = testCli();
    writeFileSync(path.join(cli.dir, 'script'), '#!/no/such/shell\n', { mode: 0o755 });
    const { exitCode, stderr } = await cli.run('create', 'ci', '--test', '-s', 'plan:read', '--pipe', '--', './script');
    expect(exitCode).toBe(1);
    expect(stderr.replace(/\s+/g, ' ')).toContain(
      '("./script" could not be started: the interpreter that its first line names does not exist), so the key was disabled',
    );
  });

  test.each([
    'exit 3',
    'kill -9 $$',
  ])('a program that ends with %s did not take it: the key is disabled', async (end) => {
    const cli = testCli();
    const { exitCode, stderr } = await cli.run(
      'create',
      'ci',
      '--test',
      '-s',
      'plan:read',
      '--pipe',
      '--',
      keeper(cli, end),
    );
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/ended with (exit 3|SIGKILL).*so the key was disabled/);
    expect(stderr).not.toContain(kept(cli).slice(23));
    expect((await cli.json('show', 'ci')).status).toBe('inactive');
  });

  test.each([
    { argv: ['ci', '--pipe', '--', 'no-such-program'], says: /does not exist/ },
    { argv: ['ci', '--pipe', '--'], says: /names no program/ },
    { argv: ['ci', '--pipe'], says: /names no program/ },
  ])('$argv makes nothing', async ({ argv, says }) => {
    const cli = testCli();
    await cli.create('other');
    const { exitCode, stderr } = await cli.run(
      'create',
      ...argv.slice(0, 1),
      '--test',
      '-s',
      'plan:read',
      ...argv.slice(1),
    );
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(says);
    expect(await cli.names()).toEqual(['other']);
  });

  test('words without it are names for create, and too many for rotate', async () => {
    const cli = testCli();
    await cli.create('a');
    const { exitCode, stderr } = await cli.run('rotate', 'a', 'gh', '-o', 'value');
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/too many arguments/);
  });
});
