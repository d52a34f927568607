import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Context } from './context.js';

/** What the tool itself gets in by; no child does. */
const OUR_SECRETS = ['UNLOCKOS_KEYS_AUTH_TOKEN', 'UNLOCKOS_KEYS_PEPPERS'];
const STDERR = 2;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;
/** What a shell says of a program that it cannot find, and of a file that is none (POSIX, XCU 2.8.2). */
export const NOT_FOUND = 127;
export const NOT_EXECUTABLE = 126;

/** Our environment as a child gets it, with these variables besides. */
export function childEnv({ env }: Context, more: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const inherited = Object.entries(env).filter(([name]) => !OUR_SECRETS.includes(name));
  return { ...Object.fromEntries(inherited), ...more };
}

function lookAt(file: string): 0 | typeof NOT_FOUND | typeof NOT_EXECUTABLE {
  try {
    if (!statSync(file).isFile()) return NOT_EXECUTABLE;
    accessSync(file, constants.X_OK);
    return 0;
  } catch (error) {
    return ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '') ? NOT_FOUND : NOT_EXECUTABLE;
  }
}

/**
 * Whether a program could be run, found as a shell finds it: 0, or the exit code by which a shell says why not. To be asked before a key
 * is made for it.
 */
export function programStatus(program: string, { env, cwd, platform }: Context): number {
  if (program === '') return NOT_FOUND;
  if (/[/\\]/.test(program)) return lookAt(path.resolve(cwd, program));
  const endings = platform === 'win32' ? ['', '.exe', '.com'] : [''];
  const places = (env.PATH ?? '')
    .split(path.delimiter)
    .flatMap((directory) => endings.map((ending) => lookAt(path.resolve(cwd, directory, program + ending))));
  return places.includes(0) ? 0 : places.includes(NOT_EXECUTABLE) ? NOT_EXECUTABLE : NOT_FOUND;
}

/**
 * Runs a program, without a shell, with `text` on its stdin and its output on our stderr, for stdout is ours. Returns how it failed, or null.
 * The text has no line end of its own: most keepers of secrets store every byte that they read.
 */
export function feedChild(
  [program = '', ...args]: readonly string[],
  ctx: Context,
  env: NodeJS.ProcessEnv,
  text: string,
): string | null {
  const { status, signal, error } = spawnSync(program, args, {
    cwd: ctx.cwd,
    env,
    input: text,
    stdio: ['pipe', STDERR, STDERR],
  });
  if (error) return (error as NodeJS.ErrnoException).code ?? 'unknown error';
  return status === 0 ? null : (signal ?? `exit ${status}`);
}

/**
 * Runs a program, without a shell, on our own stdin, stdout and stderr, to its end. Resolves to its exit code, 128 and the signal's number
 * where one ended it. Signals that reach us are passed on; on a terminal Ctrl-C reaches it without us, and we only stay.
 */
export async function runChild(
  [program = '', ...args]: readonly string[],
  ctx: Context,
  env: NodeJS.ProcessEnv,
): Promise<number> {
  let child: ChildProcess | undefined;
  const fromTerminal = ctx.stdin.isTTY ? ['SIGINT', 'SIGQUIT'] : [];
  const end = ctx.onSignals(SIGNALS, (signal) => {
    if (!fromTerminal.includes(signal)) child?.kill(signal);
  });
  try {
    return await new Promise<number>((resolve) => {
      child = spawn(program, args, { cwd: ctx.cwd, env, stdio: 'inherit' });
      child.once('error', (error: NodeJS.ErrnoException) =>
        resolve(error.code === 'ENOENT' ? NOT_FOUND : NOT_EXECUTABLE),
      );
      child.once('close', (code, signal) =>
        resolve(code ?? 128 + (signal === null ? 0 : os.constants.signals[signal])),
      );
    });
  } finally {
    end();
  }
}
