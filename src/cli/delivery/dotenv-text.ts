import util from 'node:util';
import { KeysError } from '../../domain/errors.js';

// The text of a dotenv file, one character for each byte, so that every byte of it survives, whatever its encoding.

const MARK = '\u00ef\u00bb\u00bf'; // a byte-order mark of UTF-8
const ASSIGNMENT = /[ \t]*(export[ \t]+)?([A-Za-z_][A-Za-z0-9_.-]*)[ \t]*=[ \t]*/y;

/** One line, or a quoted value over several: from `start` to before the line end. */
interface Statement {
  readonly start: number;
  readonly end: number;
  readonly name: string | null;
  readonly isExported: boolean;
}

/** The hint of a file that cannot be changed safely. */
const HINT = 'nothing was created; write the file in plain NAME=value lines, or pass --key-file FILE';

function refuse(why: string): KeysError {
  return new KeysError('usage', `cannot change the dotenv file: ${why}`, HINT);
}

/** The number of the line at a place, for messages. */
function lineAt(text: string, at: number): number {
  return text.slice(0, at).split('\n').length;
}

/** Throws `usage` where readers may not agree on what belongs together. */
function statementsOf(text: string): Statement[] {
  const statements: Statement[] = [];
  for (let at = text.startsWith(MARK) ? MARK.length : 0; at < text.length; ) {
    ASSIGNMENT.lastIndex = at;
    const [all = '', exported, name = null] = ASSIGNMENT.exec(text) ?? [];
    const value = at + all.length;
    const quote = text[value] ?? '';
    let from = value;
    if (name !== null && '\'"`'.includes(quote) && quote !== '') {
      from = text.indexOf(quote, value + 1);
      while (quote === '"' && text[from - 1] === '\\') from = text.indexOf(quote, from + 1);
      if (from < 0) throw refuse(`the quote that begins on line ${lineAt(text, value)} has no end`);
    }
    if (name !== null && text.startsWith('<<', value))
      throw refuse(`line ${lineAt(text, value)} begins a heredoc, which dotenv files do not have`);
    const newline = text.indexOf('\n', from);
    const next = newline < 0 ? text.length : newline;
    if (/\\\r?$/.test(text.slice(from, next)) && text[value] !== '#' && !/^[ \t]*#/.test(text.slice(at, next)))
      throw refuse(`line ${lineAt(text, from)} ends with a backslash, and may go on in the next`);
    const end = text[next - 1] === '\r' ? next - 1 : next;
    statements.push({ start: at, end, name, isExported: exported !== undefined });
    at = next + 1;
  }
  return statements;
}

/** What Node reads from the text; null where this Node has no reader (before 20.12). */
function parsed(text: string): Record<string, string | undefined> | null {
  if (typeof util.parseEnv !== 'function') return null;
  return util.parseEnv(text.startsWith(MARK) ? text.slice(MARK.length) : text) as Record<string, string>;
}

/** Throws `usage` unless `after` gives `name` that value, and every other variable of `before` its own. */
export function assertOnlyChange(before: string, after: string, name: string, value: string): void {
  const [old, now] = [parsed(before), parsed(after)];
  if (old === null || now === null) return;
  if (now[name] !== value) throw refuse(`a reader would not find ${name} in it`);
  const names = new Set([...Object.keys(old), ...Object.keys(now)]);
  for (const each of names)
    if (each !== name && old[each] !== now[each]) throw refuse('another of its values would be read differently');
}

/**
 * The text with `NAME=value`; every byte of other lines is kept. An existing line is replaced in its place; of several, readers differ on
 * which one counts, so only one is left. Throws `usage` for a text in which a line could be misread.
 */
export function withVariable(text: string, name: string, value: string): string {
  if (/^(\u00ff\u00fe|\u00fe\u00ff)/.test(text) || text.includes('\0'))
    throw refuse('it is not UTF-8 text (UTF-16, or a NUL byte)');
  const statements = statementsOf(text);
  const own = statements.filter((each) => each.name === name);
  const [first] = own;
  let changed = text;
  if (first === undefined) {
    const lineEnd = /\r\n/.test(text) && !/[^\r]\n/.test(text) ? '\r\n' : '\n';
    const isOpen = text !== '' && text !== MARK && !text.endsWith('\n');
    changed = `${text}${isOpen ? lineEnd : ''}${name}=${value}${lineEnd}`;
  } else {
    for (const each of own.toReversed()) {
      const isFirst = each === first;
      const newline = text.indexOf('\n', each.end);
      const end = isFirst ? each.end : newline < 0 ? text.length : newline + 1;
      const line = isFirst ? `${each.isExported ? 'export ' : ''}${name}=${value}` : '';
      changed = changed.slice(0, each.start) + line + changed.slice(end);
    }
    if (!changed.endsWith('\n')) changed += '\n';
  }
  assertOnlyChange(text, changed, name, value);
  return changed;
}
