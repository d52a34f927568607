import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { EXIT_CODES } from '../src/cli/exit-code.js';
import { FORMATS } from '../src/cli/flags.js';
import { programForDocs } from '../src/cli/main.js';

const read = (file: string) => readFileSync(fileURLToPath(new URL(`../${file}`, import.meta.url)), 'utf8');
const readme = read('README.md');
const program = programForDocs();

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

/** The rows of the first table below a heading, without its head. */
function table(heading: string): string[][] {
  const section = readme.slice(readme.indexOf(`\n## ${heading}\n`) + 1);
  const rows = [...section.slice(0, section.indexOf('\n## ')).matchAll(/^\| (.+?) +\| (.+?) +\|$/gm)];
  return rows.map(([, left = '', right = '']) => [left.replaceAll('`', ''), right]).slice(2);
}

test('README lists every command, in the words of its help', () => {
  expect(table('Commands')).toEqual(leaves().map(([name, command]) => [name, command.summary()]));
});

test('README and --help list every exit code', () => {
  expect(table('Exit codes')).toEqual(Object.entries(EXIT_CODES).map(([code, meaning]) => [code, meaning]));
  const help = helpOf(program);
  for (const [code, meaning] of Object.entries(EXIT_CODES))
    expect(help).toMatch(new RegExp(`^ +${code} +${meaning.replace(/[()]/g, '\\$&')}$`, 'm'));
});

test.each(
  leaves().map(([name, command]) => ({ name, command })),
)('$name has a description and two examples of its own', ({ command }) => {
  const help = helpOf(command);
  expect(command.description().length).toBeGreaterThan(20);
  expect(help.match(/^ {2}\$ unlockos-keys /gm)?.length).toBeGreaterThanOrEqual(2);
});

/** The command lines that the docs show: each word a flag of the command that it stands behind. */
function shownLines(): string[] {
  const helps = [helpOf(program), ...leaves().map(([, command]) => helpOf(command))].join('\n');
  const lines = [readme, helps].flatMap((text) =>
    [...text.matchAll(/(?:unlockos-keys|npm start --) ([a-z]+ .*)$/gm)].map(([, line = '']) => line),
  );
  return lines.map((line) =>
    line
      .replace(/ +# .*$/, '')
      .replace(/`.*$/, '')
      .replace(/\)$/, ''),
  );
}

function known(command: Command, flag: string): boolean {
  const options = [...command.options, ...program.options].flatMap((option) => [option.short, option.long]);
  return options.includes(flag) || flag === '--help';
}

test('every command line in README and in the help uses commands and flags that exist', () => {
  const lines = shownLines();
  expect(lines.length).toBeGreaterThan(50);
  const wrong = lines.filter((line) => {
    const words = line.split(/\s+/);
    const leaf = leaves().find(([name]) => `${line} `.startsWith(`${name} `))?.[1];
    const command = leaf ?? program.commands.find((each) => each.name() === words[0]);
    if (!command) return true;
    return words.filter((word) => /^--?[a-z]/i.test(word)).some((flag) => !known(command, flag));
  });
  expect(wrong).toEqual([]);
});

test('README names every output format', () => {
  expect(readme).toContain(`-o ${FORMATS.join('|')}`);
});

test('CI runs the test line of README', () => {
  const line = /runs all the tests[^`]*```sh\n(.+)\n```/.exec(readme)?.[1];
  expect(line).toBeTruthy();
  expect(read('.ci/run').split('\n')).toContain(line);
});

test('every decision note says context, choice, consequence, and what would change it', () => {
  const names = readdirSync(new URL('../docs/decisions/', import.meta.url)).map((file) => file.replace(/\.md$/, ''));
  expect(names.length).toBeGreaterThan(10);
  for (const name of names) {
    const note = read(`docs/decisions/${name}.md`);
    for (const part of ['**Context.**', '**Choice.**', '**Consequence.**', '**What would change it.**'])
      expect(note, name).toContain(part);
    expect(note.split('\n').length, name).toBeLessThan(40);
  }
});
