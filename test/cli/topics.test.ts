import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { EXIT_CODES } from '../../src/cli/exit-code.js';
import { TOPICS, type TopicName } from '../../src/cli/help/topic-names.js';
import { PAGES } from '../../src/cli/help/topic-pages.js';
import { programForDocs } from '../../src/cli/program.js';
import { FORMATS } from '../../src/cli/settings/global-flags.js';
import { testCli } from '../support/test-cli.js';

const src = fileURLToPath(new URL('../../src', import.meta.url));
const names = Object.keys(TOPICS) as TopicName[];

/** The terms of a topic. */
function terms(name: TopicName): string[] {
  return PAGES[name].flatMap((block) =>
    typeof block === 'object' && 'terms' in block ? block.terms.map(([term]) => term) : [],
  );
}

async function help(...words: string[]) {
  const { exitCode, stdout, stderr } = await testCli().run('help', ...words);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  return stdout;
}

describe('help', () => {
  test.each(names)('%s: its page, in 80 columns but for command lines', async (name) => {
    const page = await help(name);
    expect(page.split('\n')[0]).toBe(`${name}: ${TOPICS[name]}`);
    for (const line of page.split('\n').slice(1))
      if (!line.startsWith('  $ ')) expect(line.length).toBeLessThanOrEqual(80);
    expect(page.split('\n').length).toBeLessThan(60);
    expect(page).not.toContain('undefined');
  });

  test('a page is as wide as the terminal, and no wider than can be read', async () => {
    const cli = testCli();
    cli.tty.stdout = true;
    const widest = async (columns: number) => {
      cli.columns = columns;
      const { stdout } = await cli.run('help', 'security');
      const prose = stdout
        .split('\n')
        .slice(1)
        .filter((line) => !line.startsWith('  $ '));
      return Math.max(...prose.map((line) => line.length));
    };
    expect(await widest(60)).toBeLessThanOrEqual(60);
    expect(await widest(300)).toBeLessThanOrEqual(100);
    expect(await widest(300)).toBeGreaterThan(90);
  });

  test('alone it lists commands and topics, as --help does', async () => {
    const page = await help();
    expect(page).toContain(`Help topics: ${names.join(', ')}\n`);
    expect(page.split('\n').length).toBeLessThan(45);
    for (const line of page.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
    for (const command of (await programForDocs()).commands) expect(page).toContain(`\n  ${command.name()}`);
    expect((await testCli().run('--help')).stdout).toBe(page);
  });

  test('of a command, by any of its words, is what --help behind it prints', async () => {
    for (const words of [['list'], ['ls'], ['scopes'], ['scopes', 'retire'], ['help']])
      expect(await help(...words)).toBe((await testCli().run(...words, '--help')).stdout);
  });

  test.each([
    [['secuirty'], 'there is no command or help topic "secuirty", did you mean security?'],
    [['crate'], 'there is no command or help topic "crate", did you mean create?'],
    [['scopes', 'ad'], 'there is no command scopes "ad", did you mean add?'],
    [['ci', 'output'], 'there is no command or help topic "ci", did you mean'],
    [['zzzzzz'], 'there is no command or help topic "zzzzzz"\n'],
    [['toString'], 'there is no command or help topic "toString"\n'],
  ])('%j is refused, with the nearest', async (words, message) => {
    const { exitCode, stdout, stderr } = await testCli().run('help', ...words);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toContain(message);
  });

  test('is there when the configuration is what is wrong', async () => {
    const cli = testCli({ env: { UNLOCKOS_KEYS_PROFILE: 'none', UNLOCKOS_KEYS_OUTPUT: 'nonsense' } });
    expect((await cli.run('help', 'environment')).exitCode).toBe(0);
  });
});

describe('the topics are true', () => {
  test('environment names every variable of ours in the sources, and no other', () => {
    const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => /\.(ts|c?js)$/.test(file));
    const read = files
      .filter((file) => !file.endsWith('topics.ts'))
      .flatMap((file) => readFileSync(path.join(src, file), 'utf8').match(/UNLOCKOS_KEYS_[A-Z_]*[A-Z]/g) ?? []);
    const ours = terms('environment').filter((term) => term.startsWith('UNLOCKOS_KEYS_'));
    expect(ours.sort()).toEqual([...new Set(read)].sort());
  });

  test('environment names the variables of others that decide on colour, width and places', () => {
    const settings = ['global-flags', 'config-file', 'head-memory'].map((name) => `cli/settings/${name}.ts`);
    const text = [...settings, 'cli/output/printer.ts', 'loader/compiled-forms.ts']
      .map((file) => readFileSync(path.join(src, file), 'utf8'))
      .join('');
    for (const term of terms('environment').filter((each) => !each.startsWith('UNLOCKOS_')))
      expect(text).toContain(term);
  });

  test('exit-codes has the table of the exit codes', () => {
    expect(PAGES['exit-codes']).toContainEqual({ terms: Object.entries(EXIT_CODES) });
  });

  test('output names every format', () => {
    expect(terms('output')).toEqual(FORMATS.map((format) => `-o ${format}`));
  });

  test('ci names every way out of a key string that create has', async () => {
    const create = (await programForDocs()).commands.find((command) => command.name() === 'create');
    const sinks = create?.options.filter(
      ({ helpGroupHeading, long }) => helpGroupHeading?.startsWith('Where') && long !== '--copy',
    );
    const named = terms('ci').map((term) => term.split(' ')[0]);
    expect(
      sinks
        ?.filter(({ hidden }) => !hidden)
        .map(({ long }) => long)
        .sort(),
    ).toEqual(named.filter((each) => each?.startsWith('--')).sort());
  });

  test('command lines use commands and flags that there are', async () => {
    const program = await programForDocs();
    const lines = names.flatMap((name) =>
      PAGES[name].flatMap((block) => (typeof block === 'object' && 'lines' in block ? block.lines : [])),
    );
    expect(lines.length).toBeGreaterThan(9);
    for (const line of lines) {
      const words = line.split(' ');
      const command = program.commands.find((each) => each.name() === words[0]);
      const leaf = command?.commands.find((each) => each.name() === words[1]) ?? command;
      const flags = [...(leaf?.options ?? []), ...program.options].flatMap(({ short, long }) => [short, long]);
      expect(leaf, line).toBeDefined();
      for (const word of words.filter((each) => /^--?[a-z]/.test(each))) expect(flags, line).toContain(word);
    }
  });

  test('commands that the prose names are there', async () => {
    const program = await programForDocs();
    const there = program.commands.map((command) => command.name());
    for (const name of ['create', 'rotate', 'disable', 'apply', 'diff', 'serve', 'verify', 'doctor'])
      expect(there).toContain(name);
  });
});
