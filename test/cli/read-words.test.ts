import type { Command, Option } from 'commander';
import { describe, expect, test } from 'vitest';
import { programForDocs } from '../../src/cli/program.js';
import { readWords } from '../../src/cli/read-words.js';
import { testCli } from '../support/test-cli.js';

const program = await programForDocs();

/** Every option with a value, with the words of each command that takes it; the program's own with `list`. */
function optionsWithValue(): { line: string; words: string[]; option: Option }[] {
  const under = (command: Command, words: string[]): { words: string[]; options: readonly Option[] }[] => [
    { words, options: command.options },
    ...command.commands.flatMap((each) => under(each, [...words, each.name()])),
  ];
  const own = { words: ['list'], options: program.options };
  const all = [own, ...program.commands.flatMap((each) => under(each, [each.name()]))];
  return all.flatMap(({ words, options }) =>
    options
      .filter(({ required }) => required)
      .map((option) => ({ line: `${words.join(' ')} ${option.long}`, words, option })),
  );
}

describe('every option that takes a value', () => {
  const cases = optionsWithValue();

  test('is in the table', () => {
    expect(cases.length).toBeGreaterThan(80);
  });

  test.each(cases)('$line takes no flag for it', async ({ words, option }) => {
    const flag = option.long ?? '';
    for (const value of ['--yes', '--test-mode', '--no-such-flag', '-y', '-nq', '--'])
      expect(() => readWords([...words, flag, value], program), value).toThrow(
        `${flag} needs a value, and got "${value}"`,
      );
    expect(readWords([...words, `${flag}=--yes`], program)).toContain(`${flag}=--yes`);
  });

  test.each(cases)('$line takes no empty value', async ({ words, option }) => {
    const flag = option.long ?? '';
    const read = [() => readWords([...words, flag, ''], program), () => readWords([...words, `${flag}=`], program)];
    for (const each of read)
      if (flag === '--description') expect(each()).toContain(words[0]);
      else expect(each).toThrow(`${flag} needs a value, and got an empty one`);
  });

  test.each(
    cases.filter(({ words, option }) => option.parseArg === undefined && words[0] !== 'list'),
  )('$line counts once', async ({ words, option }) => {
    const flag = option.long ?? '';
    expect(() => readWords([...words, flag, 'a', flag, 'b'], program)).toThrow(`${flag} is given twice`);
    if (option.short)
      expect(() => readWords([...words, option.short as string, 'a', flag, 'b'], program)).toThrow('twice');
  });
});

describe('words that are values', () => {
  test.each([
    [
      ['list', '--sort', '-name'],
      ['list', '--sort=-name'],
    ],
    [
      ['list', '--sort', '-name', '-o', 'json'],
      ['list', '--sort=-name', '-o', 'json'],
    ],
    [
      ['create', '-'],
      ['create', '-'],
    ],
    [
      ['apply', '-f', '-'],
      ['apply', '-f', '-'],
    ],
    [
      ['edit', 'a', '-d', ''],
      ['edit', 'a', '-d', ''],
    ],
    [
      ['--store', 'a', 'list', '--store', 'b'],
      ['--store', 'a', 'list', '--store', 'b'],
    ],
    [
      ['list', '-l', 'a=b', '-l', 'c=d'],
      ['list', '-l', 'a=b', '-l', 'c=d'],
    ],
    [
      ['show', '--', '--store', '--yes'],
      ['show', '--', '--store', '--yes'],
    ],
    [
      ['edit', 'a', '--name', 'create', '--rate-limit', '5/s'],
      ['edit', 'a', '--name', 'create', '--rate-limit', '5/s'],
    ],
  ])('%j', (words, read) => {
    expect(readWords(words, program)).toEqual(read);
  });
});

describe('a command line that runs nothing', () => {
  test.each([
    [['--store', 'doctor']],
    [['-p', 'scan']],
    [['--json']],
    [['-q', '-y']],
    [['--']],
  ])('%j is no success', async (words) => {
    const { exitCode, stdout } = await testCli().run(...words);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
  });
});

describe('a forgotten value makes no key', () => {
  test.each([
    [['create', 'b', '--scope', 'checkin:read', '--key-file', '--test-mode']],
    [['create', 'b', '--scope', 'checkin:read', '--dotenv', '--test-mode']],
    [['create', 'b', '--live', '--scope', '--test-mode']],
    [['create', 'b', '--test-mode', '--scope', 'checkin:read', '--expires', '--json']],
    [['create', 'b', '--test-mode', '--scope', 'checkin:read', '--key-file', 'a', '--key-file', 'b']],
    [['create', 'b', '--test-mode', '--scope', 'checkin:read', '--expires', '1d', '--expires', '90d']],
  ])('%j', async (words) => {
    const cli = testCli();
    await cli.create('other');
    const { exitCode, stdout } = await cli.run(...words);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(await cli.names()).toEqual(['other']);
  });
});

describe('the words behind --', () => {
  test.each([
    ['create', ['create', 'ci6', '--live', '-s', 'plan:read', '--', 'gh', 'secret', 'set', 'X']],
    ['rotate', ['rotate', 'other', '--', 'gh', 'secret', 'set', 'X']],
    ['rotate without a key', ['rotate', '--', 'gh']],
    ['apply', ['apply', '-f', 'keys.yaml', '--', 'gh', 'secret', 'set', 'X']],
  ])('are no keys: %s', async (_, words) => {
    const cli = testCli();
    await cli.create('other');
    const { exitCode, stdout, stderr } = await cli.run(...words);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toContain('the words after -- are for --pipe');
    expect(stderr).toContain('--pipe -- gh');
    expect(await cli.names()).toEqual(['other']);
  });

  test('are the program of run, whose own flags are not ours', async () => {
    const cli = testCli();
    await cli.create('other');
    const { exitCode, stderr } = await cli.run('run', '--scope', 'checkin:read', 'pytest', '-n', '4');
    expect(exitCode).toBe(2);
    expect(stderr).toContain('that is: unlockos-keys run --scope checkin:read -- pytest -n 4');
    const between = await cli.run('run', '--scope', 'checkin:read', 'stray', '--', 'true');
    expect(between).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('"stray" comes before --') });
    expect(await cli.names()).toEqual(['other']);
  });

  test('with --pipe the program is what stands behind --, whatever stands before', async () => {
    const cli = testCli();
    const { exitCode, stderr } = await cli.run('create', 'a', 'b', '--live', '-s', 'plan:read', '--pipe', '--', 'cat');
    expect({ exitCode, made: stderr.includes('Created') }).toEqual({ exitCode: 2, made: false });
  });
});
