import type { Command } from 'commander';
import { KeysError } from '../domain/errors.js';
import { didYouMean } from '../domain/scopes.js';
import { quoted } from '../domain/text.js';
import type { Context } from './context.js';
import type { ChildExit, ExitCode } from './exit-code.js';
import type { GlobalFlags } from './flags.js';
import { Session } from './session.js';

/** What a command does with its typed flags and arguments; the number it returns is the exit code, nothing is 0. */
// biome-ignore lint/suspicious/noConfusingVoidType: most commands end without saying anything
type Run<F, A extends unknown[]> = (session: Session, flags: F, ...args: A) => Promise<ExitCode | ChildExit | void>;

/** Wraps a {@link Run} into what commander calls: one session, always closed. */
export type Runner = <F, A extends unknown[]>(run: Run<F, A>) => (...commanderArgs: unknown[]) => Promise<void>;

/** Each file of `commands/` exports one: it puts its command on the program that it is given (one built apart would not inherit its error handling). */
export type Register = (program: Command, run: Runner) => void;

/** `settle` hears the exit code of the command that ran. */
export function runnerFor(ctx: Context, settle: (code: ExitCode) => void): Runner {
  return <F, A extends unknown[]>(run: Run<F, A>) =>
    async (...commanderArgs) => {
      const command = commanderArgs.at(-1) as Command;
      refuseStrayWord(command);
      const flags = command.optsWithGlobals<GlobalFlags>();
      const session = await Session.open(ctx, flags, { withProfile: command.parent?.name() !== 'profile' });
      try {
        const ended = (await run(session, flags as F, ...(commanderArgs.slice(0, -2) as A))) ?? 0;
        settle(typeof ended === 'object' ? (ended.ofChild as ExitCode) : ended);
      } finally {
        await session.close();
      }
    };
}

/**
 * `scopes ad`: the word goes to the default command of the group (`scopes list`), which takes none. Those commands let it through
 * (`allowExcessArguments`), so that the answer can name the command that was meant.
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
    `it has: ${words.join(', ')}`,
  );
}

/** For flags that may be repeated: each use adds to the list. */
export function collect(value: string, previous: string[] | undefined): string[] {
  return [...(previous ?? []), value];
}

/** For commands that change something: the id under which it is written, so that a run with an unknown outcome can be repeated. */
export function operationOption(command: Command): Command {
  return command.option('--operation-id <id>', 'the id of an earlier run of this command: finish it, do nothing twice');
}

/** For commands that make a key: where its key string goes. `usage`: the command without its flags, for an example. */
export function sinkOptions(command: Command, usage: string): Command {
  return command
    .optionsGroup('Where the key string goes (under CI one is required):')
    .option('--key-file <file>', 'a new file, mode 0600')
    .option('--dotenv <file[:NAME]>', 'NAME=… in a dotenv file, the rest kept (default name: UNLOCKOS_API_KEY)')
    .addOption(command.createOption('--env-file <file[:NAME]>').hideHelp()) // Node itself stumbles over it: decision 8
    .option('--github-env <NAME>', "a variable for the job's later steps, masked")
    .option('--github-output <NAME>', 'a step output, masked')
    .option('--copy', 'the clipboard, cleared after 45 s')
    .option('--pipe', `the stdin of a program, named last: ${usage} --pipe -- gh secret set UNLOCKOS_API_KEY`);
}

/** The examples at the end of a command's help. */
export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  $ unlockos-keys ${line}`).join('\n')}`;
}

/** Lines of stdin or of a file that each hold one thing; empty lines are dropped. */
export function nonEmptyLines(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.replace(/\r$/, ''))
    .filter((line) => line !== '');
}

/** All of stdin, for `-` and `--stdin`. */
export function readStdin(session: Session, what: string): string {
  try {
    return session.ctx.stdin.readAll(1_048_576);
  } catch (error) {
    if (error instanceof RangeError) throw new KeysError('usage', `stdin is too large for ${what}`, 'at most 1 MiB');
    throw error;
  }
}
