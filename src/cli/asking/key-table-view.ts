import { stripVTControlCharacters } from 'node:util';
import type { ApiKey } from '../../domain/api-key.js';
import { safeText } from '../../domain/text.js';
import type { KeyTable, TablePlace } from '../context.js';
import { groupScopes, type tableKeyColumns } from '../output/key-columns.js';
import { painter } from '../output/paint.js';
import { type Layout, layOut, type Ruler, truncate } from '../output/table.js';
import { wrapLine } from '../output/wrap.js';

// What `list --interactive` draws.

export const paint = painter(true); // the terminal removes the colour again where it is off
/** What is around the rows: title, header, an empty line, two lines about the current key, the line of keys. */
export const AROUND = 6;
/** Columns before the name: the pointer and the mark. */
const MARGIN = 3;

const HELP: readonly (readonly [keys: string, meaning: string])[] = [
  ['Up, Down, PgUp, PgDn, Home, End', 'move'],
  ['Enter', 'show everything about the key'],
  ['e', 'edit its name, description, rate limit, expiry, addresses and labels'],
  ['d', 'disable it, or enable it again'],
  ['r', 'rotate it: a new key takes its place, and the old one works for a while'],
  ['x', 'delete it; asks first'],
  ['n', 'create a key'],
  ['Space', 'mark the key; d and x then act on all that are marked'],
  ['a', 'mark all keys that are listed, or none'],
  ['/', 'filter by name, id or label; the exact name comes first'],
  ['?', 'this help'],
  ['Esc', 'one level back: from help, a filter, marks, and at last out of the list'],
  ['q, Ctrl-C', 'leave'],
];

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

export interface Question extends KeyTable {
  readonly ruler: Ruler;
  readonly columns: ReturnType<typeof tableKeyColumns>;
}

export function clamp(row: number, length: number): number {
  return Math.max(0, Math.min(row, length - 1));
}

export function title({ title, keys }: Question, shown: number, { filter, marked }: TablePlace, width: number): string {
  const count = shown === keys.length ? `${shown}` : `${shown} of ${keys.length}`;
  const parts = [
    `${count} ${keys.length === 1 ? 'key' : 'keys'}`,
    ...(marked.length > 0 ? [`${marked.length} marked`] : []),
    ...(filter === '' ? [] : [`filter: ${safeText(filter)}`]),
  ].join(', ');
  return `${paint.bold(truncate(parts, width, PLAIN))}${paint.dim(truncate(`  ${safeText(title)}`, Math.max(1, width - parts.length), PLAIN))}`;
}

const PLAIN: Ruler = { width: (text) => text.length, characters: (text) => text };

interface RowsView {
  readonly question: Question;
  readonly shown: readonly ApiKey[];
  readonly row: number;
  readonly room: number;
  readonly place: TablePlace;
  readonly width: number;
}

/** Laid out once for all keys at this width, so that the columns do not move while a person does. */
const layouts = new WeakMap<Question, { width: number; layout: Layout }>();

function layoutOf(question: Question, width: number): Layout {
  const known = layouts.get(question);
  if (known?.width === width) return known.layout;
  const room = {
    available: width - MARGIN,
    times: 'relative',
    now: question.now,
    paint,
  } as const;
  const layoutWith = (count: number) => layOut(question.keys, question.columns.slice(0, count), room, question.ruler);
  const headerWidth = ({ header }: Layout) => stripVTControlCharacters(header).length;
  let count = question.columns.length;
  let layout = layoutWith(count);
  while (count > 1 && headerWidth(layout) > room.available) layout = layoutWith(--count);
  layouts.set(question, { width, layout });
  return layout;
}

export function rows({ question, shown, row, room, place, width }: RowsView): string[] {
  const layout = layoutOf(question, width);
  const line = new Map(question.keys.map((key, i) => [key.id, layout.rows[i] ?? '']));
  const top = clamp(Math.min(row - Math.floor(room / 2), shown.length - room), Number.MAX_SAFE_INTEGER);
  return [
    ' '.repeat(MARGIN) + layout.header,
    ...shown.slice(top, top + room).map((key, i) => {
      const mark = place.marked.includes(key.id) ? paint.good('✓') : ' ';
      const text = line.get(key.id) ?? '';
      return top + i === row ? `${paint.pointer('❯')}${mark} ${paint.bold(text)}` : ` ${mark} ${text}`;
    }),
  ];
}

/** Two lines with what the table has no room for. */
export function aboutKey(key: ApiKey, width: number, ruler: Ruler): string[] {
  const labels = Object.entries(key.labels).map(([name, value]) => `${name}=${value}`);
  const first = [key.id, groupScopes(key.scopes), ...labels].join('  ');
  return [first, key.description ?? ''].map((line) => paint.dim(truncate(safeText(line), width, ruler)));
}

export function keysLine(key: ApiKey | undefined, marked: number, width: number): string {
  const change = key?.status === 'inactive' ? 'd enable' : 'd disable';
  const keys =
    marked > 0
      ? [
          'd disable or enable',
          `x delete ${marked === 1 ? 'the marked key' : `${marked} keys`}`,
          'Space mark',
          'Esc unmark',
          '? help',
        ]
      : ['Enter show', 'e edit', change, 'r rotate', 'x delete', 'n new', '/ filter', '? help'];
  return truncate(keys.join('  '), width, PLAIN);
}

export function helpLines({ columns, rows }: Size): string[] {
  const indent = 15;
  const lines = HELP.flatMap(([keys, meaning]) => {
    const below = keys.length > indent - 2;
    const text = wrapLine(meaning, columns - 1 - indent).split('\n');
    const beside = text.map(
      (line, i) => (i === 0 && !below ? paint.bold(keys.padEnd(indent)) : ' '.repeat(indent)) + line,
    );
    return below ? [paint.bold(keys), ...beside] : beside;
  });
  return [...lines.slice(0, rows - 2), paint.dim('any key goes back')];
}
