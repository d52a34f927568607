import type { Command, Option } from 'commander';

/** What the words before the cursor say about the next word. */
export interface CursorPosition {
  readonly command: Command;
  /** The arguments of the command so far. */
  readonly given: readonly string[];
  /** The values of the flags by their long names; the last value of each. */
  readonly flags: ReadonlyMap<string, string>;
  /** The flag whose value comes next. */
  readonly expects: Option | null;
  /** After `--`, where a leading dash is no longer a flag. */
  readonly dashed: boolean;
}

/** The default command of a group: `audit` is `audit list`. commander does not expose its name. */
export function defaultOf(group: Command): Command | undefined {
  const { _defaultCommandName: name } = group as Command & { readonly _defaultCommandName?: string | null };
  return group.commands.find((each) => each.name() === name);
}

/** The flag with this long or short name, of the command or of those above it. */
export function optionOf(command: Command, name: string): Option | undefined {
  const own = [...command.options, ...(defaultOf(command)?.options ?? [])];
  const found = own.find(({ long, short }) => long === name || short === name);
  return found ?? (command.parent ? optionOf(command.parent, name) : undefined);
}

export function takesValue(option: Option): boolean {
  return option.required || option.optional;
}

/** Reads the words as commander would. Null when one is an unknown command: the words after it have no meaning. */
export function placeAfter(words: readonly string[], program: Command): CursorPosition | null {
  const flags = new Map<string, string>();
  const given: string[] = [];
  let command = program;
  let expects: Option | null = null;
  let dashed = false;
  for (const word of words) {
    if (expects) {
      flags.set(expects.long ?? '', word);
      expects = null;
    } else if (dashed) given.push(word);
    else if (word === '--') dashed = true;
    else if (word.startsWith('--')) expects = longFlag(word, command, flags);
    else if (/^-./.test(word)) expects = shortFlags(word, command, flags);
    else if (given.length > 0 || command.commands.length === 0) given.push(word);
    else {
      const named: Command | undefined = command.commands.find(
        (each) => each.name() === word || each.aliases().includes(word),
      );
      if (!named) return null;
      command = named;
    }
  }
  return { command, given, flags, expects, dashed };
}

/** Records a long flag. Returns it when its value comes next. */
function longFlag(word: string, command: Command, flags: Map<string, string>): Option | null {
  const [name = ''] = word.split('=', 1);
  const option = optionOf(command, name);
  if (!option) return null;
  if (word === name) {
    if (takesValue(option)) return option;
    flags.set(name, '');
  } else flags.set(name, word.slice(name.length + 1));
  return null;
}

/** Records short flags, of which one word may hold several, the last with its value. */
function shortFlags(word: string, command: Command, flags: Map<string, string>): Option | null {
  for (let i = 1; i < word.length; i++) {
    const option = optionOf(command, `-${word.charAt(i)}`);
    if (!option) return null;
    if (takesValue(option)) {
      if (i === word.length - 1) return option;
      flags.set(option.long ?? '', word.slice(i + 1));
      return null;
    }
    flags.set(option.long ?? '', '');
  }
  return null;
}
