import { execFileSync } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { Option } from 'commander';
import { describe, expect, onTestFinished, test } from 'vitest';
import { SINKS, SINKS_OF_APPLY } from '../../src/cli/delivery/sinks.js';
import { type TestCli, testCli } from '../support/test-cli.js';

const MAKE = ['create', 'ci', '--live', '-s', 'plan:read'];

function file(cli: TestCli, name: string): string {
  return readFileSync(path.join(cli.dir, name), 'utf8');
}

async function expectGenuine(cli: TestCli, keyString: string): Promise<void> {
  cli.stdin = keyString;
  expect((await cli.run('verify', '--stdin')).stdout).toContain('valid: "ci"');
}

test('every sink stands in the table under the name that commander gives the value of its option', () => {
  for (const [name, { flag }] of [...Object.entries(SINKS), ...Object.entries(SINKS_OF_APPLY)])
    expect(new Option(flag).attributeName()).toBe(name);
});

describe('--key-file', () => {
  test('gets the key string and a newline, in a new file that only its owner can read', async () => {
    const cli = testCli();
    const { exitCode, stdout, stderr } = await cli.run(...MAKE, '--key-file', 'ci.key');
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '' });
    expect(statSync(path.join(cli.dir, 'ci.key')).mode & 0o777).toBe(0o600);
    expect(file(cli, 'ci.key')).toMatch(/^unlk_live_\w{51}\n$/);
    expect(stderr).toContain(`Written to ${cli.dir}/ci.key. It cannot be shown again.`);
    expect(stderr).not.toContain(file(cli, 'ci.key').trim());
    await expectGenuine(cli, file(cli, 'ci.key'));
  });

  test.each([
    { why: 'exists', at: 'ci.key', exit: 5, says: 'it already exists, and is never overwritten' },
    { why: 'is a dangling link', at: 'link.key', exit: 5, says: 'never overwritten' },
    { why: 'is in no directory', at: 'none/ci.key', exit: 2, says: 'its directory does not exist' },
    { why: 'is below a file', at: 'ci.key/ci.key', exit: 2, says: 'a part of its path is not a directory' },
    { why: 'is a directory', at: 'home', exit: 5, says: 'cannot write --key-file "home"' },
  ])('makes nothing when it $why', async ({ at, exit, says }) => {
    const cli = testCli();
    await cli.create('other');
    writeFileSync(path.join(cli.dir, 'ci.key'), 'mine');
    symlinkSync(path.join(cli.dir, 'target'), path.join(cli.dir, 'link.key'));
    const before = readdirSync(cli.dir).sort();
    const { exitCode, stderr } = await cli.run(...MAKE, '--key-file', at);
    expect(exitCode).toBe(exit);
    expect(stderr).toContain(says);
    expect(file(cli, 'ci.key')).toBe('mine');
    expect(readdirSync(cli.dir).sort()).toEqual(before);
    expect(await cli.names()).toEqual(['other']);
  });

  test('is taken away again when another sink or the key itself fails', async () => {
    const cli = testCli();
    await cli.create('ci');
    const other = ['create', 'ci2', '--live', '-s', 'plan:read', '--key-file', 'ci.key'];
    expect((await cli.run(...other, '--env-file', 'none/.env')).exitCode).toBe(2);
    await cli.sql("create trigger no before insert on api_keys begin select raise(abort, 'no'); end");
    expect((await cli.run(...other)).exitCode).toBeGreaterThan(0);
    expect(existsSync(path.join(cli.dir, 'ci.key'))).toBe(false);
    expect(await cli.names()).toEqual(['ci']);
  });
});

