import { safeText } from '../../domain/text.js';
import type { Paint } from './paint.js';

export interface TableColumn<T> {
  readonly header: string;
  /** Its name in `--fields`. */
  readonly field: string;
  text(item: T, style: TableStyle): string;
  paint?(text: string, item: T, paint: Paint): string;
  /** The width in terminal columns that it may be cut to; absent means that it is never cut. */
  readonly min?: number;
  /** Left out when there is no room, highest number first; absent means that it is always shown. */
  readonly drop?: number;
  /** The column that people know the rows by: others are cut and left out before it. */
  readonly isName?: true;
  /** What is shown in its place where there is then room for more of a name, or for another column. */
  readonly brief?: { readonly header: string; text(item: T, style: TableStyle): string };
  /** Shown only where all others have their full width. */
  readonly spare?: true;
}

export interface TableStyle {
  /** `relative` ("3 hours ago") on a terminal, ISO 8601 elsewhere. */
  readonly times: 'relative' | 'iso';
  readonly now: Date;
}

const GAP = 2;

/** ASCII and the symbols in our own columns (… ● ○ × ✓ →): each is one terminal column wide. */
const PLAIN = /^[\x20-\x7e\u2026\u25cf\u25cb\u00d7\u2713\u2192]*$/;

/** Measures text in terminal columns, and splits it where it may be cut. */
export interface Ruler {
  width(text: string): number;
  characters(text: string): Iterable<string>;
}

const PLAIN_RULER: Ruler = { width: (text) => text.length, characters: (text) => text };

/** string-width and Intl.Segmenter handle every script, but loading them takes longer than printing most lists. */
export async function rulerFor(texts: readonly string[]): Promise<Ruler> {
  if (texts.every((text) => PLAIN.test(text))) return PLAIN_RULER;
  const { default: width } = await import('string-width');
  const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });
  return { width, characters: (text) => Array.from(graphemes.segment(text), ({ segment }) => segment) };
}

/** Cuts `text` to at most `width` terminal columns. A cut text ends in an ellipsis, and no character is split. */
export function truncate(text: string, width: number, ruler: Ruler): string {
  if (ruler.width(text) <= width) return text;
  let kept = '';
  let used = 0;
  for (const character of ruler.characters(text)) {
    used += ruler.width(character);
    if (used > width - 1) break;
    kept += character;
  }
  return `${kept}…`;
}

interface Sized<T> {
  readonly column: TableColumn<T>;
  readonly cells: readonly string[];
  readonly natural: number;
  width: number;
}

function total(columns: readonly { width: number }[]): number {
  return columns.reduce((sum, { width }) => sum + width, 0) + GAP * (columns.length - 1);
}

function rank<T>({ column }: Sized<T>): number {
  return column.drop ?? 0;
}

/** So much of a name is kept before other columns are. */
const NAME_ROOM = 32;

/**
 * Drops droppable columns, then narrows the widest one that may be cut, and last the name, until the rows fit into `available` terminal
 * columns.
 */
function fitColumns<T>(columns: readonly Sized<T>[], available: number): Sized<T>[] {
  const floor = ({ column, natural }: Sized<T>) => Math.min(natural, column.min ?? natural);
  const wanted = (each: Sized<T>, spareIsLeft: boolean) => {
    const { column, natural } = each;
    if (column.isName) return Math.max(floor(each), Math.min(natural, NAME_ROOM));
    return spareIsLeft && !column.spare ? natural : floor(each);
  };
  const fits = (some: readonly Sized<T>[]) => {
    const spareIsLeft = some.some(({ column }) => column.spare && column.drop !== undefined);
    return some.reduce((sum, each) => sum + wanted(each, spareIsLeft) + GAP, -GAP) <= available;
  };
  const byImportance = columns.filter(({ column }) => column.drop !== undefined).sort((a, b) => rank(a) - rank(b));
  let kept = [...columns];
  for (const each of byImportance.toReversed()) if (!fits(kept)) kept = kept.filter((one) => one !== each);
  // A narrow column may have been left out for a wide one that was left out after it.
  for (const each of byImportance) {
    const more = columns.filter((one) => one === each || kept.includes(one));
    if (fits(more)) kept = more;
  }
  while (total(kept) > available) {
    const all = kept.filter((each) => each.width > floor(each));
    const shrinkable = [all.filter(({ column }) => column.spare), all.filter(({ column }) => !column.isName), all].find(
      (some) => some.length > 0,
    );
    if (!shrinkable) break;
    const widest = shrinkable.reduce((a, b) => (a.width >= b.width ? a : b));
    widest.width -= 1;
  }
  return kept;
}

