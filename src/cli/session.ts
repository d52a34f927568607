import type { Authorship } from '../domain/audit.js';
import { KeysError } from '../domain/errors.js';
import { quoted } from '../domain/text.js';
import { isThere } from '../files/exists.js';
import type { KeyReader } from '../keyring/key-reader.js';
import type { Keyring } from '../keyring/keyring.js';
import { commandLine, requireDashes } from './command-line.js';
import type { Context, Prompts } from './context.js';
import { type Opened, type OpenFlags, openFor } from './opening.js';
import { Operation } from './operation.js';
import { Printer } from './output/printer.js';
import { Waiting } from './output/waiting.js';
import { actorFlag } from './settings/actor.js';
import { readConfig } from './settings/config-file.js';
import { type Format, type GlobalFlags, isOn, type Report, type Sourced, wantsColor } from './settings/global-flags.js';
import { resolveSettings, type Settings, settingsWithoutStore } from './settings/settings.js';

/** What {@link Session.open} needs to know of the command that runs. */
export interface Invocation {
  /** The command line without node and script. */
  readonly words: readonly string[];
  readonly flags: GlobalFlags & { readonly operationId?: string };
  /** False for the commands that manage profiles: they must work while the one that is named is missing. */
  readonly withProfile: boolean;
  /** False for a run that opens no store: whatever is configured for stores does not matter to it. */
  readonly withStore: boolean;
  /** The output formats that only this command has. */
  readonly reports: readonly Report[];
}

/** One run of one command: its context, its settings, the store it works on, and where its output goes. */
export class Session {
  readonly ctx: Context;
  readonly flags: GlobalFlags;
  readonly settings: Settings;
  readonly out: Printer;
  readonly waiting: Waiting;
  /** The report that `-o` asks for, where this command has it. {@link format} is `value` then. */
  readonly report: Report | null;
  #operation: Operation;
  /** Esc at a prompt goes back, as in `list --interactive`. */
  escapes = false;
  /** Esc leaves what the store is asked at the moment. */
  leavable = false;
  /** A person can answer: stdin and stderr are terminals, this is not a CI run, and neither `--no-input` nor a machine-readable format was asked for. */
  readonly interactive: boolean;
  readonly #words: readonly string[];
  #opened: Opened | undefined;
  #keyring: Keyring | undefined;
  readonly #others: Opened[] = [];
  readonly #closers: (() => void)[] = [];
  #saidCreated = false;

  /** Throws `usage` for settings that contradict each other or name something that does not exist. */
  static async open(ctx: Context, invocation: Invocation): Promise<Session> {
    const { flags, withProfile, withStore, reports } = invocation;
    actorFlag(ctx, flags); // a name that cannot be recorded is refused by commands that record nothing, too
    const report = reports.find((each) => each === flags.output) ?? null;
    if (report !== null && flags.json)
      throw new KeysError('usage', `--json and -o ${report} do not go together`, 'pass one of them');
    const others = report === null ? flags : { ...flags, output: 'value' }; // a report is for programs, too
    const settings = withStore
      ? resolveSettings(ctx, others, await readConfig(ctx), withProfile)
      : settingsWithoutStore(ctx, others);
    return new Session(ctx, invocation, settings, report);
  }

  private constructor(ctx: Context, { words, flags }: Invocation, settings: Settings, report: Report | null) {
    this.ctx = ctx;
    this.report = report;
    this.flags = flags;
    this.settings = settings;
    this.#words = words;
    this.out = new Printer(ctx, flags, settings.format.value);
    this.waiting = new Waiting(ctx, this.out.quiet);
    this.#operation = new Operation(flags.operationId);
    const mayAsk = flags.input !== false && !isOn(ctx.env.UNLOCKOS_KEYS_NO_INPUT);
    this.interactive = mayAsk && this.format === 'table' && ctx.stdin.isTTY && ctx.stderr.isTTY && ctx.ci === null;
  }

  get now(): Date {
    return this.ctx.now();
  }

  get dryRun(): boolean {
    return this.flags.dryRun === true;
  }

  get format(): Format {
    return this.settings.format.value;
  }

  /** The absolute path or the URL of the store, and where that was set. */
  get store(): Sourced<string> {
    return this.settings.store;
  }

  async prompts(): Promise<Prompts> {
    return this.ctx.prompts({
      color: wantsColor(this.ctx, this.flags, this.ctx.stderr.isTTY),
      escape: this.escapes,
    });
  }

  get operation(): Operation {
    return this.#operation;
  }

