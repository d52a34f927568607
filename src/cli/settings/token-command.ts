import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { quoted } from '../../domain/text.js';
import type { Context } from '../context.js';
import { processTree, type Running, stillRunning } from './process-tree.js';

/** A program that ignores SIGTERM gets SIGKILL after so long. */
const KILL_AFTER_MS = 500;
const LOOK_EVERY_MS = 20;
const REMARK_AFTER_MS = 1000;
/** How many turns of 10 ms the output of a program is still read after it has ended. */
const DRAIN_ROUNDS = 20;

/** How a token command is run. */
export interface TokenCommandOptions {
  /** The working directory: that of the configuration. What lies in ours may be somebody else's. */
  readonly cwd: string;
  readonly timeoutMs: number;
  readonly maxBytes: number;
  /** Says nothing while a person waits. */
  readonly quiet?: boolean;
}

type Child = ChildProcess & { stdout: NonNullable<ChildProcess['stdout']> };

/**
 * A terminal is left to the command, which may ask there. Elsewhere its stderr is passed on: what it leaves running (ssh with
 * ControlPersist) would hold ours open, and who reads that would wait for its end.
 */
function passOn(child: Child, ctx: Context): void {
  child.stderr?.setEncoding('utf8').on('data', (part: string) => {
    try {
      ctx.stderr.write(part);
    } catch {
      // nobody reads stderr
    }
  });
}

/**
 * Runs a token command without a shell, and resolves to what it writes. Rejects with why it gave nothing; no message repeats its output.
 *
 * It gets none of our stdin, which may hold key strings or the rest of a script. It stays in our process group, so that it can open the
 * terminal and ask for a PIN there: a group of its own would be in the background. When its time is up, or when a signal ends us, it is
 * therefore ended together with all processes that descend from it.
 */
export async function runTokenCommand(
  [program = '', ...args]: readonly string[],
  ctx: Context,
  { cwd, timeoutMs, maxBytes, quiet = false }: TokenCommandOptions,
): Promise<string> {
  const env = ctx.env as NodeJS.ProcessEnv;
  const child: Child = spawn(program, args, {
    env,
    cwd,
    stdio: ['ignore', 'pipe', ctx.stderr.isTTY ? 'inherit' : 'pipe'],
  }) as Child;
  passOn(child, ctx);
  const forPerson = !quiet && ctx.ci === null && ctx.stderr.isTTY;
  const remark = forPerson ? setTimeout(sayWaiting, REMARK_AFTER_MS, ctx, program, timeoutMs) : undefined;
  let limit: NodeJS.Timeout | undefined;
  let stopHearing = () => {};
  const cut = new Promise<never>((_, reject) => {
    limit = setTimeout(() => reject(new Error(`it took more than ${timeoutMs / 1000} s`)), timeoutMs);
    stopHearing = ctx.onSignals(['SIGINT', 'SIGTERM', 'SIGHUP'], (signal) => reject(new Interrupted(signal)));
  });
  try {
    return await Promise.race([outputOf(child, maxBytes), cut]);
  } catch (error) {
    child.stdout.destroy();
    child.stderr?.destroy();
    await endTree(child, ctx.platform);
    stopHearing();
    if (error instanceof Interrupted) process.kill(process.pid, error.signal);
    throw error;
  } finally {
    stopHearing();
    clearTimeout(limit);
    clearTimeout(remark);
  }
}

/** A signal that would have ended this process came while the command ran. */
class Interrupted extends Error {
  readonly signal: NodeJS.Signals;
  constructor(signal: NodeJS.Signals) {
    super(signal);
    this.signal = signal;
  }
}

/** A line of its own, because the program may have written to the same terminal. */
function sayWaiting(ctx: Context, program: string, timeoutMs: number): void {
  try {
    ctx.stderr.write(`Waiting for the token command ${quoted(program)} (up to ${timeoutMs / 1000} s)\n`);
  } catch {
    // nobody reads stderr
  }
}

/** What a program writes, when it ends with 0. Output that something else keeps open is not waited for. */
function outputOf(child: Child, maxBytes: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      output += part;
      if (output.length > maxBytes) reject(new Error('it wrote too much'));
    });
    child.on('error', (error: NodeJS.ErrnoException) => reject(new Error(error.code ?? 'unknown error')));
    const finish = (rounds: number, failure: Error | null): void => {
      // what the program wrote before it ended is read within a few turns of the event loop; a grandchild may hold the pipe for ever
      if (rounds > 0 && !(child.stdout.readableEnded && (child.stderr?.readableEnded ?? true))) {
        setTimeout(finish, 10, rounds - 1, failure);
        return;
      }
      child.stdout.destroy();
      child.stderr?.destroy();
      if (failure === null) resolve(output);
      else reject(failure);
    };
    child.on('exit', (code, signal) => finish(DRAIN_ROUNDS, code === 0 ? null : new Error(signal ?? `exit ${code}`)));
  });
}

/** Ends a process and its descendants: SIGTERM, and SIGKILL for those that are still there after half a second. */
async function endTree(child: Child, platform: NodeJS.Platform): Promise<void> {
  const { pid } = child;
  if (pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    if (platform === 'win32') {
      execFileSync('taskkill', ['/pid', String(pid), '/t', '/f'], { stdio: 'ignore' });
      return;
    }
    const tree = processTree(pid, platform);
    send('SIGTERM', tree);
    const left = await whoStays(tree, platform);
    const last = [...left, ...left.flatMap((each) => processTree(each.pid, platform))];
    send('SIGKILL', last);
    await whoStays(last, platform);
  } catch {
    child.kill('SIGKILL'); // the processes could not be listed
  }
}

/** Those that still run after half a second; none, as soon as none does. */
async function whoStays(processes: readonly Running[], platform: NodeJS.Platform): Promise<readonly Running[]> {
  let left = processes;
  for (let waited = 0; left.length > 0 && waited < KILL_AFTER_MS; waited += LOOK_EVERY_MS) {
    await pause(LOOK_EVERY_MS);
    left = stillRunning(left, platform);
  }
  return left;
}

function send(signal: NodeJS.Signals, processes: readonly Running[]): void {
  for (const { pid } of processes) {
    try {
      process.kill(pid, signal);
    } catch {
      // it has ended, or belongs to another user
    }
  }
}
