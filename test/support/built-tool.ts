import { type SpawnOptions, spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { runHere } from './built-main.js';
import { Screen } from './screen.js';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** The tool as installed, and the same with cheap hashes, which is what {@link Place} runs. */
export const BIN = path.join(ROOT, 'bin/unlockos-keys.js');
export const TOOL = path.join(ROOT, 'test/support/tool.cjs');
export const KEY_STRING = /unlk_(?:live|test)_[0-9a-z]{12}_[0-9A-Za-z]{38}/;

/** All key strings in a text. */
export function keyStrings(text: string): string[] {
  return text.match(new RegExp(KEY_STRING, 'g')) ?? [];
}

export interface Result {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface RunOptions {
  /** Added to the clean environment; undefined removes a variable. */
  readonly env?: Record<string, string | undefined>;
  /** The text on stdin. Default: empty. */
  readonly input?: string;
  readonly cwd?: string;
  /** Options for Node itself, such as a preload. */
  readonly node?: readonly string[];
  /** Another copy of the tool. */
  readonly entry?: string;
  readonly uid?: number;
}

/** A machine with one user: a home, an empty data directory, an environment without CI, SSH or a desktop, and the built tool. */
export class Place {
  readonly dir = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'unlk-e2e-')));
  readonly home = path.join(this.dir, 'home');
  readonly data = path.join(this.dir, 'data');
  /** First on PATH. */
  readonly bin = path.join(this.dir, 'bin');
  /** The store of every run that does not remove UNLOCKOS_KEYS_STORE. */
  readonly store = path.join(this.dir, 'keys.db');
  readonly #env: Record<string, string>;

  constructor(env: Record<string, string> = {}) {
    chmodSync(this.dir, 0o755); // some tests run the tool as another user
    for (const directory of [this.home, this.bin, this.file('tmp')]) mkdirSync(directory);
    this.#env = {
      PATH: `${this.bin}:${process.env.PATH ?? '/usr/bin:/bin'}`,
      HOME: this.home,
      XDG_DATA_HOME: this.data,
      TMPDIR: this.file('tmp'),
      LANG: 'C.UTF-8',
      UNLOCKOS_KEYS_STORE: this.store,
      ...env,
    };
    onTestFinished(() => rmSync(this.dir, { recursive: true, force: true }));
  }

  file(...names: string[]): string {
    return path.join(this.dir, ...names);
  }

  /** Writes a file, or an executable script, and returns its path. */
  write(name: string, text: string, mode = 0o644): string {
    const file = this.file(name);
    writeFileSync(file, text);
    chmodSync(file, mode);
    return file;
  }

  env(changes: Record<string, string | undefined> = {}): Record<string, string> {
    const all = { ...this.#env, ...changes };
    return Object.fromEntries(Object.entries(all).filter((each): each is [string, string] => each[1] !== undefined));
  }

  /** Runs the tool without a terminal, and waits until it ends. */
  tool(args: readonly string[], options: RunOptions = {}): Promise<Result> {
    const { node = [], entry = TOOL } = options;
    return this.run(process.execPath, [...node, entry, ...args], options);
  }

  /** Runs a bash script in which `tool` is the tool. */
  bash(script: string, options: RunOptions = {}): Promise<Result> {
    const { node = [], entry = TOOL } = options;
    const words = [process.execPath, ...node, entry].map((word) => `'${word}'`).join(' ');
    return this.run('bash', ['-c', `tool() { ${words} "$@"; }\n${script}`], options);
  }

  run(file: string, args: readonly string[], options: RunOptions = {}): Promise<Result> {
    const { env, input, cwd = this.dir, uid } = options;
    const how: SpawnOptions = { cwd, env: this.env(env), ...(uid !== undefined && { uid, gid: uid }) };
    return new Promise((resolve, reject) => {
      const child = spawn(file, args, { ...how, stdio: 'pipe' });
      const said = { stdout: '', stderr: '' };
      child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
        said.stdout += chunk;
      });
      child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
        said.stderr += chunk;
      });
      child.stdin?.on('error', () => {}); // it may end without reading
      child.stdin?.end(input ?? '');
      child.on('error', reject);
      child.on('close', (exitCode, signal) => resolve({ exitCode, signal, ...said }));
    });
  }

  /** Runs the tool in a real terminal. */
  terminal(
    args: readonly string[],
    options: { cols?: number; rows?: number; env?: Record<string, string | undefined> } = {},
  ): Screen {
    const { cols = 100, rows = 50, env } = options;
    const screen = new Screen(process.execPath, [TOOL, ...args], {
      cols,
      rows,
      cwd: this.dir,
      env: this.env({ TERM: 'xterm-256color', ...env }),
    });
    onTestFinished(() => screen.kill());
    return screen;
  }

  /** A shell with job control in a real terminal, in which `tool` is the tool. */
  shell(options: { cols?: number; rows?: number } = {}): Screen {
    const { cols = 80, rows = 24 } = options;
    this.write('bin/tool', `#!/bin/sh\nexec '${process.execPath}' '${TOOL}' "$@"\n`, 0o755);
    const env = this.env({ TERM: 'xterm-256color', PS1: 'ready> ', HISTFILE: undefined });
    const screen = new Screen('bash', ['--norc', '--noprofile', '-i'], { cols, rows, cwd: this.dir, env });
    onTestFinished(() => screen.kill());
    return screen;
  }

  /** What the built tool does in this process: {@link runHere}. */
  async look(args: readonly string[], options: Pick<RunOptions, 'env' | 'input'> = {}): Promise<Result> {
    const { env, input = '' } = options;
    return { signal: null, ...(await runHere(args, { env: this.env(env), cwd: this.dir, input })) };
  }

  /** Creates a key and returns its key string. */
  async key(name: string, ...flags: string[]): Promise<string> {
    const mode = flags.includes('--live') ? [] : ['--test-mode'];
    const args = ['create', name, ...mode, '--scope', 'checkin:read', '-o', 'value', ...flags];
    const { exitCode, stdout, stderr } = await this.look(args);
    if (exitCode !== 0) throw new Error(`create ${name} ended with ${exitCode}: ${stderr}`);
    return stdout.trimEnd();
  }

  /** The keys as `list --json` shows them. */
  async keys(): Promise<{ id: string; name: string; status: string; mode: string; scopes: string[] }[]> {
    const { exitCode, stdout, stderr } = await this.look(['list', '--json']);
    if (exitCode !== 0) throw new Error(`list ended with ${exitCode}: ${stderr}`);
    return JSON.parse(stdout);
  }

  async names(): Promise<string[]> {
    return (await this.keys()).map(({ name }) => name).sort();
  }

  async verdict(keyString: string): Promise<string> {
    return (await this.look(['verify', '--stdin', '-o', 'value'], { input: keyString })).stdout.trimEnd();
  }

  /** The exit codes of `doctor` and `audit verify`: 0 and 0 for a sound store. */
  async health(): Promise<{ doctor: number | null; audit: number | null }> {
    const doctor = await this.look(['doctor', '--json']);
    const audit = await this.look(['audit', 'verify', '--json']);
    return { doctor: doctor.exitCode, audit: audit.exitCode };
  }

  /** A desktop whose clipboard is a file: clipboardy uses `wl-copy` and `wl-paste` if WAYLAND_DISPLAY is set. */
  clipboard(): Clipboard {
    return new Clipboard(this);
  }
}