  /** Begins another change of the same run: it has an operation id of its own. */
  nextOperation(): void {
    this.#operation = new Operation(undefined);
  }

  /** The command line of this run with further flags, for hints. */
  commandWith(...flags: readonly string[]): string {
    return commandLine(this.#words, flags);
  }

  /** The line of another command on the same store, for a person to paste: the store's own flags are repeated, variables still hold. */
  followUp(...words: readonly string[]): string {
    const { store, profile, allowHttp } = this.flags;
    return commandLine(words, [
      ...(profile === undefined ? [] : ['-p', profile]),
      ...(store === undefined ? [] : ['--store', store]),
      ...(allowHttp ? ['--allow-http'] : []),
    ]);
  }

  /**
   * The arguments of a command that can run a program, apart: what comes before `--`, and the program after it. Throws `usage` for
   * words after `--` when no program is to be run (`runs` is false): they would be taken for keys.
   */
  splitAtDashes(operands: readonly string[], runs: boolean): { args: string[]; program: string[] } {
    const count = this.#words.includes('--') ? this.#words.length - this.#words.indexOf('--') - 1 : 0;
    if (count > 0 && !runs)
      throw new KeysError(
        'usage',
        `the words after -- are for --pipe: ${operands.slice(-count).map(quoted).join(' ')}`,
        `to give the key string to that program: ${this.commandWith('--pipe')}`,
      );
    const at = operands.length - count;
    return { args: operands.slice(0, at), program: operands.slice(at) };
  }

  /** Throws `usage` unless `--` comes before the program: without it, the program's flags would be read as ours. */
  requireDashes(operands: readonly string[], command: string): void {
    requireDashes(this.#words, operands, command);
  }

  by(): Authorship {
    return {
      actor: actorFlag(this.ctx, this.flags)?.value ?? null,
      osUser: this.ctx.osUser,
      host: this.ctx.host,
      tool: this.ctx.version,
    };
  }

  /** Opens the store on the first call. `create`: make it if it does not exist. */
  async keyring(options: OpenFlags = {}): Promise<Keyring> {
    this.#keyring ??= await (await this.#open(options)).keyring();
    return this.#keyring;
  }

  /** To read pages of keys, which takes less time than with a keyring. */
  async reader(): Promise<KeyReader> {
    return (await this.#open({})).reader;
  }

  async #open(options: OpenFlags): Promise<Opened> {
    if (this.#opened) return this.#opened;
    this.#opened = await openFor(this, this.settings, options);
    this.#sayCreated();
    return this.#opened;
  }

  /** Opens a second store, to copy to or from; closed with the session. */
  async other(settings: Settings, options: OpenFlags): Promise<Keyring> {
    const opened = await openFor(this, settings, options);
    this.#others.push(opened);
    return opened.keyring();
  }

  /** A remote store is made by the first request to it, which may come after it was opened. */
  #sayCreated(): void {
    if (this.#saidCreated || this.#opened?.reader.created !== true) return;
    this.#saidCreated = true;
    this.out.remark(`Created a new store: ${this.store.value} (${this.store.source})`);
  }

  /** True when no store was named and the default one does not exist yet, nor a log of one: there are no keys, and nothing to open. */
  storeIsUnborn(): boolean {
    const { source, value } = this.store;
    return source === 'default' && !isThere(value) && !isThere(`${value}-wal`);
  }

  /**
   * Notes which store a change goes to. For a remote store it notes the operation id, too: if the reply is lost, that note is the only
   * trace of the run.
   */
  noteStore(): void {
    this.#sayCreated();
    this.out.note(`Store: ${this.store.value} (${this.store.source})`);
    if (this.settings.remote && this.operation.given === undefined)
      this.out.note(`Operation: ${this.operation.id} (if this run is cut off, run it again with --operation-id)`);
  }

  /** Calls `close` when the session ends, however it ends. */
  atEnd(close: () => void): void {
    this.#closers.push(close);
  }

  /** The module is loaded only after a change. */
  async #noteChange(keyring: Keyring): Promise<void> {
    const { noteChange, TO_ACCEPT } = await import('./settings/seen-head.js');
    const problem = await noteChange(this.ctx, keyring);
    if (problem !== null) this.out.remark(`warning: ${problem}; ${TO_ACCEPT}`);
  }

  async close(): Promise<void> {
    for (const close of this.#closers.splice(0)) close();
    if (this.#keyring?.lastChange) await this.#noteChange(this.#keyring);
    for (const opened of [this.#opened, ...this.#others.splice(0)]) await opened?.reader.close();
    this.#opened = undefined;
    this.#keyring = undefined;
  }
}
