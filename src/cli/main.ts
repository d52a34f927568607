import { KeysError } from '../domain/errors.js';
import { explainErrno } from '../files/errno.js';
import { runnerFor } from './command.js';
import { REQUEST } from './completion/shells.js';
import type { Context } from './context.js';
import { type ExitCode, exitCodeOf, isBrokenPipe, renderError } from './exit-code.js';
import { paintMessage } from './output/paint.js';
import { wrap } from './output/wrap.js';
import { readPlain } from './plain-line.js';
import { isOn, wantsColorIn, wantsJsonErrors } from './settings/global-flags.js';

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

/** Runs the command that `words` call, and returns its exit code. Throws what the command throws, and `usage` for words that call none. */
async function run(ctx: Context, words: readonly string[]): Promise<ExitCode> {
  let code: ExitCode = 0;
  const runner = runnerFor(ctx, {
    words,
    ended: (its) => {
      code = its;
    },
  });
  const runPlain = await readPlain(words, runner);
  if (runPlain) await runPlain();
  else {
    const { runProgram } = await import('./program.js');
    await runProgram(ctx, words, runner);
  }
  return code;
}

/**
 * Runs the command line: arguments (without node and script) and a context in, the exit code out. Prints every error itself; never
 * throws, and never exits.
 */
export async function main(argv: readonly string[], ctx: Context): Promise<ExitCode> {
  try {
    if (argv[0] === REQUEST) {
      const { answerRequest } = await import('./completion/complete.js');
      const { programToComplete } = await import('./program.js');
      await answerRequest(ctx, argv[1], (words) => programToComplete(ctx, words));
      return 0;
    }
    return await run(ctx, argv.length === 0 ? ['--help'] : argv);
  } catch (thrown) {
    if (isBrokenPipe(thrown)) return 0; // the reader of stdout stopped early, as in `| head`
    const error = unwritten(thrown) ?? thrown;
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
