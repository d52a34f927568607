import { Command, CommanderError } from 'commander';
import { KeysError } from '../domain/errors.js';
import { didYouMean } from '../domain/scopes.js';
import { quoted } from '../domain/text.js';
import type { Runner } from './command.js';
import { COMMANDS, loadCommand } from './commands/index.js';
import type { Context } from './context.js';
import { registerHelp } from './help/help.js';
import { endPages, HELP_PAGE } from './help/page.js';
import { readWords } from './read-words.js';
import { wantsColorIn } from './settings/global-flags.js';
import { GLOBAL_OPTIONS } from './settings/global-options.js';

/** True for a command that has one of these names. */
type Wanted = (names: readonly string[]) => boolean;

async function buildProgram(
  ctx: Context,
  words: readonly string[],
  runner: Runner,
  wanted: Wanted,
  help = HELP_PAGE,
): Promise<Command> {
  const program = new Command('unlockos-keys')
    .description('Create and manage the API keys of the UnlockOS API.')
    .version(ctx.version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help for a command') // in groups; the program's own help command knows the topics, too
    .helpCommand(false)
    .configureHelp(help)
    .exitOverride()
    .hook('preAction', (_, command) => {
      refuseStrayWord(command);
      refuseEmpty(command);
    })
    .configureOutput({
      writeOut: (text) => ctx.stdout.write(text),
      writeErr: () => {}, // main reports errors: also a command line without a command, for which commander prints help
      outputError: () => {},
      getOutHelpWidth: () => ctx.stdout.columns() ?? 80,
      getErrHelpWidth: () => ctx.stderr.columns() ?? 80,
      getOutHasColors: () => wantsColorIn(words, ctx, ctx.stdout.isTTY),
      getErrHasColors: () => false,
    });
  for (const [flags, description] of GLOBAL_OPTIONS) program.option(flags, description);
  program.addOption(new Command().createOption('--no-color').hideHelp());
  for (const [heading, commands] of COMMANDS) {
    program.commandsGroup(heading);
    for (const names of commands) if (wanted(names)) (await loadCommand(names[0] as string))(program, runner);
  }
  registerHelp(program, ctx);
  endPages(program);
  return program;
}

const NEVER_RUN: Runner = () => async () => {};

/** The whole command tree, to read its help and flags; it cannot run. */
export function programForDocs(): Promise<Command> {
  const stream = { isTTY: false, isNull: false, columns: () => 100, write() {} };
  return buildProgram(
    { stdout: stream, stderr: stream, version: '', env: {} } as unknown as Context,
    [],
    NEVER_RUN,
    () => true,
  );
}

/** The commands that `words` may call, to complete them; it cannot run. */
export function programToComplete(ctx: Context, words: readonly string[]): Promise<Command> {
  const everyOption = { showGlobalOptions: true }; // pages leave out those of every command
  return buildProgram(ctx, words, NEVER_RUN, commandFilter(words), everyOption);
}

/** commander's own errors are usage errors; null for `--help` and `--version`, which it also reports as errors. */
function usageError(error: CommanderError): KeysError | null {
  if (error.exitCode === 0) return null;
  if (error.code === 'commander.help')
    return new KeysError(
      'usage',
      'no command is given, so nothing was done',
      'unlockos-keys --help lists the commands',
    );
  return new KeysError(
    'usage',
    error.message.replace(/^error: /, ''),
    'unlockos-keys --help, or --help after a command',
  );
}

/** Runs the command that `words` call. Throws what the command throws, and `usage` for words that call none. */
export async function runProgram(ctx: Context, words: readonly string[], runner: Runner): Promise<void> {
  try {
    try {
      await parse(await buildProgram(ctx, words, runner, commandFilter(words)), words);
    } catch (error) {
      if (!(error instanceof CommanderError) || error.code !== 'commander.unknownCommand') throw error;
      // `crate --store list`: "list" is a command, but not the word that was taken for one. With every command there, commander can suggest one.
      await parse(await buildProgram(ctx, words, runner, () => true), words);
    }
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    const its = usageError(error);
    if (its !== null) throw its;
  }
}

async function parse(program: Command, words: readonly string[]): Promise<void> {
  await program.parseAsync(readWords(words, program), { from: 'user' });
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

/**
 * Selects the commands to build: those whose name is among the words, because building all takes longer than most commands run. Where
 * no word is the name of a command, it is a call for help or a typing error, and both need all of them.
 */
function commandFilter(words: readonly string[]): Wanted {
  const named: Wanted = (names) => names.some((name) => words.includes(name));
  const any = COMMANDS.some(([, commands]) => commands.some(named));
  return any && !words.includes('help') ? named : () => true;
}
