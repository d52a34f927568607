import type { Command, Option } from 'commander';
import { KeysError } from '../domain/errors.js';
import { exposedKeyString } from '../domain/exposed.js';
import { holdsKeyString } from '../domain/key-string.js';
import { quoted } from '../domain/text.js';
import { holdsToken } from '../domain/tokens.js';

/** Flags for which an empty value means something: it removes what is stored. Elsewhere it comes from a variable that is not set. */
const MAY_BE_EMPTY: ReadonlySet<string | undefined> = new Set(['--description']);

/** What one word of the command line says. */
interface Flag {
  readonly option: Option;
  /** As it was typed: `--key-file` or `-p`. */
  readonly name: string;
  /** The value behind `=`, or attached to a short flag; undefined when it must be the next word. */
  readonly attached: string | undefined;
}

/**
 * Checks the command line before commander reads it, because commander takes whatever follows a flag for its value
 * (tj/commander.js#1484): in `--key-file $E --test-mode` with an empty `E` it makes a LIVE key in a file named `--test-mode`.
 *
 * Returns the words with each dashed value joined to its flag (`--sort -name` becomes `--sort=-name`): commander looks for the program's
 * own short flags before a command sees its words, and would read `-name` as `-n -ame`. Throws `usage` for a flag without a value, for
 * an empty value, for a key string or a token (other processes can see it), and for a flag of a command that is given twice although only one value counts.
 */
export function readWords(words: readonly string[], program: Command): string[] {
  const end = words.includes('--') ? words.indexOf('--') : words.length;
  const read: string[] = [];
  const seen = new Set<Option>();
  let command = program;
  for (let i = 0; i < end; i++) {
    const word = words[i] as string;
    if (command.name() !== 'scan') refuseSecret(word);
    const flag = flagIn(word, command, program);
    if (!flag) {
      command = command.commands.find((each) => isNamed(each, word)) ?? command;
      read.push(word);
      continue;
    }
    const isNextWord = flag.attached === undefined;
    const value = isNextWord ? words[i + 1] : flag.attached;
    if (value !== undefined) refuseSecret(value);
    if (value !== undefined) checkValue(flag, value, isNextWord, optionsOf(command, program));
    if (seen.has(flag.option) && countsOnce(flag.option, program))
      throw new KeysError('usage', `${flag.name} is given twice`, 'only one value counts; leave one of them out');
    seen.add(flag.option);
    if (!isNextWord || value === undefined || !value.startsWith('-') || value === '-') {
      read.push(word);
      if (isNextWord && value !== undefined) read.push(words[++i] as string);
    } else {
      read.push(`${word}${word.startsWith('--') ? '=' : ''}${value}`);
      i += 1;
    }
  }
  return [...read, ...words.slice(end)];
}

/** Other processes can see it, and a message would repeat it. Throws `usage`. */
function refuseSecret(word: string): void {
  if (holdsKeyString(word)) throw exposedKeyString(word);
  if (holdsToken(word))
    throw new KeysError(
      'usage',
      'an argument holds a token (a JWT): it is now in your shell history and was visible in the process list',
      'tokens are read from variables and files only: name the variable or the file',
    );
}

/** The flags that may be used here. A group such as `scopes` also takes those of its default command. */
function optionsOf(command: Command, program: Command): Option[] {
  const inGroup = command === program ? [] : command.commands.flatMap((each) => each.options);
  return [...command.options, ...inGroup, ...program.options];
}

function isNamed(command: Command, word: string): boolean {
  return command.name() === word || command.aliases().includes(word);
}

/** The flag with a value that `word` is; null for a word without one, such as `--yes` or an argument. */
function flagIn(word: string, command: Command, program: Command): Flag | null {
  const [, name = '', attached] = /^(--[^=]+)(?:=(.*))?$/s.exec(word) ?? /^(-[^-])(.+)?$/s.exec(word) ?? [];
  const option = optionsOf(command, program).find((each) => each.long === name || each.short === name);
  return option?.required ? { option, name, attached } : null;
}

function checkValue({ name, option }: Flag, value: string, isNextWord: boolean, options: readonly Option[]): void {
  if (value === '' && !MAY_BE_EMPTY.has(option.long))
    throw new KeysError('usage', `${name} needs a value, and got an empty one`, 'is a variable not set?');
  if (isNextWord && isFlagLike(value, options))
    throw new KeysError(
      'usage',
      `${name} needs a value, and got ${quoted(value)}`,
      value === '--'
        ? 'put the value after the flag'
        : `is a variable empty? To mean that value: ${joined(name, value)}`,
    );
}

function joined(name: string, value: string): string {
  return name.startsWith('--') ? `${name}=${value}` : `${name}${value}`;
}

/** True for `--anything`, and for `-yn` when each letter is a short flag. `-name`, `-5` and `-` are values. */
function isFlagLike(value: string, options: readonly Option[]): boolean {
  if (value.startsWith('--')) return true;
  if (!value.startsWith('-') || value === '-') return false;
  return [...value.slice(1)].every((letter) => letter === 'h' || options.some(({ short }) => short === `-${letter}`));
}

/** The program's own flags may be repeated, so that an alias can set one and a command line can change it. */
function countsOnce(option: Option, program: Command): boolean {
  return option.parseArg === undefined && !program.options.includes(option);
}