describe('--env-file', () => {
  test('makes a new file that only its owner can read', async () => {
    const cli = testCli();
    expect((await cli.run(...MAKE, '--env-file', '.env')).exitCode).toBe(0);
    expect(file(cli, '.env')).toMatch(/^UNLOCKOS_API_KEY=unlk_live_\w{51}\n$/);
    expect(statSync(path.join(cli.dir, '.env')).mode & 0o777).toBe(0o600);
    expect(readdirSync(cli.dir).filter((name) => name.includes('env'))).toEqual(['.env']);
  });

  test.each([
    ['.env', '.env.0123abcd.env'],
    ['prod.env', '.prod.env.0123abcd.env'],
    ['.env.local', '.env.local.0123abcd.local'],
  ])('beside %s names what a run that was killed has left', async (name, left) => {
    const cli = testCli();
    for (const each of [left, `${left}.mine`, '.env.0123abcd']) {
      writeFileSync(path.join(cli.dir, each), 'A=1\n');
      utimesSync(path.join(cli.dir, each), 0, 0);
    }
    writeFileSync(path.join(cli.dir, left.replace('0123', '4567')), ''); // of another run, just now
    const { exitCode, stderr } = await cli.run(...MAKE, '--env-file', name);
    expect(exitCode, stderr).toBe(0);
    const at = path.join(cli.dir, left);
    expect(stderr.split('\n').filter((line) => line.includes('killed'))).toEqual([
      `warning: ${at} was left by a run that was killed, and may hold secrets: rm ${at}`,
    ]);
  });

  test.each([
    [
      'keeps the other lines and their order',
      'A=1\nUNLOCKOS_API_KEY=old\n# end\n',
      'A=1\nUNLOCKOS_API_KEY=KEY\n# end\n',
    ],
    ['adds the line at the end', 'A=1\n\n', 'A=1\n\nUNLOCKOS_API_KEY=KEY\n'],
    ['ends an unfinished last line', 'A=1', 'A=1\nUNLOCKOS_API_KEY=KEY\n'],
    ['keeps export', 'export UNLOCKOS_API_KEY="old"\nB=2\n', 'export UNLOCKOS_API_KEY=KEY\nB=2\n'],
    ['keeps CRLF', 'A=1\r\nUNLOCKOS_API_KEY=old\r\n', 'A=1\r\nUNLOCKOS_API_KEY=KEY\r\n'],
    ['sees blanks before =', 'UNLOCKOS_API_KEY = old\n', 'UNLOCKOS_API_KEY=KEY\n'],
    ['leaves one of two', 'UNLOCKOS_API_KEY=a\nB=2\nUNLOCKOS_API_KEY=b\n', 'UNLOCKOS_API_KEY=KEY\nB=2\n'],
    ['leaves longer names alone', 'UNLOCKOS_API_KEY_2=x\n', 'UNLOCKOS_API_KEY_2=x\nUNLOCKOS_API_KEY=KEY\n'],
    ['leaves comments alone', '# UNLOCKOS_API_KEY=x\n', '# UNLOCKOS_API_KEY=x\nUNLOCKOS_API_KEY=KEY\n'],
  ])('%s', async (_what, before, after) => {
    const cli = testCli();
    writeFileSync(path.join(cli.dir, '.env'), before);
    expect((await cli.run(...MAKE, '--env-file', '.env')).exitCode).toBe(0);
    const text = file(cli, '.env');
    const [keyString = ''] = /unlk_\w+/.exec(text) ?? [];
    expect(text.replace(keyString, 'KEY')).toBe(after);
    await expectGenuine(cli, keyString);
  });

  test.each([
    ['Latin-1', Buffer.from('A=caf\xe9\nUNLOCKOS_API_KEY=old\nB=2\n', 'latin1')],
    ['a byte-order mark', Buffer.from('\ufeffUNLOCKOS_API_KEY=old\nB=2\n')],
    [
      'a value over several lines that looks like ours',
      Buffer.from('PEM="x\nUNLOCKOS_API_KEY=no\ny"\nUNLOCKOS_API_KEY=old\n'),
    ],
    ['mixed line ends', Buffer.from('A=1\r\nB=2\nUNLOCKOS_API_KEY=old\r\nC=3')],
    ['comments with quotes', Buffer.from("# it's\nA=it's # don't\nUNLOCKOS_API_KEY='old'\n")],
  ])('keeps every other byte: %s', async (_what, before) => {
    const cli = testCli();
    writeFileSync(path.join(cli.dir, '.env'), before);
    const { exitCode, stderr } = await cli.run(...MAKE, '--env-file', '.env');
    expect(exitCode, stderr).toBe(0);
    const after = readFileSync(path.join(cli.dir, '.env'), 'latin1');
    const [keyString = ''] = /unlk_live_\w{51}/.exec(after) ?? [];
    const was = before.toString('latin1');
    const at = was.search(/(?<=^|\n|\u00bf)UNLOCKOS_API_KEY='?old/);
    const expected = was.slice(0, at) + was.slice(at).replace(/='?old'?/, '=KEY');
    expect(after.replace(keyString, 'KEY').trimEnd()).toBe(expected.trimEnd());
  });

  test.each([
    ['UTF-16', Buffer.from('\ufeffA=1\n', 'utf16le')],
    ['a NUL byte', Buffer.from('A=1\0\n')],
    ['an unfinished quote', Buffer.from('A="1\nB=2\n')],
    ['a heredoc', Buffer.from('A=<<EOF\nB=2\nEOF\n')],
    ['a line that goes on', Buffer.from('A=1 \\\n')],
  ])('refuses what it could damage, before a key is made: %s', async (_what, before) => {
    const cli = testCli();
    await cli.create('other');
    writeFileSync(path.join(cli.dir, '.env'), before);
    const { exitCode, stderr } = await cli.run(...MAKE, '--env-file', '.env');
    expect(exitCode).toBe(2);
    expect(stderr).toContain('cannot change the dotenv file');
    expect(readFileSync(path.join(cli.dir, '.env')).equals(before)).toBe(true);
    expect(await cli.names()).toEqual(['other']);
  });

  test('keeps the mode, and warns where others can read the file', async () => {
    const cli = testCli();
    writeFileSync(path.join(cli.dir, '.env'), 'A=1\n');
    chmodSync(path.join(cli.dir, '.env'), 0o644);
    const { exitCode, stderr } = await cli.run(...MAKE, '--env-file', '.env');
    expect(exitCode).toBe(0);
    expect(statSync(path.join(cli.dir, '.env')).mode & 0o777).toBe(0o644);
    expect(stderr).toContain('warning: others can read');
  });

  test('takes another name as FILE:NAME', async () => {
    const cli = testCli();
    writeFileSync(path.join(cli.dir, '.env'), 'UNLOCKOS_API_KEY=keep\n');
    await cli.run(...MAKE, '--env-file', '.env:PARTNER_KEY');
    expect(file(cli, '.env')).toMatch(/^UNLOCKOS_API_KEY=keep\nPARTNER_KEY=unlk_live_\w{51}\n$/);
  });

  test.each([
    ['a symbolic link', 'link.env', 'it is a symbolic link'],
    ['a directory', 'home', 'it is a directory'],
    ['in no directory', 'none/.env', 'its directory does not exist'],
  ])('refuses what is %s, and makes nothing', async (_what, at, says) => {
    const cli = testCli();
    await cli.create('other');
    writeFileSync(path.join(cli.dir, 'real.env'), 'A=1\n');
    symlinkSync(path.join(cli.dir, 'real.env'), path.join(cli.dir, 'link.env'));
    const { exitCode, stderr } = await cli.run(...MAKE, '--env-file', at);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(says);
    expect(file(cli, 'real.env')).toBe('A=1\n');
    expect(await cli.names()).toEqual(['other']);
  });
});

test.each([
  'PATH',
  'Path',
  'NODE_OPTIONS',
  'LD_PRELOAD',
  'BASH_ENV',
  'GITHUB_TOKEN',
  'RUNNER_TEMP',
  'GIT_SSH_COMMAND',
  'https_proxy',
  'UNLOCKOS_KEYS_STORE',
])('%s changes how programs run: no key string goes there', async (name) => {
  const cli = testCli();
  await cli.create('other');
  writeFileSync(path.join(cli.dir, 'runner'), '');
  cli.env = { ...cli.env, PATH: process.env.PATH, GITHUB_ACTIONS: 'true', GITHUB_ENV: path.join(cli.dir, 'runner') };
  for (const words of [
    [...MAKE, '--github-env', name],
    [...MAKE, '--dotenv', `.env:${name}`],
    ['run', '-s', 'plan:read', '--env-name', name, '--', 'true'],
  ]) {
    const { exitCode, stderr } = await cli.run(...words);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(`${name} changes how programs run`);
  }
  expect(await cli.names()).toEqual(['other']);
});

describe.each([
  { flag: '--github-env', variable: 'GITHUB_ENV' },
  { flag: '--github-output', variable: 'GITHUB_OUTPUT' },
])('$flag', ({ flag, variable }) => {
  function inActions(at = 'runner'): TestCli {
    const cli = testCli({ ci: { name: 'GitHub Actions' } });
    cli.env = { ...cli.env, GITHUB_ACTIONS: 'true', [variable]: path.resolve(cli.dir, at) };
    writeFileSync(path.join(cli.dir, 'runner'), 'BEFORE=1\n');
    return cli;
  }

  test('appends to the file of the runner, masked first', async () => {
    const cli = inActions();
    const { exitCode, stdout, stderr } = await cli.run(...MAKE, flag, 'API_KEY');
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '' });
    const [, keyString = ''] = /^BEFORE=1\nAPI_KEY=(unlk_live_\w{51})\n$/.exec(file(cli, 'runner')) ?? [];
    expect(stderr).toContain(`::add-mask::${keyString}\n`);
    expect(stderr.replace(`::add-mask::${keyString}\n`, '')).not.toContain(keyString);
    await expectGenuine(cli, keyString);
  });

  test('begins a line of its own, where the last line has no end', async () => {
    const cli = inActions();
    writeFileSync(path.join(cli.dir, 'runner'), 'M<<EOF\nx\nEOF\nBEFORE=1');
    expect((await cli.run(...MAKE, flag, 'API_KEY')).exitCode).toBe(0);
    expect(file(cli, 'runner')).toMatch(/^M<<EOF\nx\nEOF\nBEFORE=1\nAPI_KEY=unlk_live_\w{51}\n$/);
  });

  test('takes its line away again where a later destination fails', async () => {
    const cli = inActions();
    cli.env.PATH = process.env.PATH;
    writeFileSync(path.join(cli.dir, 'runner'), 'BEFORE=1');
    const { exitCode, stderr } = await cli.run(...MAKE, flag, 'API_KEY', '--pipe', '--', 'false');
    expect(exitCode).toBe(1);
    expect(stderr).toContain('so the key was disabled');
    expect(file(cli, 'runner')).toBe('BEFORE=1');
  });

  test('is refused inside an unfinished value, and makes nothing', async () => {
    const cli = inActions();
    await cli.create('other');
    writeFileSync(path.join(cli.dir, 'runner'), 'M<<EOF\nA=1\n');
    expect((await cli.run(...MAKE, flag, 'API_KEY')).exitCode).toBe(2);
    expect(file(cli, 'runner')).toBe('M<<EOF\nA=1\n');
    expect(await cli.names()).toEqual(['other']);
  });

  test.each([
    [
      'outside of GitHub Actions',
      { GITHUB_ACTIONS: undefined },
      'API_KEY',
      'GitHub Actions only (GITHUB_ACTIONS is not',
    ],
    ['without its variable', { [variable]: undefined }, 'API_KEY', `${variable} is not set`],
    ['with a name that is none', {}, 'API KEY', 'is not a variable name'],
    ['with a name that injects a line', {}, 'A=1\nB', 'is not a variable name'],
  ])('is refused %s', async (_what, env, name, says) => {
    const cli = inActions();
    cli.env = { ...cli.env, ...env };
    const { exitCode, stderr } = await cli.run(...MAKE, flag, name);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(says);
    expect(file(cli, 'runner')).toBe('BEFORE=1\n');
  });

  test('makes nothing when the file of the runner is gone', async () => {
    const cli = inActions('gone');
    expect((await cli.run(...MAKE, flag, 'API_KEY')).exitCode).toBe(2);
    expect(await cli.names()).toEqual([]);
  });

  test('disables the key, and takes the key file back, when the file of the runner is gone by then', async () => {
    const cli = inActions();
    await cli.create('other');
    const atCommit = (point: unknown) =>
      void (point === 'after-commit' && rmSync(path.join(cli.dir, 'runner'), { force: true }));
    subscribe('unlockos-keys:write', atCommit);
    onTestFinished(() => void unsubscribe('unlockos-keys:write', atCommit));
    const { exitCode, stderr } = await cli.run(...MAKE, '--key-file', 'ci.key', flag, 'API_KEY');
    expect(exitCode).toBe(1);
    expect(stderr).toContain('so the key was disabled');
    expect(existsSync(path.join(cli.dir, 'ci.key'))).toBe(false);
    expect((await cli.json('show', 'ci')).status).toBe('inactive');
  });

  test.each([
    ['/dev/null', 'it is not a regular file'],
    ['/dev/full', 'it is not a regular file'],
    ['pipe', 'it is not a regular file'],
    ['gone', 'there is no such file'],
  ])('is refused where the file of the runner is %s', async (at, why) => {
    const cli = inActions(at);
    await cli.create('other');
    execFileSync('mkfifo', [path.join(cli.dir, 'pipe')]);
    const { exitCode, stderr } = await cli.run(...MAKE, flag, 'API_KEY');
    expect(exitCode).toBe(2);
    expect(stderr).toContain(`${flag}: ${variable} cannot be written: ${why}`);
    expect(await cli.names()).toEqual(['other']);
  });
});

