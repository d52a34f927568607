import { redactKeyStrings } from '../../domain/key-string.js';
import { safeText } from '../../domain/text.js';
import type { Context } from '../context.js';
import { isBrokenPipe } from '../exit-code.js';
import { type Format, type GlobalFlags, isOn, wantsColor } from '../settings/global-flags.js';
import { type Paint, painter, paintMessage } from './paint.js';
import type { RenderedTable, TableColumn, TableStyle } from './table.js';
import type { View } from './view.js';
import { wrap } from './wrap.js';

export interface PrintOptions {
  /** One thing, not a list: a bare object in JSON and YAML. */
  readonly single?: boolean;
  /** The note that takes the place of an empty table. */
  readonly empty?: string;
  /** The fields that the command line asks about: their columns are not left out. */
  readonly asked?: readonly string[];
  /** Draws something other than the view's own table. Not used with `--fields`. */
  readonly table?: () => Promise<string>;
}

/** Everything that a command writes: results to stdout, notes and remarks to stderr. */
export class Printer {
  readonly format: Format;
  readonly #ctx: Context;
  readonly #flags: GlobalFlags;

  /** Throws `usage` for an unknown `--color`, before anything happens. */
  constructor(ctx: Context, flags: GlobalFlags, format: Format) {
    this.#ctx = ctx;
    this.#flags = flags;
    this.format = format;
    wantsColor(ctx, flags, false);
  }

  get quiet(): boolean {
    return this.#flags.quiet === true;
  }

  /** A note on stderr. `--quiet` silences it, and so do the JSON formats, where stderr must hold nothing but a JSON error. */
  note(text: string | readonly string[]): void {
    if (!this.quiet && this.format !== 'json' && this.format !== 'jsonl') this.remark(text);
  }

  /**
   * A remark on stderr that nothing silences: a warning, or the question before a prompt. Each array item is one line; a line break
   * inside an item came from a name, and is escaped. A closed or full stderr must not stop a command between making a key and
   * handing out its key string, so write errors are ignored.
   */
  remark(text: string | readonly string[]): void {
    const lines = typeof text === 'string' ? [text] : text;
    const { stderr } = this.#ctx;
    try {
      const columns = stderr.isTTY ? stderr.columns() : undefined;
      const text = lines.map((line) => `${wrap(safeText(redactKeyStrings(line)), columns)}\n`).join('');
      stderr.write(paintMessage(text, wantsColor(this.#ctx, this.#flags, stderr.isTTY)));
    } catch {
      // nobody reads remarks any more; stdout and the exit code still report the result
    }
  }

  debug(text: string): void {
    if (this.#flags.debug || isOn(this.#ctx.env.UNLOCKOS_KEYS_DEBUG)) this.remark(`debug: ${text}`);
  }

  async paint(stream: 'stdout' | 'stderr'): Promise<Paint> {
    return painter(wantsColor(this.#ctx, this.#flags, this.#ctx[stream].isTTY));
  }

  /**
   * Prints a result in the chosen format. `table` is for people: off a terminal it keeps all columns, and loses colour, truncation
   * and relative times. Throws `usage` for unknown `--fields`.
   */
  async print<T>(items: readonly T[], view: View<T>, options: PrintOptions = {}): Promise<void> {
    const { fields } = this.#flags;
    if (this.format !== 'table') {
      const { renderData } = await import('./formats.js');
      this.#write(await renderData(items, view, this.format, { fields, single: options.single ?? false }));
      return;
    }
    if (items.length === 0) {
      if (options.empty) this.note(options.empty);
      return;
    }
    if (options.table && fields === undefined) return this.#write(await options.table());
    const { text, leftOut } = await this.#table(items, view, options.asked ?? []);
    this.#write(text);
    if (leftOut.length > 0) this.note(`Not shown for lack of room: ${leftOut.join(', ')} (--fields chooses)`);
  }

  /**
   * Prints some items of a list that goes on, one line each: values, JSON Lines, or for people the cells of the table. Returns once the system
   * has accepted them, and throws EPIPE when the reader of stdout is gone, which ends the run as done. Throws `usage` for unknown `--fields`.
   */
  async more<T>(items: readonly T[], view: View<T>): Promise<void> {
    const { stdout } = this.#ctx;
    const text = await this.#lines(items, view);
    if (text !== '') await (stdout.writeWaiting?.(text) ?? stdout.write(text));
  }

  async #lines<T>(items: readonly T[], view: View<T>): Promise<string> {
    const { renderData, readFields } = await import('./formats.js');
    const { fields } = this.#flags;
    const wanted = readFields(view, fields);
    if (this.format !== 'table') return renderData(items, view, this.format, { fields, single: false });
    const columns = this.#columns(view, wanted, []);
    const look = this.#look;
    const line = (item: T) =>
      columns.map(({ text }) => safeText(redactKeyStrings(text(item, look)))).filter((cell) => cell !== '');
    return items.map((item) => `${line(item).join('  ')}\n`).join('');
  }

  /** The items as a table for stdout, with the columns that `--fields` names, or else those of the view. */
  async table<T>(items: readonly T[], view: View<T>): Promise<string> {
    return (await this.#table(items, view, [])).text;
  }

  #columns<T>(view: View<T>, wanted: readonly string[] | undefined, asked: readonly string[]): TableColumn<T>[] {
    const json = (field: string) => ({ header: field, field, text: (item: T) => cellText(view.json(item)[field]) });
    const stays = ({ drop: _, spare: __, ...column }: TableColumn<T>) => column;
    const { columns } = view; // made anew each time
    return (
      wanted?.map((field) => stays(columns.find((column) => column.field === field) ?? json(field))) ??
      columns.map((column) => (asked.includes(column.field) ? stays(column) : column))
    );
  }

  /** How cells are written. */
  get #look(): TableStyle {
    return { times: this.#ctx.stdout.isTTY ? 'relative' : 'iso', now: this.#ctx.now() };
  }

  async #table<T>(items: readonly T[], view: View<T>, asked: readonly string[]): Promise<RenderedTable> {
    const [{ renderTable }, { readFields }] = [await import('./table.js'), await import('./formats.js')];
    const columns = this.#columns(view, readFields(view, this.#flags.fields), asked);
    return renderTable(items, columns, {
      available: this.#width(),
      ...this.#look,
      paint: await this.paint('stdout'),
    });
  }

  /** A reader that stops early (`| head`) changes neither what the command does nor its exit code. */
  #write(text: string): void {
    try {
      this.#ctx.stdout.write(text);
    } catch (error) {
      if (!isBrokenPipe(error)) throw error;
    }
  }

  /** COLUMNS, where it is set, counts off a terminal too. */
  #width(): number | undefined {
    const columns = Number(this.#ctx.env.COLUMNS);
    return Number.isInteger(columns) && columns > 0 ? columns : this.#ctx.stdout.columns();
  }
}

/** A value in a table that has no column of its own for it. */
function cellText(value: unknown): string {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? JSON.stringify(value) : String(value ?? '');
}