export const SOUND = { doctor: 0, audit: 0 };

export class Clipboard {
  readonly env = { WAYLAND_DISPLAY: 'wayland-0' };
  readonly #file: string;
  readonly #pids: string;

  constructor(place: Place) {
    this.#file = place.file('clipboard');
    this.#pids = place.file('copied-by');
    const copy = `#!/bin/sh\necho $PPID >> '${this.#pids}'\ncat > '${this.#file}.new' && mv '${this.#file}.new' '${this.#file}'\n`;
    place.write('bin/wl-copy', copy, 0o755);
    place.write('bin/wl-paste', `#!/bin/sh\ncat '${this.#file}'\n`, 0o755);
    onTestFinished(() => this.#endHelpers());
  }

  /** The text in the clipboard; null if nothing was ever copied. */
  get content(): string | null {
    return existsSync(this.#file) ? readFileSync(this.#file, 'utf8') : null;
  }

  set content(text: string) {
    writeFileSync(this.#file, text);
  }

  /** Otherwise they would run for 45 seconds, until they clear the clipboard. */
  #endHelpers(): void {
    if (!existsSync(this.#pids)) return;
    for (const pid of readFileSync(this.#pids, 'utf8').split('\n').filter(Boolean)) {
      try {
        process.kill(Number(pid), 'SIGKILL');
      } catch {
        // ended by itself
      }
    }
  }
}
