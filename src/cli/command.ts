import type { Command } from 'commander';
import { KeysError } from '../domain/errors.js';
import { didYouMean } from '../domain/scopes.js';
import { quoted } from '../domain/text.js';
import type { Context } from './context.js';
import type { ChildExit, ExitCode } from './exit-code.js';
import { type Invocation, Session } from './session.js';
import { reportsOf } from './settings/global-flags.js';

/** A command's action: typed flags and arguments in, the exit code out. No value means 0. */
// biome-ignore lint/suspicious/noConfusingVoidType: most commands return nothing
type Run<F, A extends unknown[]> = (session: Session, flags: F, ...args: A) => Promise<ExitCode | ChildExit | void>;

/** Turns a {@link Run} into the function that commander calls. It opens a session, and always closes it. */
export type Runner = <F, A extends unknown[]>(run: Run<F, A>) => (...commanderArgs: unknown[]) => Promise<void>;

/** Adds a command to the program; each file in `commands/` exports one. A command built apart would not inherit the program's error handling. */
export type Register = (program: Command, run: Runner) => void;

/** `words` are the command line; `ended` is called with the exit code of the command that ran. */
export function runnerFor(
  ctx: Context,
  { words, ended }: { readonly words: readonly string[]; readonly ended: (code: ExitCode) => void },
): Runner {
  return <F, A extends unknown[]>(run: Run<F, A>) =>
    async (...commanderArgs) => {
      const command = commanderArgs.at(-1) as Command;
      refuseStrayWord(command);
      refuseEmpty(command);
      const flags = command.optsWithGlobals<Invocation['flags'] & { readonly from?: string }>();
      const withProfile = command.parent?.name() !== 'profile';
      const withStore = flags.from === undefined;
      const reports = reportsOf(command.name());
      const session = await Session.open(ctx, { words, flags, withProfile, withStore, reports });
      try {
        const result = (await run(session, flags as F, ...(commanderArgs.slice(0, -2) as A))) ?? 0;
        ended(typeof result === 'object' ? (result.ofChild as ExitCode) : result);
      } finally {
        await session.close();
      }
    };
}

/**
 * Refuses `scopes ad`: commander passes the unknown word to the default command of the group (`scopes list`). Such commands allow
 * excess arguments, so that this message can suggest the command that was meant. Throws `usage`.
 */
function refuseStrayWord(command: Command): void {
  const last = command.registeredArguments.at(-1);
  const stray = last?.variadic ? undefined : command.args[command.registeredArguments.length];
  if (stray === undefined || !command.parent) return;
  const words = command.parent.commands.map((each) => each.name());
  const guess = didYouMean(stray, words);
  throw new KeysError(
    'usage',
    `${command.parent.name()} has no command ${quoted(stray)}${guess ? `, did you mean ${guess}?` : ''}`,
    `its commands are: ${words.join(', ')}`,
  );
}

/** Refuses an empty argument, such as that of `delete "$KEY"` where `KEY` is not set. The program after `--` has its own. Throws `usage`. */
function refuseEmpty(command: Command): void {
  const declared = command.registeredArguments;
  const at = command.args.indexOf('');
  const argument = declared[at] ?? (declared.at(-1)?.variadic ? declared.at(-1) : undefined);
  if (at < 0 || !argument || argument.name() === 'command') return;
  throw new KeysError('usage', `the argument ${argument.name().toUpperCase()} is empty`, 'is a variable not set?');
}

/** Parses a flag that may be repeated: each use adds a value to the list. */
export function collect(value: string, previous: string[] | undefined): string[] {
  return [...(previous ?? []), value];
}

/** For commands that change something: the audit log records the id, so a run with an unknown outcome can be repeated. */
export function operationOption(command: Command): Command {
  return command.option('--operation-id <id>', 'of an earlier run of this command, to finish it');
}

/** What several commands say in the same words, for {@link Command#argument} and {@link Command#option}. */
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