test('a dotenv file that is no file of its own is refused with the reason, and so is one file for two sinks', async () => {
  const cli = testCli();
  await cli.create('first');
  const at = (name: string) => path.join(cli.dir, name);
  writeFileSync(at('one.env'), 'A=1\n');
  linkSync(at('one.env'), at('other.env'));
  mkdirSync(at('folder'));
  const flags = ['create', 'ci', '--test', '-s', 'plan:read'];
  for (const [target, why] of [
    [at('other.env'), 'it has another name (a hard link)'],
    [at('folder'), 'it is a directory'],
    ['/dev/full', 'it is not a regular file'],
  ] as const) {
    const { exitCode, stderr } = await cli.run(...flags, '--dotenv', target);
    expect({ exitCode, stderr }, target).toEqual({ exitCode: 2, stderr: expect.stringContaining(why) });
  }
  symlinkSync(cli.dir, at('link'));
  for (const other of ['same', 'link/same']) {
    const both = await cli.run(...flags, '--key-file', at('same'), '--dotenv', `${at(other)}:KEY`);
    expect(both).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('two destinations are the same file') });
  }
  expect(existsSync(at('same'))).toBe(false);
  expect(readFileSync(at('one.env'), 'utf8')).toBe('A=1\n');
  expect(await cli.names()).toEqual(['first']);
});

