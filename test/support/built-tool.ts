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
import { Screen } from './screen.js';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const ENTRY = path.join(ROOT, 'bin/unlockos-keys.js');
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
  /** Added to the clean environment; undefined takes a variable out of it. */
  readonly env?: Record<string, string | undefined>;
  /** What stands on stdin; without it stdin is empty. */
  readonly input?: string;
  readonly cwd?: string;
  /** Options for Node itself, such as a preload. */
  readonly node?: readonly string[];
  /** Another copy of the tool. */
  readonly entry?: string;
  readonly uid?: number;
}

/** One person on one machine: a home, an empty data directory, an environment without CI, SSH or a desktop, and the built tool. */
export class Place {
  readonly dir = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'unlk-e2e-')));
  readonly home = path.join(this.dir, 'home');
  readonly data = path.join(this.dir, 'data');
  /** First on PATH. */
  readonly bin = path.join(this.dir, 'bin');
  /** Where every run looks for its keys, unless it takes UNLOCKOS_KEYS_STORE away. */
  readonly store = path.join(this.dir, 'keys.db');
  readonly #env: Record<string, string>;

  constructor(env: Record<string, string> = {}) {
    chmodSync(this.dir, 0o755); // other users may look on, where a test runs as one
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

  /** A file that the test wrote; executable scripts included. */
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

  /** Runs the tool off a terminal, to its end. */
  tool(args: readonly string[], options: RunOptions = {}): Promise<Result> {
    const { node = [], entry = ENTRY } = options;
    return this.run(process.execPath, [...node, entry, ...args], options);
  }

  /** Runs a bash script in which `tool` is the tool. */
  bash(script: string, options: RunOptions = {}): Promise<Result> {
    const { node = [], entry = ENTRY } = options;
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
    const screen = new Screen(process.execPath, [ENTRY, ...args], {
      cols,
      rows,
      cwd: this.dir,
      env: this.env({ TERM: 'xterm-256color', ...env }),
    });
    onTestFinished(() => screen.kill());
    return screen;
  }

  /** Makes a key and hands back its key string. */
  async key(name: string, ...flags: string[]): Promise<string> {
    const mode = flags.includes('--live') ? [] : ['--test-mode'];
    const args = ['create', name, ...mode, '--scope', 'checkin:read', '-o', 'value', ...flags];
    const { exitCode, stdout, stderr } = await this.tool(args);
    if (exitCode !== 0) throw new Error(`create ${name} ended with ${exitCode}: ${stderr}`);
    return stdout.trimEnd();
  }

  /** The keys as `list --json` shows them. */
  async keys(): Promise<{ id: string; name: string; status: string; mode: string; scopes: string[] }[]> {
    const { exitCode, stdout, stderr } = await this.tool(['list', '--json']);
    if (exitCode !== 0) throw new Error(`list ended with ${exitCode}: ${stderr}`);
    return JSON.parse(stdout);
  }

  async names(): Promise<string[]> {
    return (await this.keys()).map(({ name }) => name).sort();
  }

  async verdict(keyString: string): Promise<string> {
    return (await this.tool(['verify', '--stdin', '-o', 'value'], { input: keyString })).stdout.trimEnd();
  }

  /** What `doctor` and `audit verify` end with: 0 and 0 for a sound store. */
  async health(): Promise<{ doctor: number | null; audit: number | null }> {
    const doctor = await this.tool(['doctor', '--json']);
    const audit = await this.tool(['audit', 'verify', '--json']);
    return { doctor: doctor.exitCode, audit: audit.exitCode };
  }

  /** A desktop whose clipboard is a file: clipboardy takes `wl-copy` and `wl-paste` where WAYLAND_DISPLAY is set. */
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

  /** Null: nothing was ever put there. */
  get content(): string | null {
    return existsSync(this.#file) ? readFileSync(this.#file, 'utf8') : null;
  }

  set content(text: string) {
    writeFileSync(this.#file, text);
  }

  /** They would stay for 45 seconds, to clear the clipboard. */
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
