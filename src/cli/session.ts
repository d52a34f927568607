import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import type { ApiKey } from '../domain/api-key.js';
import type { Authorship } from '../domain/audit.js';
import { KeysError } from '../domain/errors.js';
import { redactKeyStrings } from '../domain/key-string.js';
import { readOperationId } from '../domain/operation.js';
import type { Peppers } from '../domain/peppers.js';
import { quoted, safeText } from '../domain/text.js';
import type { Keyring } from '../keyring/keyring.js';
import { readConfig } from './config/config-file.js';
import type { Context } from './context.js';
import { ANSWER_NO, type ExitCode, isBrokenPipe } from './exit-code.js';
import { actorFlag, type Format, type GlobalFlags, isOn, type Sourced, wantsColor } from './flags.js';
import type { View } from './output/formats.js';
import type { Paint } from './output/paint.js';
import type { Prompts } from './prompts.js';
import { type Settings, settle } from './settings.js';

interface OpenFlags {
  readonly create?: boolean;
  readonly inspect?: boolean;
  readonly receive?: boolean;
  readonly durable?: boolean;
}

/** One run of one command: its context, what its global flags come to, and where its output goes. */
export class Session {
  readonly ctx: Context;
  readonly flags: GlobalFlags;
  readonly format: Format;
  /** The format was asked for, by flag or environment, rather than assumed. */
  readonly formatIsExplicit: boolean;
  /** Somebody is there to answer: stdin and stderr are terminals, this is no CI run, and neither `--no-input` nor a machine format was asked for. */
  readonly interactive: boolean;
  readonly settings: Settings;
  #keyring: Keyring | undefined;
  readonly #others: Keyring[] = [];
  #operationId: string | undefined;
  #saidCreated = false;

  /** Throws `usage` for settings that contradict each other or name what is not there. */
  static async open(ctx: Context, flags: GlobalFlags, options: { withProfile: boolean }): Promise<Session> {
    return new Session(ctx, flags, settle(ctx, flags, await readConfig(ctx), options.withProfile));
  }

  private constructor(ctx: Context, flags: GlobalFlags, settings: Settings) {
    this.ctx = ctx;
    this.flags = flags;
    this.settings = settings;
    const { format } = settings;
    this.format = format.value;
    this.formatIsExplicit = format.source !== 'default';
    const mayAsk = flags.input !== false && !isOn(ctx.env.UNLOCKOS_KEYS_NO_INPUT);
    this.interactive = mayAsk && this.format === 'table' && ctx.stdin.isTTY && ctx.stderr.isTTY && ctx.ci === null;
    wantsColor(ctx, flags, false); // refuses an unknown --color before anything happens
  }

  get now(): Date {
    return this.ctx.now();
  }

  get dryRun(): boolean {
    return this.flags.dryRun === true;
  }

  /** A remark on stderr, silenced by `--quiet`, and by JSON, whose errors on stderr must be all that is there. */
  note(text: string | readonly string[]): void {
    if (this.flags.quiet !== true && this.format !== 'json' && this.format !== 'jsonl') this.remark(text);
  }

  /**
   * A remark that nothing silences: a warning, or the question that goes with a prompt. Each line is one of ours: a line break inside
   * it came from somebody's name. A stderr that is gone or full must not stop a command half-way, with a key made and its key string
   * not yet handed out.
   */
  remark(text: string | readonly string[]): void {
    const lines = typeof text === 'string' ? [text] : text;
    try {
      this.ctx.stderr.write(lines.map((line) => `${safeText(redactKeyStrings(line))}\n`).join(''));
    } catch {
      // nobody hears remarks; stdout and the exit code still tell
    }
  }

