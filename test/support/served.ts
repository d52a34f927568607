import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import { type Place, ROOT } from './built-tool.js';

type Line = Record<string, unknown>;

/** `serve`, or another command that listens, as a separate process; its log is read as it is written. */
export class Served {
  readonly child: ChildProcess;
  readonly lines: Line[] = [];
  text = '';
  #rest = '';
  #wake: () => void = () => {};
  #ended = false;

  constructor(
    place: Place,
    args: readonly string[],
    env: Record<string, string | undefined> = {},
    node = process.execPath,
    command = 'serve',
  ) {
    this.child = spawn(node, [path.join(ROOT, 'bin/unlockos-keys.js'), command, ...args], {
      cwd: place.dir,
      env: place.env(env),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    onTestFinished(() => void this.child.kill('SIGKILL'));
    this.child.stderr?.setEncoding('utf8').on('data', (part: string) => this.#take(part));
    this.child.once('close', () => {
      this.#ended = true;
      this.#wake();
    });
  }

  #take(part: string): void {
    this.text += part;
    const lines = (this.#rest + part).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) if (line.startsWith('{')) this.lines.push(JSON.parse(line));
    this.#wake();
  }

  /** The first line of the log, past or future, with this message. */
  async said(message: string): Promise<Line> {
    for (;;) {
      const found = this.lines.find((line) => line.message === message);
      if (found) return found;
      if (this.#ended) throw new Error(`the server ended without saying "${message}": ${this.text}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Its URL, as soon as it listens. */
  async url(): Promise<string> {
    return `http://${(await this.said('listening')).address}`;
  }

  /** Its exit code and signal. */
  async ended(signal?: NodeJS.Signals): Promise<[number | null, NodeJS.Signals | null]> {
    const exit = this.child.exitCode === null ? once(this.child, 'close') : null;
    if (signal) this.child.kill(signal);
    await exit;
    return [this.child.exitCode, this.child.signalCode];
  }
}
