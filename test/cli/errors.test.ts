import { describe, expect, test } from 'vitest';
import { EXIT_CODES, exitCodeOf, renderError, reportOf } from '../../src/cli/exit-code.js';
import { ERRORS, type ErrorCode } from '../../src/domain/error-codes.js';
import { KeysError } from '../../src/domain/errors.js';
import { testCli } from '../support/test-cli.js';

describe('exit codes', () => {
  test('are the documented table, and every error code maps into it', () => {
    expect(Object.keys(EXIT_CODES).map(Number)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 130]);
    const codes = Object.keys(ERRORS) as ErrorCode[];
    expect(Object.fromEntries(codes.map((code) => [code, exitCodeOf(new KeysError(code, ''))]))).toEqual({
      usage: 2,
      missing_input: 2,
      not_found: 3,
      ambiguous: 3,
      unauthorized: 4,
      marks_refused: 4,
      pepper_missing: 4,
      name_taken: 5,
      scopes_fixed: 5,
      conflict: 5,
      anchor_missing: 7,
      confirmation_required: 6,
      guarded: 6,
      unsafe_path: 6,
      store_missing: 8,
      store_busy: 8,
      store_full: 8,
      store_read_only: 8,
      store_corrupt: 8,
      store_foreign: 8,
      store_newer: 8,
      store_older: 8,
      store_incomplete: 8,
      store_unavailable: 8,
      issue_unavailable: 8,
      outcome_unknown: 10,
      delivery_failed: 1,
      output_failed: 1,
      listen_failed: 1,
      partial: 9,
      cancelled: 130,
      internal: 1,
    });
    expect(exitCodeOf(new Error('anything else'))).toBe(1);
  });

  test('are printed by help exit-codes', async () => {
    const { stdout } = await testCli().run('help', 'exit-codes');
    for (const [code, meaning] of Object.entries(EXIT_CODES))
      expect(stdout).toContain(`  ${code.padEnd(5)}${meaning}\n`);
  });
});

describe('an unknown word', () => {
  test.each([
    [['crate'], 'crate', 'Did you mean create?'],
    [['lst'], 'lst', 'Did you mean one of list, ls?'],
    [['list', '--sratus', 'active'], '--sratus', 'Did you mean --status?'],
    [['create', '--exprires', '1d'], '--exprires', 'Did you mean --expires?'],
    [['nonsense'], 'nonsense', ''],
    [['list', 'extra'], 'too many arguments', ''],
    [['show'], "missing required argument 'key'", ''],
    [['list', '--limit'], '--limit', 'argument missing'],
    [['crate', '--store', 'list'], 'crate', 'Did you mean create?'],
  ])('%j exits 2 and suggests', async (argv, names, suggests) => {
    const { exitCode, stdout, stderr } = await testCli().run(...argv);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toContain(names);
    expect(stderr).toContain(suggests);
    expect(stderr).toContain('hint: unlockos-keys --help');
    expect(stderr.match(/error:/g)).toHaveLength(1);
  });

  test.each([
    ['--json'],
    ['-o', 'jsonl'],
    ['--output=json'],
    ['-ojson'],
  ])('is a JSON error under %s', async (...flags) => {
    const { stderr } = await testCli().run('crate', ...flags);
    expect(JSON.parse(stderr)).toEqual({
      error: { code: 'usage', message: expect.stringContaining('crate'), hint: expect.any(String) },
    });
  });

  test('is a JSON error under UNLOCKOS_KEYS_OUTPUT=json, and --json after -- is a word', async () => {
    const cli = testCli();
    expect((await cli.run('show', '--', '--json')).stderr).toMatch(/^error: /);
    cli.env.UNLOCKOS_KEYS_OUTPUT = 'json';
    expect(JSON.parse((await cli.run('crate')).stderr).error.code).toBe('usage');
  });
});

