import { existsSync } from 'node:fs';
import type { Authorship } from '../domain/audit.js';
import { KeysError } from '../domain/errors.js';
import { parseTimeout } from '../domain/expiry.js';
import { redactKeyStrings } from '../domain/key-string.js';
import { safeText } from '../domain/text.js';
import type { Keyring } from '../keyring/keyring.js';
import type { Context } from './context.js';
import { ANSWER_NO, type ExitCode, isBrokenPipe } from './exit-code.js';
import {
  actorFlag,
  type Format,
  formatFlag,
  type GlobalFlags,
  isOn,
  type Sourced,
  storeFlag,
  wantsColor,
} from './flags.js';
import type { View } from './output/formats.js';
import type { Paint } from './output/paint.js';
import type { Prompts } from './prompts.js';

const LOCAL_TIMEOUT_MS = 5000;

/** One run of one command: its context, what its global flags come to, and where its output goes. */
export class Session {
  readonly ctx: Context;
  readonly flags: GlobalFlags;
  readonly format: Format;
  /** The format was asked for, by flag or environment, rather than assumed. */
  readonly formatIsExplicit: boolean;
  /** Somebody is there to answer: stdin and stderr are terminals, this is no CI run, and neither `--no-input` nor a machine format was asked for. */
  readonly interactive: boolean;
  #keyring: Keyring | undefined;

  constructor(ctx: Context, flags: GlobalFlags) {
    this.ctx = ctx;
    this.flags = flags;
    const format = formatFlag(ctx, flags);
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
      actor: actorFlag(this.ctx, this.flags),
      osUser: this.ctx.osUser,
      host: this.ctx.host,
      tool: this.ctx.version,
    };
  }

  /** The absolute path of the store, and who said so. Throws `usage` for what is no path. */
  async store(): Promise<Sourced<string>> {
    const { value, source } = storeFlag(this.ctx, this.flags);
    const { readStorePath } = await import('../store/local/path-safety.js');
    return { value: readStorePath(value, this.ctx.cwd), source };
  }

  /**
   * Opens the store, once. `create`: make it when it is not there. A list of a default store that was never made is simply empty, so
   * `ifPresent` gives null for it; a store that was named must exist.
   */
  async keyring(options: { create?: boolean; inspect?: boolean } = {}): Promise<Keyring> {
    if (this.#keyring) return this.#keyring;
    const { value: location, source } = await this.store();
    const timeoutMs = this.flags.timeout === undefined ? LOCAL_TIMEOUT_MS : parseTimeout(this.flags.timeout);
    this.debug(`store ${location} (${source})`);
    const store = await this.ctx.openStore(location, {
      create: options.create === true,
      makeParent: source === 'default',
      timeoutMs,
      by: () => this.by(),
      now: this.ctx.now,
      inspect: options.inspect,
    });
    const { Keyring } = await import('../keyring/keyring.js');
    this.#keyring = new Keyring(store, {
      by: () => this.by(),
      now: this.ctx.now,
      random: this.ctx.random,
      hashCost: this.ctx.hashCost,
    });
    if (store.created) this.remark(`Made a new store: ${location} (${source})`);
    return this.#keyring;
  }

  /** True when no store was named and the default one was never made: there are no keys yet, and nothing to open. */
  async storeIsUnborn(): Promise<boolean> {
    const { value, source } = await this.store();
    return source === 'default' && !existsSync(value);
  }

  /** Says where a change goes, on stderr. */
  async target(): Promise<void> {
    const { value, source } = await this.store();
    this.note(`Store: ${value} (${source})`);
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

  async close(): Promise<void> {
    await this.#keyring?.close();
    this.#keyring = undefined;
  }
}

/** The exit code of a command whose answer is yes or no. */
export function answer(yes: boolean): ExitCode {
  return yes ? 0 : ANSWER_NO;
}
