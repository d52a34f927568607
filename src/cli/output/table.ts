import Table from 'cli-table3';
import stringWidth from 'string-width';
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
const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** `text` in at most `width` terminal columns; a cut ends in an ellipsis and never halves a character. */
export function truncate(text: string, width: number): string {
  if (stringWidth(text) <= width) return text;
  let kept = '';
  let used = 0;
  for (const { segment } of graphemes.segment(text)) {
    const next = stringWidth(segment);
    if (used + next > width - 1) break;
    kept += segment;
    used += next;
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
export function renderTable<T>(
  items: readonly T[],
  columns: readonly TableColumn<T>[],
  options: TableStyle & { available: number | undefined; paint: Paint },
): string {
  const sized = columns.map((column) => {
    const cells = items.map((item) => safeText(column.text(item, options)));
    const natural = Math.max(stringWidth(column.header), ...cells.map((text) => stringWidth(text)));
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
  table.push(kept.map(({ column, width }) => options.paint.bold(truncate(column.header, width))));
  items.forEach((item, row) => {
    table.push(
      kept.map(({ column, cells, width }) => {
        const text = truncate(cells[row] ?? '', width);
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