describe('an empty argument', () => {
  test.each([
    [['show', ''], 'KEY'],
    [['show', '--', ''], 'KEY'],
    [['edit', '', '--description', 'x'], 'KEY'],
    [['delete', 'one', '', '--yes'], 'KEY'],
    [['disable', ''], 'KEY'],
    [['enable', ''], 'KEY'],
    [['restore', ''], 'KEY'],
    [['usage', ''], 'KEY'],
    [['rotate', '', '-o', 'value'], 'KEY'],
    [['rotate', '--status', ''], 'KEY'],
    [['create', '', '--test', '-s', 'plan:read', '-o', 'value'], 'NAME'],
    [['profile', 'use', ''], 'NAME'],
    [['scopes', 'retire', '', '--yes'], 'SCOPE'],
  ])('%j exits 2, changes nothing, and asks for the variable', async (argv, name) => {
    const cli = testCli();
    await cli.create('one');
    expect(await cli.run(...argv)).toMatchObject({
      exitCode: 2,
      stdout: '',
      stderr: `error: the argument ${name} is empty\nhint: is a variable not set?\n`,
    });
    expect(await cli.json('list')).toMatchObject([{ name: 'one', status: 'active' }]);
  });

  test('is one of the program, behind --', async () => {
    const cli = testCli();
    await cli.create('one');
    cli.env.PATH = process.env.PATH;
    const argv = ['rotate', 'one', '--pipe', '--', 'sh', '-c', 'cat > /dev/null; test "$#" = 1', 'sh', ''];
    expect(await cli.run(...argv)).toMatchObject({
      exitCode: 0,
      stderr: expect.stringContaining('Written to the stdin of sh'),
    });
  });
});

describe('help and version', () => {
  const VERBS = 'create list show edit enable disable delete verify identify scopes audit store doctor'.split(' ');

  test.each([[[]], [['--help']], [['-h']], [['help']]])('%j prints the page and exits 0', async (argv) => {
    const { exitCode, stdout, stderr } = await testCli().run(...argv);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    for (const verb of VERBS) expect(stdout).toMatch(new RegExp(`^  ${verb}\\b`, 'm'));
  });

  test.each(
    VERBS,
  )('%s --help shows examples and where the flags of every command are, in few lines, and touches no store', async (verb) => {
    const cli = testCli();
    for (const argv of [
      [verb, '--help'],
      ['help', verb],
    ]) {
      const { exitCode, stdout, stderr } = await cli.run(...argv);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
      expect(stdout).toMatch(/Examples:|Commands:/);
      expect(stdout).toContain('Options of every command (--store, -p, -o, --json, -n, -y, -q …): help flags\n');
      expect(stdout).toMatch(/^See also: /m);
    }
  });

  test.each(['--version', '-V'])('%s prints the version', async (flag) => {
    expect(await testCli().run(flag)).toEqual({ exitCode: 0, stdout: '9.8.7\n', stderr: '' });
  });
});

describe('reportOf and renderError', () => {
  const secret = `unlk_live_0123456789ab_${'S'.repeat(38)}`;

  test('take key strings and control characters out of messages, hints and causes', () => {
    const cause = new Error(`cause ${secret}`);
    const error = new KeysError('usage', `bad ${secret}\u001b[2J\nsecond`, `try ${secret}`, { cause });
    for (const json of [false, true]) {
      const text = renderError(error, { json, debug: true });
      expect(text).not.toContain('SSSS');
      expect(text.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
      expect(text).toContain('unlk_live_0123456789ab_');
    }
    expect(renderError(error, { json: false, debug: true })).toContain('caused by: Error: cause unlk_live_');
  });

  test.each([
    [new Error('boom'), 'boom'],
    [new Error(''), 'unexpected failure'],
    ['a string', 'a string'],
    [undefined, 'undefined'],
  ])('%j is an internal error', (thrown, message) => {
    expect(reportOf(thrown)).toEqual({ code: 'internal', message, hint: 'run it again with --debug for the details' });
  });

  test("names Node's permission model where that refuses something", () => {
    const refused = Object.assign(new Error('Access to this API has been restricted.'), { code: 'ERR_ACCESS_DENIED' });
    expect(reportOf(refused).hint).toContain('--permission');
  });

  test('the stack is printed with debug only', () => {
    expect(renderError(new Error('x'), { json: false, debug: false })).not.toContain('    at ');
    expect(renderError(new Error('x'), { json: false, debug: true })).toContain('    at ');
  });
});

test('an error that nobody can read still gives its exit code', async () => {
  const cli = testCli();
  cli.broken = { stderr: 'EPIPE' };
  expect(await cli.run('crate')).toEqual({ exitCode: 2, stdout: '', stderr: '' });
});

test.each(['json', 'jsonl'])('with -o %s the error is all that stands on stderr', async (format) => {
  const cli = testCli();
  await cli.create('a', '--test');
  for (const args of [
    ['delete', 'a'],
    ['disable', 'nope'],
    ['create', 'a', '--test', '-s', 'plan:read'],
    ['edit', 'a', '--name', '-x'],
  ]) {
    const { exitCode, stdout, stderr } = await cli.run(...args, '-o', format);
    expect([exitCode > 0, stdout]).toEqual([true, '']);
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: expect.any(String), message: expect.any(String) } });
  }
});
