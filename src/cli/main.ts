import { Command, CommanderError } from 'commander';
import { KeysError } from '../domain/errors.js';
import { runnerFor } from './command.js';
import { COMMANDS } from './commands/index.js';
import { REQUEST } from './completion/shells.js';
import type { Context } from './context.js';
import { EXIT_CODES, type ExitCode, exitCodeOf, isBrokenPipe, renderError } from './exit-code.js';
import { FORMATS, isOn, wantsJsonErrors } from './flags.js';
import { registerHelp, TOPICS } from './help.js';

const OUTRO = `
Topics (unlockos-keys help TOPIC):
${Object.entries(TOPICS)
  .map(([name, about]) => `  ${name.padEnd(13)}${about}`)
  .join('\n')}

Exit codes:
${Object.entries(EXIT_CODES)
  .map(([code, meaning]) => `  ${code.padEnd(5)}${meaning}`)
  .join('\n')}

Examples:
  $ unlockos-keys create                                  # asks for everything
  $ unlockos-keys create ci --test-mode --scope checkin:read
  $ unlockos-keys list --unused-for 90d
  $ unlockos-keys disable partner-checkin --reason "leaked"`;

function buildProgram(
  ctx: Context,
  settle: (code: ExitCode) => void,
  wanted: (words: readonly string[]) => boolean,
): Command {
  const program = new Command('unlockos-keys')
    .description('Make and govern the API keys of the UnlockOS API.')
    .version(ctx.version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help for a command') // of the groups; the program's own knows the topics, too
    .helpCommand(false)
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .configureOutput({
      writeOut: (text) => ctx.stdout.write(text),
      writeErr: (text) => ctx.stderr.write(text),
      outputError: () => {}, // reported once, by main
      getOutHelpWidth: () => ctx.stdout.columns() ?? 80,
      getErrHelpWidth: () => ctx.stderr.columns() ?? 80,
      getOutHasColors: () => false, // our help has none; asking would open Node's streams
      getErrHasColors: () => false,
    })
    .option('--store <path|url>', 'the store to use (default: in your data directory)')
    .option('-p, --profile <name>', 'a named store: see profile list')
    .option('--allow-http', 'speak to a remote store unencrypted')
    .option('-o, --output <format>', FORMATS.join(', '))
    .option('--json', 'the same as -o json')
    .option('--fields <a,b>', 'only these fields')
    .option('--no-input', 'never ask')
    .option('-y, --yes', 'confirm what would be asked')
    .option('-n, --dry-run', 'check everything, change nothing')
    .option('-q, --quiet', 'no remarks on stderr')
    .option('--debug', 'details of failures on stderr')
    .option('--color <when>', 'auto, always, never')
    .addOption(new Command().createOption('--no-color').hideHelp())
    .option('--timeout <time>', 'how long to wait for the store (default: 5s, remote 10s)')
    .option('--actor <name>', 'who asked for this, for the audit log')
    .addHelpText('after', OUTRO);
  const run = runnerFor(ctx, settle);
  for (const [heading, commands] of COMMANDS) {
    program.commandsGroup(heading);
    for (const [words, register] of commands) if (wanted(words)) register(program, run);
  }
  registerHelp(program.commandsGroup('Help:'), ctx);
  return program;
}

/** The whole command tree, for looking at: nothing in it can be run. */
export function programForDocs(): Command {
  const stream = { isTTY: false, isNull: false, columns: () => 100, write() {} };
  return buildProgram(
    { stdout: stream, stderr: stream, version: '' } as unknown as Context,
    () => {},
    () => true,
  );
}

/**
 * Which commands to build: those that some argument names, for building all takes longer than most commands run. Where no argument
 * names any, it is a call for help or a typing error, and both need all of them.
 */
function commandFilter(argv: readonly string[]): (words: readonly string[]) => boolean {
  const named = (words: readonly string[]) => words.some((word) => argv.includes(word));
  const any = COMMANDS.some(([, commands]) => commands.some(([words]) => named(words)));
  return any && !argv.includes('help') ? named : () => true;
}

/**
 * commander lets the program read its own short flags before a command sees its words, so the value in `list --sort -name` would be
 * taken for `-n -ame`. Joined to its flag (`--sort=-name`) it stays a value.
 */
function joinDashedValues(words: readonly string[], program: Command): string[] {
  const options = [program, ...program.commands, ...program.commands.flatMap((each) => each.commands)].flatMap(
    (command) => command.options,
  );
  const joined: string[] = [];
  for (const word of words.slice(0, words.includes('--') ? words.indexOf('--') : undefined)) {
    const flag = joined.at(-1) ?? '';
    const takesValue = options.some((option) => option.required && (option.long === flag || option.short === flag));
    if (takesValue && /^-[^-]./s.test(word)) joined.push(`${joined.pop()}${flag.startsWith('--') ? '=' : ''}${word}`);
    else joined.push(word);
  }
  return [...joined, ...words.slice(words.includes('--') ? words.indexOf('--') : words.length)];
}

/** commander's own errors are usage errors; help and version arrive as errors too, and are none. */
function usageError(error: CommanderError): KeysError | null {
  if (error.exitCode === 0 || error.code === 'commander.help') return null;
  return new KeysError(
    'usage',
    error.message.replace(/^error: /, ''),
    'unlockos-keys --help, or --help after a command',
  );
}

/**
 * The command line: arguments (without node and script) and a world in, the exit code out. Prints every error itself; never exits,
 * and throws nothing.
 */
export async function main(argv: readonly string[], ctx: Context): Promise<ExitCode> {
  let code: ExitCode = 0;
  try {
    const settle = (settled: ExitCode) => {
      code = settled;
    };
    if (argv[0] === REQUEST) {
      const { answerRequest } = await import('./completion/answer.js');
      await answerRequest(ctx, argv[1], (words) => buildProgram(ctx, settle, commandFilter(words)));
      return 0;
    }
    const words = argv.length === 0 ? ['--help'] : [...argv];
    await parse(words, (wanted) => buildProgram(ctx, settle, wanted));
    return code;
  } catch (thrown) {
    if (isBrokenPipe(thrown)) return 0; // whoever read us has seen enough: `| head`
    const error = thrown instanceof CommanderError ? usageError(thrown) : thrown;
    if (error === null) return 0;
    const debug = argv.includes('--debug') || isOn(ctx.env.UNLOCKOS_KEYS_DEBUG);
    try {
      ctx.stderr.write(renderError(error, { json: wantsJsonErrors(argv, ctx), debug }));
    } catch {
      // stderr is gone as well; the exit code still tells
    }
    return exitCodeOf(error);
  }
}

/** A word that names no command may stand beside one that does (`crate --store list`): then all are needed after all, to suggest one. */
async function parse(
  words: string[],
  build: (wanted: (words: readonly string[]) => boolean) => Command,
): Promise<void> {
  try {
    await parseWith(build(commandFilter(words)), words);
  } catch (error) {
    if (!(error instanceof CommanderError) || error.code !== 'commander.unknownCommand') throw error;
    await parseWith(
      build(() => true),
      words,
    );
  }
}

async function parseWith(program: Command, words: readonly string[]): Promise<void> {
  await program.parseAsync(joinDashedValues(words, program), { from: 'user' });
}
