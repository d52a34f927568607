import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { lookFor } from '../../files/exists.js';
import type { Context } from '../context.js';
import { OUR_SECRETS } from '../settings/our-secrets.js';

const STDERR = 2;
const PASSED_ON: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'];
/** How long a program may take to end after a signal. */
const PATIENCE_MS = 2000;
/** The exit codes of a shell for a program that it cannot find, and for a file that it cannot run (POSIX, XCU 2.8.2). */
export const NOT_FOUND = 127;
export const NOT_EXECUTABLE = 126;

/** The environment for a child: ours without our secrets, and these variables in addition. */
export function childEnv({ env }: Context, more: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const inherited = Object.entries(env).filter(([name]) => !OUR_SECRETS.some((secret) => secret === name));
  return { ...Object.fromEntries(inherited), ...more };
}

function lookAt(file: string): 0 | typeof NOT_FOUND | typeof NOT_EXECUTABLE {
  try {
    if (lookFor(file) === null) return NOT_FOUND; // asked first because statSync makes an error for each directory of PATH
    if (!statSync(file).isFile()) return NOT_EXECUTABLE;
    accessSync(file, constants.X_OK);
    return 0;
  } catch (error) {
    return ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '') ? NOT_FOUND : NOT_EXECUTABLE;
  }
}

/**
 * Whether a program can be run, looked up as a shell does: 0, or the exit code with which a shell would refuse. Call it before a key is
 * created for the program.
 */
export function programStatus(program: string, { env, cwd, platform }: Context): number {
  if (program === '') return NOT_FOUND;
  if (/[/\\]/.test(program)) return lookAt(path.resolve(cwd, program));
  const endings = platform === 'win32' ? ['', '.exe', '.com'] : [''];
  let status: ReturnType<typeof lookAt> = NOT_FOUND;
  for (const directory of (env.PATH ?? '').split(path.delimiter)) {
    for (const ending of endings) {
      const found = lookAt(path.resolve(cwd, directory, program + ending));
      if (found === 0) return 0;
      if (found === NOT_EXECUTABLE) status = NOT_EXECUTABLE;
    }
  }
  return status;
}

/** Loads what starting a program needs, while there is something to wait for anyway. */
export function prepareToStart(): void {
  void spawn.length;
}

/** Why a program could not be started that {@link programStatus} found nothing wrong with. */
function startFailure({ code }: NodeJS.ErrnoException): string {
  return code === 'ENOENT' ? 'the interpreter that its first line names does not exist' : (code ?? 'unknown error');
}

/** Tells apart the signals that a terminal sends to the program by itself. */
function terminalSends({ foreground = () => false }: Context): (signal: NodeJS.Signals) => boolean {
  const atStart = foreground();
  return (signal) => {
    if (signal === 'SIGHUP') return atStart && !foreground(); // the terminal hung up, and tells the programs in its foreground
    return (signal === 'SIGINT' || signal === 'SIGQUIT') && foreground();
  };
}

/** A program that was given text on its stdin. */
export interface FedChild {
  /** How it failed (`ended with exit 3`), or null. */
  readonly failure: Promise<string | null>;
  /** Passes a signal on, unless the program gets it by itself. */
  pass(signal: NodeJS.Signals): void;
  /** Waits for its end, and kills it when that takes too long. */
  end(): Promise<void>;
}

/**
 * Runs a program without a shell, with `text` on its stdin. Its output goes to our stderr, because stdout is for our own. No line end is
 * added: most secret managers store every byte that they read.
 */
export function feedChild(
  [program = '', ...args]: readonly string[],
  ctx: Context,
  env: NodeJS.ProcessEnv,
  text: string,
): FedChild {
  const isFromTerminal = terminalSends(ctx);
  const child = spawn(program, args, { cwd: ctx.cwd, env, stdio: ['pipe', STDERR, STDERR] });
  const failure = new Promise<string | null>((resolve) => {
    child.once('error', (error) => resolve(`could not be started: ${startFailure(error)}`));
    child.once('exit', (code, signal) => resolve(code === 0 ? null : `ended with ${signal ?? `exit ${code}`}`));
  });
  child.stdin?.on('error', () => {}); // it may end without reading: its exit code says what that means
  child.stdin?.end(text);
  return {
    failure,
    pass: (signal) => void (isFromTerminal(signal) || child.kill(signal)),
    async end() {
      const limit = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
      await failure;
      clearTimeout(limit);
    },
  };
}

/** A program that was started. */
export interface StartedChild {
  /** Its exit code; 128 plus the number of the signal that ended it. */
  readonly exitCode: Promise<number>;
  /** Why it could not be started, although {@link programStatus} found nothing wrong; null for a program that ran. Known with the exit code. */
  failure(): string | null;
}

/**
 * Starts a program without a shell on our own stdin, stdout and stderr. Until it ends, signals that we get are passed on to it, except for
 * those that a terminal has sent to it as well.
 */
export function startChild(
  [program = '', ...args]: readonly string[],
  ctx: Context,
  env: NodeJS.ProcessEnv,
): StartedChild {
  const isFromTerminal = terminalSends(ctx);
  const child = spawn(program, args, { cwd: ctx.cwd, env, stdio: 'inherit' });
  const end = ctx.onSignals(PASSED_ON, (signal) => void (isFromTerminal(signal) || child.kill(signal)));
  let failure: string | null = null;
  const exitCode = new Promise<number>((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      failure = startFailure(error);
      resolve(error.code === 'ENOENT' ? NOT_FOUND : NOT_EXECUTABLE);
    });
    child.once('close', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : os.constants.signals[signal])));
  });
  return { exitCode: exitCode.finally(end), failure: () => failure };
}
