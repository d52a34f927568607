import type { Context } from './context.js';
import type { ChildExit, ExitCode } from './exit-code.js';
import { type Invocation, Session } from './session.js';
import { reportsOf } from './settings/global-flags.js';

/** A command's action: typed flags and arguments in, the exit code out. No value means 0. */
// biome-ignore lint/suspicious/noConfusingVoidType: most commands return nothing
type Run<F, A extends unknown[]> = (session: Session, flags: F, ...args: A) => Promise<ExitCode | ChildExit | void>;

/** A command that was called, as its action gets it: what the flags say, and what it and its group are called. */
export interface Called {
  name(): string;
  optsWithGlobals<T extends object>(): T;
  readonly parent: Pick<Called, 'name'> | null;
}

/** What an action is called with: the values of the declared arguments, those of the flags, and the command. */
export type Action = (...given: unknown[]) => Promise<void>;

/** Turns a {@link Run} into an action. It opens a session, and always closes it. */
export type Runner = <F, A extends unknown[]>(run: Run<F, A>) => Action;

/** Parses a flag that may be repeated: the value, and what the earlier ones made. */
// biome-ignore lint/suspicious/noExplicitAny: as commander has it
export type Collect = (value: string, previous: any) => unknown;

/** A flag that {@link CommandBuilder#option} says too little of. */
export interface OptionBuilder {
  argParser(parse: Collect): this;
  hideHelp(): this;
}

/** With these a command says what it takes: the part of commander's Command that ours use, which {@link PlainCommand} has, too. */
export interface CommandBuilder {
  command(name: string, settings?: { readonly isDefault?: boolean }): CommandBuilder;
  alias(name: string): this;
  summary(text: string): this;
  description(text: string): this;
  option(flags: string, description: string, value?: string): this;
  option(flags: string, description: string, parse: Collect): this;
  createOption(flags: string, description?: string): OptionBuilder;
  addOption(option: OptionBuilder): this;
  optionsGroup(heading: string): this;
  argument(name: string, description?: string): this;
  allowExcessArguments(): this;
  addHelpText(where: 'after', text: string): this;
  hook(when: 'preAction', check: (command: Called & { args: string[] }) => void): this;
  // biome-ignore lint/suspicious/noExplicitAny: each command types its own arguments
  action(action: (...given: any[]) => void | Promise<void>): this;
}

/** The property that the value of an option has, as commander names it: `keyFile` for `-f, --key-file <file>`, `ignore` for `--no-ignore`. */
export function attributeOf(flags: string): string {
  const [long = ''] = flags.slice(flags.indexOf('--') + 2).split(' ');
  const [first = '', ...others] = (long.startsWith('no-') ? long.slice(3) : long).split('-');
  return first + others.map((word) => `${word.charAt(0).toUpperCase()}${word.slice(1)}`).join('');
}

/** Adds a command to the program; each file in `commands/` exports one. A command built apart would not inherit the program's error handling. */
export type Register = (program: CommandBuilder, run: Runner) => void;

/** `words` are the command line; `ended` is called with the exit code of the command that ran. */
export function runnerFor(
  ctx: Context,
  { words, ended }: { readonly words: readonly string[]; readonly ended: (code: ExitCode) => void },
): Runner {
  return <F, A extends unknown[]>(run: Run<F, A>) =>
    async (...given) => {
      const command = given.at(-1) as Called;
      const flags = command.optsWithGlobals<Invocation['flags'] & { readonly from?: string }>();
      const withProfile = command.parent?.name() !== 'profile';
      const withStore = flags.from === undefined;
      const reports = reportsOf(command.name());
      const session = await Session.open(ctx, { words, flags, withProfile, withStore, reports });
      try {
        const result = (await run(session, flags as F, ...(given.slice(0, -2) as A))) ?? 0;
        ended(typeof result === 'object' ? (result.ofChild as ExitCode) : result);
      } finally {
        await session.close();
      }
    };
}

/** Parses a flag that may be repeated: each use adds a value to the list. */
export function collect(value: string, previous: string[] | undefined): string[] {
  return [...(previous ?? []), value];
}

/** For commands that change something: the audit log records the id, so a run with an unknown outcome can be repeated. */
export function operationOption(command: CommandBuilder): CommandBuilder {
  return command.option('--operation-id <id>', 'of an earlier run of this command, to finish it');
}

/** What several commands say in the same words, for {@link CommandBuilder#argument} and {@link CommandBuilder#option}. */
export const KEY = 'key id, exact name, or the start of the id';
export const KEYS = `${KEY}; - reads them from stdin`;
export const ALL_LABEL = [
  '-l, --label <name=value>',
  'all keys with this label; repeat to require several labels',
  collect,
] as const;
export const ONLY_LABEL = [
  '-l, --label <name=value>',
  'only keys with this label; repeat to require several labels',
  collect,
] as const;
export const ONLY_MODE = ['--mode <mode>', 'only live or test keys'] as const;
export const CONFIRM = [
  '--confirm <name>',
  'in a protected profile: the name of each key, as confirmation; repeat for more',
  collect,
] as const;
export const REASON = ['--reason <text>', 'why, for the audit log'] as const;

/** The examples at the end of a command's help. */
export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  $ unlockos-keys ${line}`).join('\n')}`;
}