export interface RenderedTable {
  readonly text: string;
  /** The headers of columns that hold something and were left out. */
  readonly leftOut: readonly string[];
}

export interface TableRoom extends TableStyle {
  /** The width of the terminal; without it a table is as wide as its content. */
  readonly available: number | undefined;
  readonly paint: Paint;
}

export interface Layout {
  readonly header: string;
  /** A line for each item. */
  readonly rows: readonly string[];
  /** The headers of columns that hold something and were left out. */
  readonly leftOut: readonly string[];
}

interface Fitted<T> {
  readonly sized: readonly Sized<T>[];
  readonly kept: readonly Sized<T>[];
}

/** The columns that there is room for, each with its width; brief ones where more fits then. */
function fitted<T>(items: readonly T[], columns: readonly TableColumn<T>[], room: TableRoom, ruler: Ruler): Fitted<T> {
  const sizedOf = (some: readonly TableColumn<T>[]) =>
    some.map((column): Sized<T> => {
      const cells = items.map((item) => safeText(column.text(item, room)));
      const natural = cells.reduce((widest, text) => Math.max(widest, ruler.width(text)), column.header.length);
      return { column, cells, natural, width: natural };
    });
  const sizedFor = (some: readonly TableColumn<T>[], available: number): Fitted<T> => {
    const sized = sizedOf(some);
    return { sized, kept: fitColumns(sized, available) };
  };
  const { available } = room;
  if (available === undefined) {
    const sized = sizedOf(columns);
    return { sized, kept: sized };
  }
  const full = sizedFor(columns, available);
  const isShort = (each: Sized<T>) => !each.column.spare && (!full.kept.includes(each) || each.width < each.natural);
  if (!full.sized.some(isShort)) return full;
  return sizedFor(
    columns.map((column) => ({ ...column, ...column.brief })),
    available,
  );
}

/** A table without borders, as lines. `ruler` must fit the texts of the columns. */
export function layOut<T>(
  items: readonly T[],
  columns: readonly TableColumn<T>[],
  room: TableRoom,
  ruler: Ruler,
): Layout {
  const { kept, sized } = fitted(items, columns, room, ruler);
  const line = (cells: readonly (readonly [text: string, painted: string])[]) =>
    cells
      .map(([text, painted], i) => painted + ' '.repeat(Math.max(0, (kept[i]?.width ?? 0) - ruler.width(text)) + GAP))
      .join('')
      .trimEnd();
  const header = kept.map(({ column, width }) => truncate(column.header, width, PLAIN_RULER));
  const rows = items.map((item, row) =>
    kept.map(({ column, cells, width }) => {
      const text = truncate(cells[row] ?? '', width, ruler);
      return [text, column.paint ? column.paint(text, item, room.paint) : text] as const;
    }),
  );
  const leftOut = sized.filter((each) => !kept.includes(each) && each.cells.some((text) => text !== ''));
  return {
    header: line(header.map((text) => [text, room.paint.bold(text)] as const)),
    rows: rows.map(line),
    leftOut: leftOut.map(({ column }) => column.header),
  };
}

/** {@link layOut} as one text. */
export async function renderTable<T>(
  items: readonly T[],
  columns: readonly TableColumn<T>[],
  room: TableRoom,
): Promise<RenderedTable> {
  const texts = columns.flatMap((column) => items.map((item) => safeText(column.text(item, room))));
  const { header, rows, leftOut } = layOut(items, columns, room, await rulerFor(texts));
  return { text: `${[header, ...rows].join('\n')}\n`, leftOut };
}
