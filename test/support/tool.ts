import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type IPty, spawn as spawnPty } from '@lydell/node-pty';
import xterm from '@xterm/headless';
import { onTestFinished } from 'vitest';

export const root = fileURLToPath(new URL('../../', import.meta.url));
export const bin = path.join(root, 'bin/unlockos-keys.js');

/** A home of its own, and an environment that knows nothing of ours: no CI, no proxies, no Node options. */
export class Place {
  readonly dir = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'unlk-e2e-')));
  readonly store = path.join(this.dir, 'keys.db');
  readonly env: Record<string, string> = {
    PATH: process.env.PATH ?? '',
    HOME: path.join(this.dir, 'home'),
    LANG: 'C.UTF-8',
    UNLOCKOS_KEYS_STORE: this.store,
  };
  /** What stands between `node` and the arguments; a test may run a copy of the tool, or preload something. */
  node: string[] = [bin];

  constructor() {
    mkdirSync(this.env.HOME ?? '');
    onTestFinished(() => rmSync(this.dir, { recursive: true, force: true }));
  }

  file(name: string): string {
    return path.join(this.dir, name);
  }

  run(args: readonly string[], options: RunOptions = {}): Promise<Run> {
    return runProcess(process.execPath, [...this.node, ...args], {
      ...options,
      env: { ...this.env, ...options.env },
      cwd: options.cwd ?? this.dir,
    });
  }

  /** A line for bash, in which `$TOOL` stands for the tool. */
  shell(line: string, options: RunOptions = {}): Promise<Run> {
    const words = [process.execPath, ...this.node].map((word) => `'${word}'`).join(' ');
    const env = { ...this.env, ...options.env };
    return runProcess('bash', ['-c', line.replaceAll('$TOOL', words)], { ...options, env, cwd: this.dir });
  }

  terminal(
    args: readonly string[],
    options: { cols?: number; rows?: number; env?: Record<string, string> } = {},
  ): Terminal {
    const env = { ...this.env, TERM: 'xterm-256color', ...options.env };
    return new Terminal([...this.node, ...args], { cols: 100, rows: 40, ...options, env, cwd: this.dir });
  }
}

export interface RunOptions {
  readonly env?: Record<string, string>;
  readonly input?: string;
  readonly cwd?: string;
  readonly uid?: number;
  readonly gid?: number;
}

export interface Run {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs to its end. Without `input`, stdin is empty. */
export function runProcess(command: string, args: readonly string[], options: RunOptions): Promise<Run> {
  return new Promise((resolve, reject) => {
    const { env = {}, cwd, uid, gid, input = '' } = options;
    const child = spawn(command, args, {
      env,
      cwd,
      ...(uid !== undefined && { uid }),
      ...(gid !== undefined && { gid }),
    });
    const output = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      output.stderr += text;
    });
    child.on('error', reject);
    child.on('close', (exitCode, signal) => resolve({ exitCode, signal, ...output }));
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}

const KEYS = { enter: '\r', space: ' ', down: '\u001b[B', up: '\u001b[A', 'ctrl-c': '\u0003' } as const;

/** The tool in a real terminal: a pseudo-terminal, and a screen that understands what is drawn on it. */
export class Terminal {
  readonly #pty: IPty;
  readonly #screen: xterm.Terminal;
  readonly #watchers = new Set<() => void>();
  /** Everything that was sent to the terminal, escape sequences and all. */
  raw = '';
  readonly exit: Promise<number>;

  constructor(args: string[], options: { cols: number; rows: number; env: Record<string, string>; cwd: string }) {
    const { cols, rows } = options;
    this.#screen = new xterm.Terminal({ cols, rows, scrollback: 1000, allowProposedApi: true });
    this.#pty = spawnPty(process.execPath, args, options);
    this.#pty.onData((data) => {
      this.raw += data;
      this.#screen.write(data, () => {
        for (const look of this.#watchers) look();
      });
    });
    this.exit = new Promise((resolve) => {
      // What was written last may still be on its way to the screen when the process is gone.
      this.#pty.onExit(({ exitCode }) => this.#screen.write('', () => resolve(exitCode)));
    });
    onTestFinished(() => {
      this.#pty.kill('SIGKILL');
      this.#screen.dispose();
    });
  }

  /** All lines, those that were scrolled away included. */
  get text(): string {
    const buffer = this.#screen.buffer.active;
    const lines = Array.from({ length: buffer.length }, (_, i) => buffer.getLine(i)?.translateToString(true) ?? '');
    return lines.join('\n').trimEnd();
  }

  /** Resolves when the screen shows it; fails with the screen when the tool ends first. */
  shows(pattern: RegExp): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = () => {
        if (!pattern.test(this.text)) return;
        this.#watchers.delete(look);
        resolve();
      };
      this.#watchers.add(look);
      look();
      void this.exit.then((code) => {
        look();
        reject(new Error(`ended with ${code} without showing ${pattern}:\n${this.text}`));
      });
    });
  }

  type(text: string): void {
    this.#pty.write(text);
  }

  press(...keys: (keyof typeof KEYS)[]): void {
    for (const key of keys) this.#pty.write(KEYS[key]);
  }

  /** Waits for a question, then types the answer and Enter. */
  async answer(question: RegExp, text = ''): Promise<void> {
    await this.shows(question);
    this.#pty.write(`${text}\r`);
  }
}

/** Makes a test key and gives its key string. */
export async function makeKey(place: Place, name: string, ...more: string[]): Promise<string> {
  const made = await place.run(['create', name, '--test-mode', '-s', 'checkin:read', '-o', 'value', ...more]);
  if (made.exitCode !== 0) throw new Error(made.stderr);
  return made.stdout.trimEnd();
}

export async function listKeys(place: Place): Promise<{ id: string; name: string; status: string }[]> {
  return JSON.parse((await place.run(['list', '--json'])).stdout) as { id: string; name: string; status: string }[];
}
