import { writeFileSync } from 'node:fs';
import path from 'node:path';
import stringWidth from 'string-width';
import { describe, expect, test } from 'vitest';
import { wrap } from '../../src/cli/output/wrap.js';
import { testCli } from '../support/test-cli.js';

const RED = '\u001b[31m';
const YELLOW = '\u001b[33m';

function terminal() {
  const cli = testCli();
  cli.tty = { stdin: false, stdout: true, stderr: true };
  return cli;
}

describe('colours', () => {
  test('an error is red, and LIVE is yellow', async () => {
    const cli = terminal();
    expect((await cli.run('show', 'none')).stderr).toContain(`${RED}error:`);
    expect((await cli.run('lst')).stderr).toContain(`${RED}error:`);
    expect((await cli.run('create', 'ci', '--live', '-s', 'plan:read')).stderr).toContain(`${YELLOW}LIVE`);
    expect((await cli.run('show', 'ci')).stdout).toContain(`${YELLOW}LIVE`);
    expect((await cli.run('show', 'none', '--json')).stderr).not.toContain('\u001b');
  });

  test('an expiry under a day is red', async () => {
    const cli = terminal();
    cli.columns = 120;
    await cli.create('soon', '--test', '--expires', '20h');
    await cli.create('later', '--test', '--expires', '30h');
    for (const words of [['list'], ['show', 'soon']])
      expect((await cli.run(...words)).stdout).toMatch(/\u001b\[31m[^\n]*in 20 hours/);
    expect((await cli.run('show', 'later')).stdout).not.toContain(RED);
  });

  test('a live key is yellow in a plan and among keys to prune', async () => {
    const cli = terminal();
    await cli.create('l', '--live', '--expires', '1m');
    const manifest = path.join(cli.dir, 'm.yaml');
    writeFileSync(manifest, 'version: 1\nname: m\nkeys:\n  - {name: n, mode: live, scopes: [plan:read]}\n');
    expect((await cli.run('diff', '-f', manifest)).stdout).toContain('\u001b[33mlive\u001b[39m');
    expect((await cli.run('apply', '-f', manifest, '--key-dir', cli.dir)).stderr).toContain(
      '"n" (\u001b[33mlive\u001b[39m)',
    );
    cli.now = new Date(cli.now.getTime() + 3_600_000);
    expect((await cli.run('prune', '--expired')).stderr).toMatch(
      /\n {2}\w{12} {2}\u001b\[33mlive\u001b\[39m {2}l: expired 59 minutes ago/,
    );
  });

  test('a key string is bold on a terminal, and bare for programs', async () => {
    const cli = terminal();
    const words = ['--test', '-s', 'plan:read'];
    expect((await cli.run('create', 'a', ...words)).stdout).toMatch(/^\u001b\[1munlk_test_\w{51}\u001b\[22m\n$/);
    expect((await cli.run('create', 'b', ...words, '-o', 'value')).stdout).toMatch(/^unlk_test_\w{51}\n$/);
    cli.tty.stdout = false;
    cli.env.FORCE_COLOR = '1';
    expect((await cli.run('create', 'c', ...words, '--color', 'always')).stdout).toMatch(/^unlk_test_\w{51}\n$/);
  });

  test.each([
    { why: 'NO_COLOR', env: { NO_COLOR: '1' }, flags: [], on: false },
    { why: '--no-color', env: {}, flags: ['--no-color'], on: false },
    { why: '--color never', env: { FORCE_COLOR: '1' }, flags: ['--color', 'never'], on: false },
    { why: '--color=never', env: {}, flags: ['--color=never'], on: false },
    { why: 'TERM=dumb', env: { TERM: 'dumb' }, flags: [], on: false },
    { why: '--color always', env: { NO_COLOR: '1' }, flags: ['--color', 'always'], on: true },
    { why: 'FORCE_COLOR off a terminal', env: { FORCE_COLOR: '1' }, flags: [], on: true, pipe: true },
    { why: 'FORCE_COLOR=0', env: { FORCE_COLOR: '0' }, flags: [], on: false },
    { why: 'a pipe', env: {}, flags: [], on: false, pipe: true },
  ])('$why decides for results, notes and errors', async ({ env, flags, on, pipe }) => {
    const cli = terminal();
    await cli.create('ci');
    Object.assign(cli.env, env);
    if (pipe) cli.tty = { stdin: false, stdout: false, stderr: false };
    for (const words of [
      ['show', 'ci'],
      ['show', 'none'],
      ['lst'],
      ['create', '-n', 'x', '--live', '-s', 'plan:read'],
    ]) {
      const { stdout, stderr } = await cli.run(...words, ...flags);
      expect((stdout + stderr).includes('\u001b'), words.join(' ')).toBe(on);
    }
  });
});

describe('messages', () => {
  test('break between words, at the width of the terminal only', async () => {
    const cli = terminal();
    cli.columns = 50;
    const { stderr } = await cli.run('create', 'x', '--github-env', 'X', '--if-exists', 'skip');
    expect(stderr.split('\n').length).toBeGreaterThan(3);
    for (const line of stderr.split('\n')) expect(stringWidth(line)).toBeLessThanOrEqual(50);
    cli.tty.stderr = false;
    const whole = (await cli.run('create', 'x', '--github-env', 'X', '--if-exists', 'skip')).stderr;
    expect(whole.split('\n')).toHaveLength(3);
    expect(stderr.replaceAll(/\u001b\[\d+m/g, '').split(/\s+/)).toEqual(whole.split(/\s+/));
  });

  test.each([
    ['one two three', 'one two three'],
    ['one two three four five six', 'one two three four\nfive six'],
    ['  Scopes      plan:read, checkin:read', '  Scopes\nplan:read, checkin:read'],
    ['Undo: unlockos-keys enable aaaaaaaaaaaa', 'Undo:\nunlockos-keys enable aaaaaaaaaaaa'],
    ['averyverylongwordwithoutanyblank', 'averyverylongwordwithoutanyblank'],
    ['日本語日本語 日本語日本語', '日本語日本語\n日本語日本語'],
  ])('%j', (text, wrapped) => {
    const shown = wrap(text, 20);
    expect(shown.replaceAll(/\s+/g, ' ')).toBe(
      wrapped
        .replaceAll(/\s+/g, ' ')
        .replace(/^Scopes/, '  Scopes')
        .replace(/^ {2}/, ' '),
    );
    if (!text.startsWith('  ')) expect(shown).toBe(wrapped);
  });
});