  /** Writes an answer. Whoever reads may have seen enough (`| head`): that changes nothing of what the command does and answers. */
  #answer(text: string): void {
    try {
      this.ctx.stdout.write(text);
    } catch (error) {
      if (!isBrokenPipe(error)) throw error;
    }
  }

  debug(text: string): void {
    if (this.flags.debug || isOn(this.ctx.env.UNLOCKOS_KEYS_DEBUG)) this.remark(`debug: ${text}`);
  }

  async paint(stream: 'stdout' | 'stderr'): Promise<Paint> {
    const { painter } = await import('./output/paint.js');
    return painter(wantsColor(this.ctx, this.flags, this.ctx[stream].isTTY));
  }

  async prompts(): Promise<Prompts> {
    return this.ctx.prompts();
  }

  by(): Authorship {
    return {
      actor: actorFlag(this.ctx, this.flags)?.value ?? null,
      osUser: this.ctx.osUser,
      host: this.ctx.host,
      tool: this.ctx.version,
    };
  }

  /** The absolute path or the URL of the store, and who said so. */
  get store(): Sourced<string> {
    return this.settings.store;
  }

  /** Opens the store, once. `create`: make it when it is not there. */
  async keyring(options: OpenFlags = {}): Promise<Keyring> {
    if (this.#keyring) return this.#keyring;
    this.#keyring = await this.#open(this.settings, options);
    this.#sayCreated();
    return this.#keyring;
  }

  /** Opens another store than this session's, for copying; closed with the session. */
  async other(settings: Settings, options: OpenFlags): Promise<Keyring> {
    const keyring = await this.#open(settings, options);
    this.#others.push(keyring);
    return keyring;
  }

  async #open(settings: Settings, options: OpenFlags): Promise<Keyring> {
    const { store, remote, allowHttp, timeoutMs, profile } = settings;
    this.debug(`store ${store.value} (${store.source})`);
    const opened = await this.ctx.openStore(store.value, {
      create: options.create === true,
      makeParent: store.source === 'default',
      timeoutMs: timeoutMs.value,
      by: () => this.by(),
      now: this.ctx.now,
      inspect: options.inspect,
      receive: options.receive,
      durable: options.durable,
      ...(remote && { token: await this.#token(settings), allowHttp }),
    });
    const { Keyring } = await import('../keyring/keyring.js');
    return new Keyring(opened, {
      by: () => this.by(),
      now: this.ctx.now,
      random: this.ctx.random,
      hashCost: this.ctx.hashCost,
      testOnly: profile?.value.testOnly === true,
      peppers: await this.#peppers(settings),
    });
  }

  /** Nothing of it is loaded where no peppers were spoken of. */
  async #peppers(settings: Settings): Promise<Peppers | undefined> {
    const { ctx } = this;
    const spokenOf = settings.profile?.value.pepperFile ?? ctx.peppers ?? ctx.env.UNLOCKOS_KEYS_PEPPER_FILE;
    return spokenOf ? (await import('./peppers.js')).readPeppers(settings, ctx) : undefined;
  }

  async #token(settings: Settings): Promise<string | undefined> {
    const { readToken } = await import('./token.js');
    const token = readToken(settings, this.ctx);
    this.debug(token === null ? 'no token' : `token from ${token.source}`);
    return token?.value;
  }

  /** A remote store is made by the first question that it is asked, which may be after it was opened. */
  #sayCreated(): void {
    if (this.#saidCreated || this.#keyring?.store.created !== true) return;
    this.#saidCreated = true;
    this.remark(`Made a new store: ${this.store.value} (${this.store.source})`);
  }

  /** True when no store was named and the default one was never made: there are no keys yet, and nothing to open. */
  storeIsUnborn(): boolean {
    return this.store.source === 'default' && !existsSync(this.store.value);
  }

  /** Stands for this run in the audit log; the one that was given, or one made up now. Throws `usage` for what is none. */
  get operationId(): string {
    this.#operationId ??= this.givenOperationId ?? randomUUID();
    return this.#operationId;
  }

  /** The operation id that was passed: this run may repeat an earlier one. */
  get givenOperationId(): string | undefined {
    const given = (this.flags as { operationId?: string }).operationId;
    return given === undefined ? undefined : readOperationId(given);
  }

  /** Says where a change goes, on stderr, and to a server under which operation id: a reply that is lost leaves that as the only trace. */
  target(): void {
    this.#sayCreated();
    this.note(`Store: ${this.store.value} (${this.store.source})`);
    if (this.settings.remote && this.givenOperationId === undefined)
      this.note(`Operation: ${this.operationId} (if this is cut off, run it again with --operation-id)`);
  }

  /**
   * Prints an answer in the format asked for. `table` is what people get: off a terminal it keeps its columns and loses colour,
   * truncation and relative times.
   */
  async print<T>(
    items: readonly T[],
    view: View<T>,
    options: { single?: boolean; empty?: string; table?: () => Promise<string> } = {},
  ): Promise<void> {
    const { fields } = this.flags;
    if (this.format !== 'table') {
      const { renderData } = await import('./output/formats.js');
      this.#answer(await renderData(items, view, this.format, { fields, single: options.single ?? false }));
      return;
    }
    if (items.length === 0) {
      if (options.empty) this.note(options.empty);
      return;
    }
    this.#answer(options.table && fields === undefined ? await options.table() : await this.table(items, view));
  }

  async table<T>(items: readonly T[], view: View<T>): Promise<string> {
    const [{ renderTable }, { readFields }] = [await import('./output/table.js'), await import('./output/formats.js')];
    const wanted = readFields(view, this.flags.fields);
    const json = (field: string) => ({ header: field, field, text: (item: T) => String(view.json(item)[field] ?? '') });
    const columns =
      wanted?.map((field) => view.columns.find((column) => column.field === field) ?? json(field)) ?? view.columns;
    return renderTable(items, columns, {
      available: this.#width(),
      times: this.ctx.stdout.isTTY ? 'relative' : 'iso',
      now: this.now,
      paint: await this.paint('stdout'),
    });
  }

  /** COLUMNS, where somebody set it, counts off a terminal too. */
  #width(): number | undefined {
    const columns = Number(this.ctx.env.COLUMNS);
    return Number.isInteger(columns) && columns > 0 ? columns : this.ctx.stdout.columns();
  }

  /**
   * Asks before something that cannot be undone. With `name`, the name must be typed. `--yes` answers for scripts; with nobody to
   * ask and no `--yes` it throws `confirmation_required`, and `command` is the hint.
   */
  async confirm(question: string, options: { name?: string; command: string }): Promise<void> {
    if (this.flags.yes) return;
    if (!this.interactive) {
      const [first, ...advice] = question.split('\n');
      throw new KeysError(
        'confirmation_required',
        `${first}: this needs a confirmation, and there is nobody to ask`,
        [`pass --yes to confirm it: ${options.command}`, ...advice].join('\n'),
      );
    }
    const prompts = await this.prompts();
    this.remark(question.split('\n'));
    const agreed =
      options.name === undefined
        ? await prompts.yesNo('Go on?', false)
        : (await prompts.text(`Type ${safeText(options.name)} to go on`)).normalize('NFC') === options.name;
    if (!agreed) throw new KeysError('confirmation_required', 'not confirmed; nothing was changed');
  }

  /**
   * In a protected profile, whatever else was confirmed: each key's name must be typed, or passed as `--confirm NAME`. Throws
   * `confirmation_required`.
   */
  async confirmProtected(keys: readonly ApiKey[], verb: string, confirmed: readonly string[] = []): Promise<void> {
    const { profile } = this.settings;
    if (!profile?.value.protected) return;
    for (const { name, id } of keys) {
      if (confirmed.some((each) => each.normalize('NFC') === name)) continue;
      const what = `This ${verb}s ${quoted(name)} (${id}) in the protected profile ${profile.value.name}`;
      if (!this.interactive || confirmed.length > 0)
        throw new KeysError(
          'confirmation_required',
          `${what}: its name must be typed`,
          `scripts pass it: unlockos-keys ${verb} ${id} --confirm ${quoted(name)}; --yes is not enough here`,
        );
      this.remark(what);
      const typed = await (await this.prompts()).text(`Type ${safeText(name)} to go on`);
      if (typed.normalize('NFC') !== name)
        throw new KeysError('confirmation_required', 'not confirmed; nothing was changed');
    }
  }

  async close(): Promise<void> {
    for (const keyring of [this.#keyring, ...this.#others.splice(0)]) await keyring?.close();
    this.#keyring = undefined;
  }
}

/** The exit code of a command whose answer is yes or no. */
export function answer(yes: boolean): ExitCode {
  return yes ? 0 : ANSWER_NO;
}
