import { holdsKeyString } from '../domain/key-string.js';
import { holdsToken } from '../domain/tokens.js';
import {
  type Action,
  attributeOf,
  type Called,
  type Collect,
  type CommandBuilder,
  type OptionBuilder,
  type Register,
  type Runner,
} from './command.js';
import { COMMANDS, loadCommand } from './commands/index.js';
import { GLOBAL_OPTIONS } from './settings/global-options.js';

// Reads the command lines that mean only one thing. Commander reads the others: a line with an error in it, one for help, one that is
// written in an unusual way. To load commander takes as long as to list the keys of a store (docs/decisions/0038-plain-lines.md).

/** The names in `-s, --scope <scope>`; none in `--colour [when]`, whose value may be absent. Without a pattern: to compile one takes longer. */
function namesIn(flags: string): string[] {
  if (flags.includes('[')) return [];
  const end = flags.indexOf(' <');
  return (end < 0 ? flags : flags.slice(0, end)).split(', ');
}

/** `<key>`, `[command...]`. */
const ARGUMENT = /^([<[])\w+(\.\.\.)?[>\]]$/;

/** An option, as far as a plain line needs it. Like commander's, it is given to {@link PlainCommand#addOption}. */
class PlainOption implements OptionBuilder {
  readonly flags: string;
  parse: Collect | undefined;

  constructor(flags: string) {
    this.flags = flags;
  }

  argParser(parse: Collect): this {
    this.parse = parse;
    return this;
  }

  hideHelp(): this {
    return this;
  }
}

/** What a word of the command line says. */
interface Flag {
  /** The property of {@link Values}. */
  readonly name: string;
  /** What it is without a value; undefined for a flag that takes one. */
  readonly means: boolean | undefined;
  readonly parse: Collect | undefined;
}

type Values = Record<string, unknown>;

/** A command as it declares itself. What a plain line may not use is only noted. */
class PlainCommand implements CommandBuilder, Called {
  readonly parent: PlainCommand | null;
  readonly names: string[];
  readonly commands: PlainCommand[] = [];
  readonly options: (readonly [flags: string, given: string | Collect | undefined])[] = [];
  readonly arguments: { readonly isRequired: boolean; readonly isList: boolean }[] = [];
  /** What the flags say: at first, what they say when they are absent. */
  readonly values: Values = {};
  run: Action | undefined;
  /** False where it declares something that only commander knows. */
  isPlain = true;

  constructor(name: string, parent: PlainCommand | null) {
    this.parent = parent;
    this.names = [name];
  }

  name(): string {
    return this.names[0] ?? '';
  }

  optsWithGlobals<T extends object>(): T {
    return this.values as T;
  }

  command(name: string): PlainCommand {
    const command = new PlainCommand(name, this);
    this.commands.push(command);
    return command;
  }

  alias(name: string): this {
    this.names.push(name);
    return this;
  }

  summary(): this {
    return this;
  }

  description(): this {
    return this;
  }

  optionsGroup(): this {
    return this;
  }

  addHelpText(): this {
    return this;
  }

  option(flags: string, _description: string, given?: string | Collect): this {
    this.options.push([flags, given]);
    if (typeof given === 'string') this.values[attributeOf(flags)] = given;
    if (flags.includes('--no-')) this.values[attributeOf(flags)] = true;
    return this;
  }

  /** The flag that a line calls by this name. Only then is a declaration read: there are dozens, and a line has a few. */
  flag(name: string): Flag | undefined {
    const found = this.options.find(([flags]) => namesIn(flags).includes(name));
    if (found === undefined) return undefined;
    const [flags, given] = found;
    return {
      name: attributeOf(flags),
      means: flags.includes('<') ? undefined : !flags.includes('--no-'),
      parse: typeof given === 'function' ? given : undefined,
    };
  }

  createOption(flags: string): PlainOption {
    return new PlainOption(flags);
  }

  addOption(option: PlainOption): this {
    return this.option(option.flags, '', option.parse);
  }

  argument(name: string): this {
    const [, bracket, dots] = ARGUMENT.exec(name) ?? [];
    if (bracket === undefined) return this.#unusual();
    this.arguments.push({ isRequired: bracket === '<', isList: dots !== undefined });
    return this;
  }

  action(run: Action): this {
    this.run = run;
    return this;
  }

  allowExcessArguments(): this {
    return this.#unusual();
  }

  hook(): this {
    return this.#unusual();
  }

  #unusual(): this {
    this.isPlain = false;
    return this;
  }
}

/** The command that this word calls; undefined where it calls none. */
async function commandCalled(word: string): Promise<Register | undefined> {
  for (const [, commands] of COMMANDS)
    for (const names of commands) if (names.includes(word)) return loadCommand(names[0] as string);
  return undefined;
}

/** Whether a word may be an argument, or the value of the flag before it. */
function isValue(word: string): boolean {
  return word !== '' && !word.startsWith('-');
}

/**
 * Reads a command line of commands, arguments and whole flags: `--name value`, `--name=value` or `-n value`, each once, or as often as a
 * flag allows that collects its values. Resolves to a function that runs the command with what commander would have read, and to null for every other line.
 */
export async function readPlain(words: readonly string[], runner: Runner): Promise<(() => Promise<void>) | null> {
  const end = words.includes('--') ? words.indexOf('--') : words.length;
  if (words.includes('') || words.slice(0, end).some((word) => holdsKeyString(word) || holdsToken(word))) return null;
  const program = new PlainCommand('unlockos-keys', null);
  for (const [flags, description] of GLOBAL_OPTIONS) program.option(flags, description);
  const values: Values = {};
  const given: string[] = [];
  let command = program;
  for (let at = 0; at < end; at++) {
    const word = words[at] as string;
    if (isValue(word)) {
      if (command === program) (await commandCalled(word))?.(program, runner);
      const called = command.commands.find(({ names }) => names.includes(word));
      if (called) command = called;
      else if (command.run) given.push(word);
      else return null;
      continue;
    }
    const equals = word.startsWith('--') && word.includes('=') ? word.indexOf('=') : word.length;
    const name = word.slice(0, equals);
    const flag = program.flag(name) ?? command.flag(name);
    if (!flag || (flag.name in values && !flag.parse)) return null;
    const isAttached = equals < word.length;
    if (flag.means === undefined) {
      const value = isAttached ? word.slice(equals + 1) : (words[++at] ?? '');
      if (!isValue(value)) return null;
      values[flag.name] = flag.parse ? flag.parse(value, values[flag.name]) : value;
    } else if (isAttached) return null;
    else values[flag.name] = flag.means;
  }
  given.push(...words.slice(end + 1));
  const { run } = command;
  const operands = operandsOf(command, given);
  if (!command.isPlain || !run || operands === null) return null;
  Object.assign(command.values, program.values, values);
  return () => run(...operands, command.values, command);
}

/** The values of the arguments that a command declares; null where one is missing or too much. */
function operandsOf({ arguments: declared }: PlainCommand, given: readonly string[]): unknown[] | null {
  if (given.length < declared.filter(({ isRequired }) => isRequired).length) return null;
  if (given.length > declared.length && !declared.at(-1)?.isList) return null;
  return declared.map(({ isList }, at) => (isList ? given.slice(at) : given[at]));
}
