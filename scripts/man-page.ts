import type { Command, Option } from 'commander';
import { type Block, PAGES } from '../src/cli/topics.js';

/** On one line, with all escaped that roff would take for its own. A hyphen stays one when it is copied. */
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

/** A line of text, whatever it begins with. */
function line(text: string): string {
  return `\\&${escaped(text)}`;
}

/** The argument of a macro. */
function argument(text: string): string {
  return `"${escaped(text)}"`;
}

function section(title: string, ...lines: readonly string[]): string[] {
  return [`.SH ${argument(title.toUpperCase())}`, ...lines];
}

/** A term in bold, and what it means. */
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

/** The command lines that its help shows, without the name of the tool and what they say behind `#`. */
function examplesOf(command: Command): string[] {
  let help = '';
  command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
  return [...help.matchAll(/^ {2}\$ unlockos-keys (.*)$/gm)].map(([, words = '']) => words.replace(/ +# .*$/, ''));
}

/** Every command that can be called, by its words. */
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

/** The man page of the tool, in the roff of man(7), from the tree of its commands and the topics of its help. */
export function manPage(program: Command, version: string): string {
  return [
    `.TH UNLOCKOS\\-KEYS 1 "" ${argument(`unlockos-keys ${version}`)} "User Commands"`,
    '.nh',
    '.ad l',
    ...section('Name', `unlockos\\-keys \\- ${escaped(program.description().replace(/\.$/, ''))}`),
    ...section('Synopsis', '.B unlockos\\-keys', line('COMMAND [FLAG...] [ARGUMENT...]')),
    ...section('Commands', ...leaves(program).flatMap(describe)),
    ...section('Flags of every command', ...options(program.options)),
    ...Object.entries(PAGES).flatMap(([name, blocks]) => section(name.replace('-', ' '), ...blocks.flatMap(block))),
  ]
    .join('\n')
    .concat('\n');
}
