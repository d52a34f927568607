import { CommanderError } from 'commander';
import { KeysError } from '../domain/errors.js';
import { explainErrno } from '../files/errno.js';
import { REQUEST } from './completion/shells.js';
import type { Context } from './context.js';
import { type ExitCode, exitCodeOf, isBrokenPipe, renderError } from './exit-code.js';
import { paintMessage } from './output/paint.js';
import { wrap } from './output/wrap.js';
import { programToComplete, runProgram } from './program.js';
import { isOn, wantsColorIn, wantsJsonErrors } from './settings/global-flags.js';

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

/** The error for output that the system did not take; null for any other error. */
function unwritten(error: unknown): KeysError | null {
  const { syscall, path } = error as NodeJS.ErrnoException;
  if (!(error instanceof Error) || syscall !== 'write' || path !== undefined) return null;
  return new KeysError(
    'output_failed',
    `the output could not be written: ${explainErrno(error)}`,
    'what the command changed stands: unlockos-keys audit list shows it',
    { cause: error },
  );
}

/**
 * Runs the command line: arguments (without node and script) and a context in, the exit code out. Prints every error itself; never
 * throws, and never exits.
 */
export async function main(argv: readonly string[], ctx: Context): Promise<ExitCode> {
  try {
    if (argv[0] === REQUEST) {
      const { answerRequest } = await import('./completion/complete.js');
      await answerRequest(ctx, argv[1], (words) => programToComplete(ctx, words));
      return 0;
    }
    return await runProgram(ctx, argv.length === 0 ? ['--help'] : argv);
  } catch (thrown) {
    if (isBrokenPipe(thrown)) return 0; // the reader of stdout stopped early, as in `| head`
    const error = thrown instanceof CommanderError ? usageError(thrown) : (unwritten(thrown) ?? thrown);
    if (error === null) return 0;
    const debug = argv.includes('--debug') || isOn(ctx.env.UNLOCKOS_KEYS_DEBUG);
    try {
      const { isTTY } = ctx.stderr;
      ctx.stderr.write(
        renderError(error, {
          json: wantsJsonErrors(argv, ctx),
          debug,
          look: (text) =>
            paintMessage(wrap(text, isTTY ? ctx.stderr.columns() : undefined), wantsColorIn(argv, ctx, isTTY)),
        }),
      );
    } catch {
      // stderr is gone as well; the exit code still tells
    }
    return exitCodeOf(error);
  }
}
