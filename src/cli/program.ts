import { Command, CommanderError } from 'commander';
import { runnerFor } from './command.js';
import { COMMANDS } from './commands/index.js';
import type { Context } from './context.js';
import type { ExitCode } from './exit-code.js';
import { registerHelp } from './help/help.js';
import { endPages, HELP_PAGE } from './help/page.js';
import { readWords } from './read-words.js';
import { wantsColorIn } from './settings/global-flags.js';
import { GLOBAL_OPTIONS } from './settings/global-options.js';

/** True for a command that has one of these names. */
type Wanted = (names: readonly string[]) => boolean;

interface Run {
  /** The command line without node and script. */
  readonly words: readonly string[];
  /** Called with the exit code of the command that ran. */
  readonly ended: (code: ExitCode) => void;
}

async function buildProgram(ctx: Context, run: Run, wanted: Wanted): Promise<Command> {
  const program = new Command('unlockos-keys')
    .description('Create and manage the API keys of the UnlockOS API.')
    .version(ctx.version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help for a command') // in groups; the program's own help command knows the topics, too
    .helpCommand(false)
    .configureHelp(HELP_PAGE)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => ctx.stdout.write(text),
      writeErr: () => {}, // main reports errors: also a command line without a command, for which commander prints help
      outputError: () => {},
      getOutHelpWidth: () => ctx.stdout.columns() ?? 80,
      getErrHelpWidth: () => ctx.stderr.columns() ?? 80,
      getOutHasColors: () => wantsColorIn(run.words, ctx, ctx.stdout.isTTY),
      getErrHasColors: () => false,
    });
  for (const [flags, description] of GLOBAL_OPTIONS) program.option(flags, description);
  program.addOption(new Command().createOption('--no-color').hideHelp());
  const runner = runnerFor(ctx, run);
  for (const [heading, commands] of COMMANDS) {
    program.commandsGroup(heading);
    for (const [names, load] of commands) if (wanted(names)) (await load())(program, runner);
  }
  registerHelp(program, ctx);
  endPages(program);
  return program;
}

const NEVER_RUN: Run = { words: [], ended: () => {} };

/** The whole command tree, to read its help and flags; it cannot run. */
export function programForDocs(): Promise<Command> {
  const stream = { isTTY: false, isNull: false, columns: () => 100, write() {} };
  return buildProgram(
    { stdout: stream, stderr: stream, version: '', env: {} } as unknown as Context,
    NEVER_RUN,
    () => true,
  );
}

/** The commands that `words` may call, to complete them; it cannot run. */
export function programToComplete(ctx: Context, words: readonly string[]): Promise<Command> {
  return buildProgram(ctx, NEVER_RUN, commandFilter(words));
}

/** Runs the command that `words` call, and returns its exit code. Throws what the command throws, and commander's own errors. */
export async function runProgram(ctx: Context, words: readonly string[]): Promise<ExitCode> {
  let code: ExitCode = 0;
  const run: Run = {
    words,
    ended: (its) => {
      code = its;
    },
  };
  try {
    await parse(await buildProgram(ctx, run, commandFilter(words)), words);
  } catch (error) {
    if (!(error instanceof CommanderError) || error.code !== 'commander.unknownCommand') throw error;
    // `crate --store list`: "list" is a command, but not the word that was taken for one. With every command there, commander can suggest one.
    await parse(await buildProgram(ctx, run, () => true), words);
  }
  return code;
}

async function parse(program: Command, words: readonly string[]): Promise<void> {
  await program.parseAsync(readWords(words, program), { from: 'user' });
}

/**
 * Selects the commands to build: those whose name is among the words, because building all takes longer than most commands run. Where
 * no word is the name of a command, it is a call for help or a typing error, and both need all of them.
 */
function commandFilter(words: readonly string[]): Wanted {
  const named: Wanted = (names) => names.some((name) => words.includes(name));
  const any = COMMANDS.some(([, commands]) => commands.some(([names]) => named(names)));
  return any && !words.includes('help') ? named : () => true;
}
