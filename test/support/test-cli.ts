import { EventEmitter } from 'node:events';
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, onTestFinished } from 'vitest';
import type { Context, Output } from '../../src/cli/context.js';
import { main } from '../../src/cli/main.js';
import { KeysError } from '../../src/domain/errors.js';
import { loadBinding } from '../../src/store/local/binding.js';
import { openStore } from '../../src/store/open.js';
import { type Answer, type Question, scriptedPrompts } from './scripted-prompts.js';

export { type Answer, CTRL_C } from './scripted-prompts.js';

/** The command line in this process, on a real store in a directory of its own; every part of its world may be set between runs. */
export class TestCli {
  readonly dir = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'unlk-cli-')));
  readonly store = path.join(this.dir, 'keys.db');
  readonly home = path.join(this.dir, 'home');
  now = new Date('2026-11-23T10:00:00.000Z');
  env: Record<string, string | undefined> = { UNLOCKOS_KEYS_STORE: this.store };
  ci: Context['ci'] = null;
  random: Context['random'];
  tty = { stdin: false, stdout: false, stderr: false };
  columns: number | undefined;
  stdin = '';
  /** Error codes that writing to a stream ends in. */
  broken: { stdout?: string; stderr?: string } = {};
  clipboard = { route: 'local' as 'local' | 'terminal', works: true, copied: [] as string[] };
  /** Answers to come, one a question; a question without an answer fails the test, and so does an answer without a question. */
  answers: Answer[] = [];
  asked: Question[] = [];
  /** Signals, by their names, to a command that runs on; and from it `log`, with each piece of text that it logs. */
  readonly signals = new EventEmitter();
  /** What a prompt's own check said to an answer that it refused; the next answer is then taken. */
  refusals: string[] = [];
  /** Everything that went to both streams, in order. */
  screen = '';

  /** A person at a terminal, with these answers. */
  atTerminal(...answers: Answer[]): this {
    this.tty = { stdin: true, stdout: true, stderr: true };
    this.answers = answers;
    return this;
  }

  async run(...argv: string[]) {
    const said = { stdout: '', stderr: '' };
    const problems: string[] = [];
    this.asked = [];
    this.refusals = [];
    this.screen = '';
    const output = (stream: 'stdout' | 'stderr'): Output => ({
      isTTY: this.tty[stream],
      isNull: false,
      columns: () => (this.tty[stream] ? (this.columns ?? 80) : undefined),
      write: (text) => {
        const code = this.broken[stream];
        if (code !== undefined) throw Object.assign(new Error(`${code}: write`), { code });
        said[stream] += text;
        this.screen += text;
      },
    });
    const prompts = scriptedPrompts({
      answer: (question) => {
        this.asked.push(question);
        this.screen += `${[question.message, ...question.choices].join('\n')}\n`;
        return this.answers.shift();
      },
      refused: (why) => this.refusals.push(why),
      problem: (what) => problems.push(what),
    });
    const context: Context = {
      env: this.env,
      authToken: this.env.UNLOCKOS_KEYS_AUTH_TOKEN || undefined,
      peppers: this.env.UNLOCKOS_KEYS_PEPPERS || undefined,
      cwd: this.dir,
      platform: 'linux',
      stdin: {
        isTTY: this.tty.stdin,
        readAll: (limit) => this.#readAll(limit),
        pieces: () => [Buffer.from(this.stdin)],
      },
      stdout: output('stdout'),
      stderr: output('stderr'),
      now: () => this.now,
      random: this.random,
      hashCost: 4,
      ci: this.ci,
      osUser: 'tester',
      host: 'testhost',
      home: this.home,
      version: '9.8.7',
      nodeVersion: 'v20.0.0',
      onSignals: (signals, heard) => {
        for (const signal of signals) this.signals.on(signal, heard);
        return () => {
          for (const signal of signals) this.signals.removeListener(signal, heard);
        };
      },
      log: async (text) => {
        said.stderr += text;
        this.signals.emit('log', text);
      },
      openStore,
      prompts: async () => prompts,
      clipboard: { route: this.clipboard.route, copy: async (text) => this.#copy(text) },
    };
    const exitCode = await main(argv, context);
    expect(problems).toEqual([]);
    expect(this.answers, 'answers that nobody asked for').toEqual([]);
    return { exitCode, ...said };
  }

  /** Makes a key that must come out well; its key string and id. */
  async create(name: string, ...flags: string[]): Promise<{ keyString: string; id: string }> {
    const scope = flags.includes('-s') || flags.includes('--like') ? [] : ['-s', 'checkin:read'];
    const { exitCode, stdout, stderr } = await this.run('create', name, ...scope, ...flags, '-o', 'value');
    expect(exitCode, stderr).toBe(0);
    return { keyString: stdout.trim(), id: stdout.slice(10, 22) };
  }

  /** The answer of a command that must come out well, parsed. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into documents of every shape
  async json(...argv: string[]): Promise<any> {
    const { exitCode, stdout, stderr } = await this.run(...argv, '--json');
    expect(exitCode, stderr).toBe(0);
    return JSON.parse(stdout);
  }

  /** Names of the keys that are there, oldest first. */
  async names(): Promise<string[]> {
    return (await this.json('list', '--sort', 'created')).map((key: { name: string }) => key.name);
  }

  /** Writes to the store behind the tool's back, or reads from it. */
  async sql(statement: string, ...values: unknown[]): Promise<unknown[]> {
    const db = (await loadBinding()).open(this.store);
    try {
      const prepared = db.prepare(statement);
      if (prepared.reader) return prepared.all(...values);
      prepared.run(...values);
      return [];
    } finally {
      db.close();
    }
  }

  #readAll(limit: number): string {
    if (Buffer.byteLength(this.stdin) > limit) throw new RangeError('too much');
    return this.stdin;
  }

  #copy(text: string): void {
    if (!this.clipboard.works) throw new KeysError('delivery_failed', 'nothing was copied: no clipboard tool');
    this.clipboard.copied.push(text);
  }
}

/** A {@link TestCli} that is cleaned up when the test ends. */
export function testCli(
  options: Partial<Pick<TestCli, 'now' | 'ci' | 'tty' | 'columns' | 'stdin' | 'clipboard' | 'env'>> = {},
): TestCli {
  const cli = Object.assign(new TestCli(), options, { env: {} });
  cli.env = { UNLOCKOS_KEYS_STORE: cli.store, ...options.env };
  mkdirSync(cli.home, { mode: 0o700 });
  onTestFinished(() => rmSync(cli.dir, { recursive: true, force: true }));
  return cli;
}
