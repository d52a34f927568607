import Table from 'cli-table3';
import { safeText } from '../../domain/text.js';
import type { Paint } from './paint.js';

export interface TableColumn<T> {
  readonly header: string;
  /** The field that `--fields` calls it by. */
  readonly field: string;
  text(item: T, style: TableStyle): string;
  paint?(text: string, item: T, paint: Paint): string;
  /** May be cut down to so many columns of the terminal; absent: never cut. */
  readonly min?: number;
  /** Left out when there is no room, highest first; absent: always there. */
  readonly drop?: number;
}

export interface TableStyle {
  /** `relative` for people ("3 hours ago"), ISO off a terminal. */
  readonly times: 'relative' | 'iso';
  readonly now: Date;
}

const GAP = 2;

/** ASCII, and the marks that our own columns use (… ● ○ × ✓ →): one terminal column each. */
const PLAIN = /^[\x20-\x7e\u2026\u25cf\u25cb\u00d7\u2713\u2192]*$/;

/** How wide a text is on a terminal, in columns, and where it may be cut. */
interface Ruler {
  width(text: string): number;
  characters(text: string): Iterable<string>;
}

const PLAIN_RULER: Ruler = { width: (text) => text.length, characters: (text) => text };

/** string-width and Intl.Segmenter know every script, and take longer to set up than most lists take altogether. */
export async function rulerFor(texts: readonly string[]): Promise<Ruler> {
  if (texts.every((text) => PLAIN.test(text))) return PLAIN_RULER;
  const { default: width } = await import('string-width');
  const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });
  return { width, characters: (text) => Array.from(graphemes.segment(text), ({ segment }) => segment) };
}

/** `text` in at most `width` terminal columns; a cut ends in an ellipsis and never halves a character. */
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

/** Drops what may be dropped, then narrows the widest of what may be narrowed, until the rows fit into `available` columns. */
function fitColumns<T>(columns: readonly Sized<T>[], available: number): Sized<T>[] {
  const floor = ({ column, natural }: Sized<T>) => Math.min(natural, column.min ?? natural);
  let kept = [...columns];
  while (kept.reduce((sum, each) => sum + floor(each) + GAP, -GAP) > available) {
    const candidates = kept.filter(({ column }) => column.drop !== undefined);
    if (candidates.length === 0) break;
    const first = candidates.reduce((a, b) => ((a.column.drop ?? 0) >= (b.column.drop ?? 0) ? a : b));
    kept = kept.filter((each) => each !== first);
  }
  while (total(kept) > available) {
    const shrinkable = kept.filter((each) => each.width > floor(each));
    if (shrinkable.length === 0) break;
    const widest = shrinkable.reduce((a, b) => (a.width >= b.width ? a : b));
    widest.width -= 1;
  }
  return kept;
}

/** A table without borders. `available` undefined: as wide as it comes out. */
export async function renderTable<T>(
  items: readonly T[],
  columns: readonly TableColumn<T>[],
  options: TableStyle & { available: number | undefined; paint: Paint },
): Promise<string> {
  const texts = columns.map((column) => items.map((item) => safeText(column.text(item, options))));
  const ruler = await rulerFor(texts.flat());
  const sized = columns.map((column, i) => {
    const cells = texts[i] ?? [];
    const natural = cells.reduce((widest, text) => Math.max(widest, ruler.width(text)), column.header.length);
    return { column, cells, natural, width: natural };
  });
  const kept = options.available === undefined ? sized : fitColumns(sized, options.available);
  const nothing = {
    top: '',
    'top-mid': '',
    'top-left': '',
    'top-right': '',
    bottom: '',
    'bottom-mid': '',
    'bottom-left': '',
    'bottom-right': '',
  };
  const table = new Table({
    chars: {
      ...nothing,
      left: '',
      'left-mid': '',
      mid: '',
      'mid-mid': '',
      right: '',
      'right-mid': '',
      middle: ' '.repeat(GAP),
    },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  table.push(kept.map(({ column, width }) => options.paint.bold(truncate(column.header, width, PLAIN_RULER))));
  items.forEach((item, row) => {
    table.push(
      kept.map(({ column, cells, width }) => {
        const text = truncate(cells[row] ?? '', width, ruler);
        return column.paint ? column.paint(text, item, options.paint) : text;
      }),
    );
  });
  return `${table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')}\n`;
}
