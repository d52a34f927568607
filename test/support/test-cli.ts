import { EventEmitter } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect } from 'vitest';
import type { Context, Output } from '../../src/cli/context.js';
import { main } from '../../src/cli/main.js';
import { KeysError } from '../../src/domain/errors.js';
import { openStore } from '../../src/store/open.js';
import { atEnd } from './lifetime.js';
import { openRaw } from './raw-database.js';
import { type Answer, type Question, scriptedPrompts } from './scripted-prompts.js';
import { DEFAULT_ENGINE, emptyStore, START } from './stores.js';

export { type Answer, CTRL_C } from './scripted-prompts.js';

const BY = { actor: null, osUser: 'tester', host: 'testhost', tool: '9.8.7' };

/** The command line in this process, on a real store in a temporary directory. Every part of its context can be set between runs. */
export class TestCli {
  readonly dir = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'unlk-cli-')));
  readonly store = path.join(this.dir, 'keys.db');
  readonly home = path.join(this.dir, 'home');
  now = START;
  env: Record<string, string | undefined> = { UNLOCKOS_KEYS_STORE: this.store, TERM: 'xterm' };
  ci: Context['ci'] = null;
  random: Context['random'];
  tty = { stdin: false, stdout: false, stderr: false };
  columns: number | undefined;
  stdin: string | Uint8Array = '';
  /** Error codes with which writing to a stream fails. */
  broken: { stdout?: string; stderr?: string } = {};
  clipboard: { route: 'local' | 'terminal'; works: boolean; copied: string[]; problem?: string } = {
    route: 'local',
    works: true,
    copied: [],
  };
  /** The next answers, one per question. A question without an answer fails the test, and so does an answer without a question. */
  answers: Answer[] = [];
  asked: Question[] = [];
  /** Sends signals by name to a running command, and emits `log` with each text that the command logs. */
  readonly signals = new EventEmitter();
  /** The messages with which a prompt's validation rejected answers; after each, the next answer is used. */
  refusals: string[] = [];
  /** Called with each text that is written to stderr. */
  onStderr: (text: string) => unknown = () => {};
  /** Called with each text that is written to stdout. */
  onStdout: (text: string) => unknown = () => {};
  after: Context['after'];
  /** Instead of `now`, which stands still. */
  clock: (() => Date) | undefined;
  /** The output to both streams, in order. */
  screen = '';

  /** A user at a terminal without colours, with these answers. */
  atTerminal(...answers: Answer[]): this {
    this.env.NO_COLOR = '1';
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
      columns: () => (this.tty[stream] ? (this.columns ?? (stream === 'stdout' ? 80 : undefined)) : undefined),
      write: (text) => {
        const code = this.broken[stream];
        if (code !== undefined) throw Object.assign(new Error(`${code}: write`), { code });
        said[stream] += text;
        this.screen += text;
        this[stream === 'stderr' ? 'onStderr' : 'onStdout'](text);
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
    const env = { ...this.env };
    const context: Context = {
      env,
      authToken: this.env.UNLOCKOS_KEYS_AUTH_TOKEN || undefined,
      peppers: this.env.UNLOCKOS_KEYS_PEPPERS || undefined,
      redisPassword: this.env.UNLOCKOS_KEYS_REDIS_PASSWORD || undefined,
      idToken: this.env.UNLOCKOS_KEYS_ID_TOKEN || undefined,
      take: (name) => {
        const value = env[name] || undefined;
        delete env[name];
        return value;
      },
      cwd: this.dir,
      platform: 'linux',
      stdin: {
        isTTY: this.tty.stdin,
        readAll: (limit) => this.#readAll(limit),
        pieces: () => [Buffer.from(this.stdin)],
      },
      stdout: output('stdout'),
      stderr: output('stderr'),
      now: () => this.clock?.() ?? this.now,
      after: this.after,
      random: this.random,
      hashCost: 4,
      ci: this.ci,
      osUser: BY.osUser,
      host: BY.host,
      home: this.home,
      version: BY.tool,
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
      clipboard: {
        route: this.clipboard.route,
        problem: async () => this.clipboard.problem ?? null,
        copy: async (text) => this.#copy(text),
      },
    };
    const exitCode = await main(argv, context);
    expect(problems).toEqual([]);
    expect(this.answers, 'answers that nobody asked for').toEqual([]);
    return { exitCode, ...said };
  }

  /** Creates a key (live, unless a flag says otherwise) and returns its key string and id; fails the test if that fails. */
  async create(name: string, ...flags: string[]): Promise<{ keyString: string; id: string }> {
    await this.#prepare(flags);
    const scope = flags.includes('-s') || flags.includes('--like') ? [] : ['-s', 'checkin:read'];
    const mode = flags.some((flag) => ['--live', '--test', '--test-mode', '--like'].includes(flag)) ? [] : ['--live'];
    const { exitCode, stdout, stderr } = await this.run('create', name, ...mode, ...scope, ...flags, '-o', 'value');
    expect(exitCode, stderr).toBe(0);
    return { keyString: stdout.trim(), id: stdout.slice(10, 22) };
  }

  /** The parsed JSON output of a command; fails the test if the command fails. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into documents of every shape
  async json(...argv: string[]): Promise<any> {
    const { exitCode, stdout, stderr } = await this.run(...argv, '--json');
    expect(exitCode, stderr).toBe(0);
    return JSON.parse(stdout);
  }

  /** The names of all keys, oldest first. */
  async names(): Promise<string[]> {
    return (await this.json('list', '--sort', 'created')).map((key: { name: string }) => key.name);
  }

  /** Runs a statement in the store without the tool. */
  async sql(statement: string, ...values: unknown[]): Promise<unknown[]> {
    const db = openRaw(this.store, DEFAULT_ENGINE);
    try {
      return db.run(statement, values, false);
    } finally {
      db.close();
    }
  }

  /** Puts an empty store where the tool would create the same one, which takes longer. */
  async #prepare(flags: readonly string[]): Promise<void> {
    const { UNLOCKOS_KEYS_STORE: store, ...rest } = this.env;
    const elsewhere = flags.some((flag) => ['--store', '-p', '--profile', '--actor'].includes(flag));
    if (elsewhere || store !== this.store || existsSync(store) || this.now !== START || this.clock) return;
    if (rest.UNLOCKOS_KEYS_ACTOR !== undefined || rest.UNLOCKOS_KEYS_PROFILE !== undefined) return;
    writeFileSync(store, await emptyStore(DEFAULT_ENGINE, BY), { mode: 0o600 });
  }

  #readAll(limit: number): Buffer {
    if (Buffer.byteLength(this.stdin) > limit) throw new RangeError('too much');
    return Buffer.from(this.stdin);
  }

  #copy(text: string): void {
    if (!this.clipboard.works) throw new KeysError('delivery_failed', 'nothing was copied: no clipboard tool');
    this.clipboard.copied.push(text);
  }
}

/** A {@link TestCli} that is cleaned up when the test ends, or what is made by `sharedBy`. */
export function testCli(
  options: Partial<Pick<TestCli, 'now' | 'ci' | 'tty' | 'columns' | 'stdin' | 'clipboard' | 'env'>> = {},
): TestCli {
  const cli = Object.assign(new TestCli(), options, { env: {} });
  cli.env = { UNLOCKOS_KEYS_STORE: cli.store, TERM: 'xterm', ...options.env };
  mkdirSync(cli.home, { mode: 0o700 });
  atEnd(() => rmSync(cli.dir, { recursive: true, force: true }));
  return cli;
}
