import type { Command, Option } from 'commander';
import { type Block, PAGES } from '../src/cli/help/topic-pages.js';

/** Text on one line, with the characters that roff interprets escaped. A hyphen stays a hyphen when it is copied. */
function escaped(text: string): string {
  return text
    .replace(/\s+/g, ' ')
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('…', '\\&...')
    .replaceAll("'", '\\(aq')
    .replaceAll('"', '\\(dq')
    .replaceAll('`', '\\(ga')
    .replaceAll('^', '\\(ha')
    .replaceAll('~', '\\(ti');
}

/** A line of text; the prefix keeps roff from reading a leading dot as a request. */
function line(text: string): string {
  return `\\&${escaped(text)}`;
}

/** The argument of a roff macro. */
function argument(text: string): string {
  return `"${escaped(text)}"`;
}

function section(title: string, ...lines: readonly string[]): string[] {
  return [`.SH ${argument(title.toUpperCase())}`, ...lines];
}

/** A term in bold, and its meaning. */
function tagged(term: string, meaning: string): string[] {
  return ['.TP', `.B ${argument(term)}`, line(meaning)];
}

function examples(lines: readonly string[]): string[] {
  return ['.PP', '.RS 4', '.nf', ...lines.map((each) => `\\&$ unlockos\\-keys ${escaped(each)}`), '.fi', '.RE'];
}

function block(content: Block, index: number): string[] {
  if (typeof content === 'string') return [...(index === 0 ? [] : ['.PP']), line(content)];
  return 'lines' in content
    ? examples(content.lines)
    : content.terms.flatMap(([term, meaning]) => tagged(term, meaning));
}

function options(all: readonly Option[]): string[] {
  return all.filter(({ hidden }) => !hidden).flatMap(({ flags, description }) => tagged(flags, description));
}

/** The examples in the help of a command, without the name of the tool and without `# comments`. */
function examplesOf(command: Command): string[] {
  let help = '';
  command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
  return [...help.matchAll(/^ {2}\$ unlockos-keys (.*)$/gm)].map(([, words = '']) => words.replace(/ +# .*$/, ''));
}

/** Every command that can be run, with its words (`store hash`). */
function leaves(command: Command, words: readonly string[] = []): [string, Command][] {
  return command.commands
    .filter((each) => each.name() !== 'help')
    .flatMap((each): [string, Command][] => {
      const path = [...words, [each.name(), ...each.aliases()].join('|')];
      return each.commands.length > 0 ? leaves(each, path) : [[path.join(' '), each]];
    });
}

function describe([words, command]: [string, Command]): string[] {
  const usage = command.usage().replace('[options] ', '').replace('[options]', '');
  return [
    `.SS ${argument(`unlockos-keys ${words} ${usage}`.trimEnd())}`,
    line(command.description()),
    ...command.registeredArguments.flatMap((each) => tagged(each.name(), each.description)),
    ...options(command.options),
    ...examples(examplesOf(command)),
  ];
}

/** The man page, in roff for man(7), from the command tree and the help topics. */
export function manPage(program: Command, version: string): string {
  return [
    `.TH UNLOCKOS\\-KEYS 1 "" ${argument(`unlockos-keys ${version}`)} "User Commands"`,
    '.nh',
    '.ad l',
    ...section('Name', `unlockos\\-keys \\- ${escaped(program.description().replace(/\.$/, ''))}`),
    ...section('Synopsis', '.B unlockos\\-keys', line('COMMAND [FLAG...] [ARGUMENT...]')),
    ...section('Commands', ...leaves(program).flatMap(describe)),
    ...section('Flags of every command', ...options(program.options)),
    ...Object.entries(PAGES)
      .filter(([name]) => name !== 'flags')
      .flatMap(([name, blocks]) => section(name.replace('-', ' '), ...blocks.flatMap(block))),
  ]
    .join('\n')
    .concat('\n');
}