test('in GitHub Actions the mask comes before the key string on stdout', async () => {
  const cli = testCli({ env: { GITHUB_ACTIONS: 'true' } });
  const { stdout } = await cli.run(...MAKE, '-o', 'value');
  expect(cli.screen.indexOf(`::add-mask::${stdout}`)).toBeGreaterThanOrEqual(0);
  expect(cli.screen.indexOf('::add-mask::')).toBeLessThan(cli.screen.lastIndexOf(stdout));
});

describe('--copy', () => {
  test('off a terminal, is the only place that gets the key string', async () => {
    const cli = testCli();
    const { exitCode, stdout, stderr } = await cli.run(...MAKE, '--copy');
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '' });
    expect(stderr).toContain('Copied.');
    await expectGenuine(cli, cli.clipboard.copied[0] ?? '');
  });

  test('on a terminal, the key string is shown as well and no copy is offered', async () => {
    const cli = testCli().atTerminal();
    const { stdout } = await cli.run(...MAKE, '--copy');
    expect(cli.clipboard.copied).toEqual([stdout.trim()]);
  });

  test('a clipboard that cannot work is found before a key is made, unless the key string goes elsewhere, too', async () => {
    const cli = testCli({ clipboard: { route: 'local', works: false, copied: [], problem: 'there is no display' } });
    await cli.create('old');
    const head = (await cli.run('audit', 'head')).stdout;
    for (const words of [MAKE, ['rotate', 'old']]) {
      const { exitCode, stderr } = await cli.run(...words, '--copy');
      expect(exitCode).toBe(2);
      expect(stderr).toContain('--copy cannot work here: there is no display');
    }
    expect((await cli.run('audit', 'head')).stdout).toBe(head);
    const { exitCode, stderr } = await cli.run(...MAKE, '--copy', '--key-file', 'ci.key');
    expect([exitCode, stderr.includes('warning: nothing was copied')]).toEqual([0, true]);
  });

  test.each([
    [['--copy']],
    [['--copy', '--json']],
  ])('a clipboard that fails as the only sink disables the key: %j', async (flags) => {
    const cli = testCli({ clipboard: { route: 'local', works: false, copied: [] } });
    const { exitCode, stderr } = await cli.run(...MAKE, ...flags);
    const toStdout = flags.includes('--json');
    expect(exitCode).toBe(toStdout ? 0 : 1);
    expect(stderr).toContain(toStdout ? 'warning: nothing was copied' : 'so the key was disabled');
    expect((await cli.json('show', 'ci')).status).toBe(toStdout ? 'active' : 'inactive');
  });
});

