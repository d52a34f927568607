import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { EXIT_CODES } from '../../src/cli/exit-code.js';
import { PAGES, renderTopic } from '../../src/cli/help/topic-pages.js';
import { programForDocs } from '../../src/cli/program.js';
import { FORMATS } from '../../src/cli/settings/global-flags.js';
import { issueMetrics } from '../../src/issuer/metrics.js';
import { Keyring } from '../../src/keyring/keyring.js';
import { verifierMetrics } from '../../src/server/metrics.js';
import { pages, read, table } from '../support/documents.js';

const program = await programForDocs();

/** Every command that can be called, by its words: `scopes add`, not `scopes`. */
function leaves(command: Command = program, words: string[] = []): [string, Command][] {
  return command.commands
    .filter((each) => each.name() !== 'help')
    .flatMap((each): [string, Command][] => {
      const path = [...words, each.name()];
      return each.commands.length > 0 ? leaves(each, path) : [[path.join(' '), each]];
    });
}

function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({ writeOut: (part) => (text += part) });
  command.outputHelp();
  return text;
}

test('README lists every command, in the words of its help', () => {
  expect(table('README.md', 'command')).toEqual(leaves().map(([name, command]) => [name, command.summary()]));
});

test('docs/scripting.md and the help topic list every exit code', () => {
  expect(table('docs/scripting.md', 'code')).toEqual(Object.entries(EXIT_CODES));
  const help = renderTopic('exit-codes', 100);
  for (const [code, meaning] of Object.entries(EXIT_CODES))
    expect(help).toMatch(new RegExp(`^ +${code} +${meaning.replace(/[()]/g, '\\$&')}$`, 'm'));
});

test('docs/scripting.md lists every variable that the help lists', () => {
  const listed = table('docs/scripting.md', 'variable').map(([name]) => name);
  const known = PAGES.environment.flatMap((block) =>
    typeof block === 'object' && 'terms' in block ? block.terms.map(([name]) => name) : [],
  );
  expect(listed).toEqual(known);
});

test('docs/scripting.md lists every destination for a key string', () => {
  const listed = table('docs/scripting.md', 'flag').flatMap(([flag = '']) => /--[a-z-]+/.exec(flag)?.[0] ?? []);
  const [, section = ''] = helpOf(program.commands.find((each) => each.name() === 'create') ?? program).split(
    'Where the key string goes',
  );
  const known = [...section.slice(0, section.indexOf('\n\n')).matchAll(/^ {2}(--[a-z-]+)/gm)].map(([, flag]) => flag);
  expect(known.length).toBeGreaterThan(4);
  expect(listed).toEqual(known);
});

test('docs/scripting.md names every output format', () => {
  expect(read('docs/scripting.md')).toContain(`-o ${FORMATS.join('|')}`);
});

test('docs/library.md names commands and methods that exist', () => {
  const rows = table('docs/library.md', 'command');
  expect(rows.length).toBeGreaterThan(10);
  for (const [commands = '', methods = ''] of rows) {
    for (const command of commands.split(', '))
      expect(program.commands.map((each) => each.name())).toContain(command.split(' ')[0]);
    for (const [, method] of methods.matchAll(/`(\w+)`/g))
      expect(Object.getOwnPropertyNames(Keyring.prototype)).toContain(method);
  }
});

test('docs/serve.md lists every metric', async () => {
  const counters = { bcrypt: 0, waiting: 0, proofs: 0, moved: 0, failedFlushes: 0 };
  const metrics = verifierMetrics(
    () => counters,
    () => 0,
  );
  const names = [...(await metrics.text()).matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
  expect(
    table('docs/serve.md', 'metric')
      .map(([name]) => name)
      .sort(),
  ).toEqual(names.sort());
});

test('docs/issue.md lists every metric', async () => {
  const metrics = issueMetrics(
    () => ({ undelivered: 0, asked: 0, failed: 0 }),
    () => 0,
  );
  const names = [...(await metrics.text()).matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
  const listed = table('docs/issue.md', 'metric').map(([name]) => name);
  expect(listed.sort()).toEqual(names.sort());
});

test.each(
  leaves().map(([name, command]) => ({ name, command })),
)('$name has a description and two examples of its own', ({ command }) => {
  const help = helpOf(command);
  expect(command.description().length).toBeGreaterThan(20);
  expect(help.match(/^ {2}\$ unlockos-keys /gm)?.length).toBeGreaterThanOrEqual(2);
});

/** The command lines that the documents and the help show, without their comments, from the first word after the tool's name. */
function shownLines(): string[] {
  const helps = [helpOf(program), ...leaves().map(([, command]) => helpOf(command))].join('\n');
  const lines = [...pages().map(read), helps].flatMap((text) =>
    [...text.matchAll(/(?:unlockos-keys|npm start --) ([a-z]+ .*)$/gm)].map(([, line = '']) => line),
  );
  return lines.map((line) =>
    line
      .replace(/ +# .*$/, '')
      .replace(/`.*$/, '')
      .replace(/\)"?$/, ''),
  );
}

function known(command: Command, flag: string): boolean {
  const options = [...command.options, ...program.options].flatMap((option) => [option.short, option.long]);
  return options.includes(flag) || flag === '--help' || flag === '--man'; // `help` is not in the tree of leaves
}

test('every command line in the documents and in the help uses commands and flags that exist', () => {
  const lines = shownLines();
  expect(lines.length).toBeGreaterThan(80);
  const wrong = lines.filter((line) => {
    const words = line.split(/\s+/);
    const leaf = leaves().find(([name]) => `${line} `.startsWith(`${name} `))?.[1];
    const command = leaf ?? program.commands.find((each) => each.name() === words[0]);
    if (!command) return true;
    return words.filter((word) => /^--?[a-z]/i.test(word)).some((flag) => !known(command, flag));
  });
  expect(wrong).toEqual([]);
});

test('every command and every flag that prose names exists', () => {
  const all = [program, ...leaves().map(([, command]) => command)];
  const flags = new Set(all.flatMap(({ options }) => options.flatMap(({ short, long }) => [short, long])));
  for (const foreign of ['--env-file', '--project', '--cc', '--all', '--text', '--cached', '--omit', '--permission'])
    flags.add(foreign);
  for (const page of pages().filter((each) => each !== 'CHANGELOG.md' && !each.includes('/decisions/'))) {
    const prose = read(page).replace(/^```.*?^```$/gms, '');
    const named = [...prose.matchAll(/`([^`\n]+)`/g)].flatMap(
      ([, code = '']) => code.match(/(?<![\w-])--[a-z][a-z-]*/g) ?? [],
    );
    expect(
      named.filter((flag) => flag !== '--help' && !flags.has(flag)),
      page,
    ).toEqual([]);
  }
});
