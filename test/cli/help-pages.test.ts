import { describe, expect, test } from 'vitest';
import { COMMANDS } from '../../src/cli/commands/index.js';
import { testCli } from '../support/test-cli.js';

/** Those with the most options, and how many lines of 80 columns they may have; all others have 40. */
const LONG: Readonly<Record<string, number>> = { create: 46, rotate: 42 };
/** As a terminal of 80 columns shows it: a longer line takes two. */
const linesOf = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / 80)), 0);
const NAMES = COMMANDS.flatMap(([, commands]) => commands.map(([word = '']) => word));

describe('a page of help', () => {
  test.each(NAMES)('%s fits a screen, and says where the rest is', async (command) => {
    const { stdout } = await testCli().run(command, '--help');
    expect(linesOf(stdout)).toBeLessThanOrEqual(LONG[command] ?? 40);
    expect(stdout).not.toContain('--allow-http');
    expect(stdout).toMatch(/help flags\nSee also: [^\n]+\n$/);
  });

  test('create begins with what is required, and ends with what is rare', async () => {
    const { stdout } = await testCli().run('create', '--help');
    const options = [...stdout.matchAll(/^ {2}(?:-\w, )?(--[\w-]+)/gm)].map(([, flag]) => flag);
    expect(options.slice(0, 3)).toEqual(['--scope', '--test-mode', '--live']);
    const at = (flag: string) => options.indexOf(flag);
    expect(at('--operation-id')).toBeGreaterThan(at('--if-exists'));
  });

  test('has bold headings on a terminal, and none where no colour is wanted', async () => {
    const cli = testCli().atTerminal();
    delete cli.env.NO_COLOR; // the helper sets it
    expect((await cli.run('list', '--help')).stdout).toContain('\u001b[1mOptions:\u001b[22m');
    for (const words of [
      ['list', '--help', '--no-color'],
      ['help', 'list', '--color', 'never'],
    ])
      expect((await cli.run(...words)).stdout).not.toContain('\u001b');
    cli.env.NO_COLOR = '1';
    expect((await cli.run('list', '--help')).stdout).not.toContain('\u001b');
    expect((await testCli().run('list', '--help')).stdout).not.toContain('\u001b');
  });

  test('flags lists the options of every command', async () => {
    const { stdout } = await testCli().run('help', 'flags');
    for (const flag of ['--store <path|url>', '-n, --dry-run', '--timeout <time>']) expect(stdout).toContain(flag);
  });
});