describe('a key string that cannot be printed', () => {
  test.each([
    { code: 'EPIPE', flags: [] },
    { code: 'ENOSPC', flags: [] },
    { code: 'EIO', flags: ['-o', 'value'] },
    { code: 'EPIPE', flags: ['-o', 'json'] },
  ])('$code with flags $flags disables the key, exits 1 and says so', async ({ code, flags }) => {
    const cli = testCli();
    cli.broken = { stdout: code };
    const { exitCode, stderr } = await cli.run(...MAKE, ...flags);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`could not be delivered (${code}), so the key was disabled`);
    expect(stderr).not.toMatch(/unlk_live_\w{12}_\w/);
    cli.broken = {};
    const key = await cli.json('show', 'ci');
    expect(key.status).toBe('inactive');
    expect(key.events[0].reason ?? key.events.at(-1).reason).toBe('the key string could not be delivered');
  });

  test('every key of a batch is disabled', async () => {
    const cli = testCli();
    cli.broken = { stdout: 'EPIPE' };
    expect((await cli.run('create', 'a1', '--live', 'b2', '-s', 'plan:read')).exitCode).toBe(1);
    cli.broken = {};
    const keys = await cli.json('list');
    expect(keys.map(({ status }: { status: string }) => status)).toEqual(['inactive', 'inactive']);
  });

  test('remarks that nobody can read do not lose the key string', async () => {
    const cli = testCli();
    cli.broken = { stderr: 'EPIPE' };
    const { exitCode, stdout } = await cli.run(...MAKE);
    expect(exitCode).toBe(0);
    cli.broken = {};
    await expectGenuine(cli, stdout);
  });

  test('a mask that GitHub Actions cannot be told disables the key', async () => {
    const cli = testCli({ env: { GITHUB_ACTIONS: 'true' } });
    cli.broken = { stderr: 'EPIPE' };
    const { exitCode, stdout } = await cli.run(...MAKE, '-o', 'value');
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    cli.broken = {};
    expect((await cli.json('show', 'ci')).status).toBe('inactive');
  });
});

test.each([
  ['that was there', 'OLD=1\nUNLOCKOS_API_KEY=before\n'],
  ['that was not there', null],
])('a dotenv file %s is as it was when another sink fails', async (_, before) => {
  const cli = testCli();
  const file = path.join(cli.dir, '.env');
  if (before !== null) writeFileSync(file, before);
  cli.broken = { stdout: 'ENOSPC' };
  const { exitCode } = await cli.run('create', 'a', '--test', '-s', 'plan:read', '--dotenv', file, '-o', 'value');
  cli.broken = {};
  expect(exitCode).toBe(1);
  expect(existsSync(file) ? readFileSync(file, 'utf8') : null).toBe(before);
  expect(await cli.json('list')).toMatchObject([{ status: 'inactive' }]);
});
