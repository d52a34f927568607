import {
  createPrompt,
  isDownKey,
  isEnterKey,
  isSpaceKey,
  isUpKey,
  useEffect,
  useKeypress,
  useState,
} from '@inquirer/core';
import type { ApiKey } from '../../domain/api-key.js';
import { safeText } from '../../domain/text.js';
import type { KeyAction, KeyTable, TableAnswer } from '../context.js';
import { tableKeyColumns } from '../output/key-columns.js';
import { filterKeys } from '../output/key-filter.js';
import { rulerFor, truncate } from '../output/table.js';
import {
  AROUND,
  aboutKey,
  clamp,
  helpLines,
  keysLine,
  paint,
  type Question,
  rows,
  type Size,
  title,
} from './key-table-view.js';
import type { Terminal } from './terminal.js';

const HIDE_CURSOR = '\u001b[?25l';
const SHOW_CURSOR = '\u001b[?25h';
const CLEAR = '\u001b[2J\u001b[H';
/** How long to wait after an Esc for the rest of an arrow key. */
const ESCAPE_MS = 80;
const MESSAGE_LINES = 4;

type View = 'list' | 'filter' | 'help';

/** Node says more of a key than @inquirer's types do. */
interface Pressed {
  readonly name?: string;
  readonly sequence?: string;
  readonly ctrl: boolean;
  readonly shift: boolean;
}

function screenSize(): Size {
  return { columns: process.stderr.columns || 80, rows: process.stderr.rows || 24 };
}

const prompt = createPrompt<TableAnswer | null, Question>((question, done) => {
  const [size, setSize] = useState(screenSize());
  const [view, setView] = useState<View>('list');
  const [place, setPlace] = useState(question.place);
  const [said, setSaid] = useState(question.message);
  const shown = filterKeys(question.keys, place.filter);
  const found = shown.findIndex(({ id }) => id === place.current);
  const row = found >= 0 ? found : clamp(place.row, shown.length);
  const key = shown[row];
  const room = Math.max(1, size.rows - AROUND - Math.min(said.length, MESSAGE_LINES));

  useEffect((rl) => {
    Object.assign(rl, { escapeCodeTimeout: ESCAPE_MS });
    const resized = () => {
      process.stderr.write(CLEAR); // what was drawn has been wrapped again, and is no longer where it was
      setSize(screenSize());
    };
    process.stderr.on('resize', resized);
    return () => process.stderr.off('resize', resized);
  }, []);

  const goTo = (to: number) => {
    const next = clamp(to, shown.length);
    setPlace({ ...place, row: next, current: shown[next]?.id ?? null });
  };
  const filterBy = (filter: string) => {
    const first = filter === '' ? key : filterKeys(question.keys, filter)[0];
    setPlace({ ...place, filter, row: 0, current: first?.id ?? null });
  };
  const end = (action: KeyAction, keys: readonly ApiKey[]) =>
    done({ action, keys, place: { ...place, row, current: key?.id ?? null } });
  const marked = question.keys.filter(({ id }) => place.marked.includes(id));
  const chosen = marked.length > 0 ? marked : key ? [key] : [];
  const one = (action: KeyAction) => {
    if (marked.length > 1) setSaid([`${action} takes one key at a time: Esc takes the ${marked.length} marks away`]);
    else if (chosen[0]) end(action, chosen);
  };
  const mark = (ids: readonly string[], on: boolean) =>
    on ? [...place.marked, ...ids] : place.marked.filter((id) => !ids.includes(id));

  const keysOfList = (pressed: Pressed) => {
    const typed = pressed.sequence ?? '';
    const { name } = pressed;
    if (said.length > 0) setSaid([]);
    if (name === 'escape') {
      if (place.marked.length > 0) setPlace({ ...place, marked: [] });
      else if (place.filter !== '') filterBy('');
      else done(null);
    } else if (typed === '/') setView('filter');
    else if (typed === '?') setView('help');
    else if (typed === 'q') done(null);
    else if (typed === 'n') end('create', []);
    else if (isUpKey(pressed as never) || typed === 'k') goTo(row - 1);
    else if (isDownKey(pressed as never) || typed === 'j') goTo(row + 1);
    else if (name === 'pageup') goTo(row - room);
    else if (name === 'pagedown') goTo(row + room);
    else if (name === 'home' || typed === 'g') goTo(0);
    else if (name === 'end' || typed === 'G') goTo(shown.length - 1);
    else if (!key) return;
    else if (isEnterKey(pressed as never)) end('show', [key]);
    else if (isSpaceKey(pressed as never)) {
      const next = shown[clamp(row + 1, shown.length)];
      setPlace({
        ...place,
        marked: mark([key.id], !place.marked.includes(key.id)),
        row: clamp(row + 1, shown.length),
        current: next?.id ?? key.id,
      });
    } else if (typed === 'a') {
      const ids = shown.map(({ id }) => id);
      const rest = ids.filter((id) => !place.marked.includes(id));
      setPlace({ ...place, current: key.id, row, marked: rest.length > 0 ? mark(rest, true) : mark(ids, false) });
    } else if (typed === 'e') one('edit');
    else if (typed === 'r') one('rotate');
    else if (typed === 'd') end(chosen.some(({ status }) => status === 'active') ? 'disable' : 'enable', chosen);
    else if (typed === 'x') end('delete', chosen);
  };

  useKeypress((event, rl) => {
    const pressed = event as Pressed;
    if (view === 'filter') {
      if (isEnterKey(event)) setView('list');
      else if (pressed.name === 'escape') {
        rl.clearLine(0);
        filterBy('');
        setView('list');
      } else if (isUpKey(event) || isDownKey(event)) goTo(row + (isUpKey(event) ? -1 : 1));
      else if (rl.line !== place.filter) filterBy(rl.line);
      return;
    }
    rl.clearLine(0);
    if (view === 'help') setView('list');
    else if (pressed.ctrl) return;
    else {
      keysOfList(pressed);
      if (pressed.sequence === '/') rl.write(place.filter);
    }
  });

  const width = size.columns - 1;
  if (view === 'help') return `${HIDE_CURSOR}${helpLines(size).join('\n')}`;
  const lines = [
    title(question, shown.length, place, width),
    ...rows({ question, shown, row, room, place, width }),
    '',
    ...(key ? aboutKey(key, width, question.ruler) : [paint.dim('no key fits'), '']),
    ...said.slice(0, MESSAGE_LINES).map((line) => truncate(safeText(line), width, question.ruler)),
  ].slice(0, Math.max(1, size.rows - 1));
  const footer =
    view === 'filter' ? `${SHOW_CURSOR}/${place.filter}` : HIDE_CURSOR + paint.dim(keysLine(key, marked.length, width));
  return [...lines, footer].join('\n');
});

/** The table that `list --interactive` shows, until an action is chosen or the person leaves (null). */
export async function keyTable(
  table: KeyTable,
  ask: (question: (terminal: Terminal) => Promise<TableAnswer | null>) => Promise<TableAnswer | null>,
): Promise<TableAnswer | null> {
  const texts = table.keys.flatMap(({ name, description, labels }) => [
    name,
    description ?? '',
    ...Object.values(labels),
  ]);
  const ruler = await rulerFor([...texts, ...table.message, table.title, table.place.filter]);
  const columns = tableKeyColumns(table.now, table.recording);
  return ask((terminal) => prompt({ ...table, ruler, columns }, terminal));
}
