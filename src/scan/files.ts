import {
  closeSync,
  constants,
  type Dirent,
  existsSync,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
} from 'node:fs';
import path from 'node:path';
import ignore, { type Ignore } from 'ignore';
import { Finder, type Hit } from './finder.js';

/** What was found, where; or a place that could not be read. */
export type FileFinding =
  | { readonly kind: 'hit'; readonly file: string; readonly hit: Hit }
  | { readonly kind: 'unreadable'; readonly file: string; readonly why: string };

export interface FileOptions {
  /** Read what `.gitignore` leaves out as well. */
  readonly all?: boolean | undefined;
}

/** How much was looked at. */
export interface Tally {
  files: number;
  binaries: number;
}

/** A path as the system has it: names are bytes, and those of an old disk need not be UTF-8. */
type Place = Buffer;

const PIECE = 1 << 20;
const LOOK_AT = 8192;
const SEPARATOR = Buffer.from(path.sep);
/** Never waits for the other end of a pipe. */
const READ = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);
/** The entry itself must be the file, not a link that somebody put in its place meanwhile. */
const READ_NO_LINK = READ | (constants.O_NOFOLLOW ?? 0);

interface Level {
  readonly dir: string;
  readonly rules: Ignore;
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown error';
}

function below(dir: Place, name: Place): Place {
  return Buffer.concat([dir, ...(dir.at(-1) === SEPARATOR[0] ? [] : [SEPARATOR]), name]);
}

/**
 * The rules of a file of patterns; none where there is no such file, or one that cannot be read: then more is searched, not less.
 * Case counts, as in git on Linux; where git folds it, too, more is searched.
 */
function rulesIn(dir: string, file: string): Level[] {
  let descriptor: number;
  try {
    descriptor = openSync(file, READ_NO_LINK);
  } catch {
    return [];
  }
  try {
    if (!fstatSync(descriptor).isFile()) return [];
    return [{ dir, rules: ignore({ ignorecase: false }).add(readFileSync(descriptor, 'utf8')) }];
  } catch {
    return [];
  } finally {
    closeSync(descriptor);
  }
}

/** The rules of a directory; a repository within another begins anew. */
function rulesAt(dir: string, above: readonly Level[]): readonly Level[] {
  const own = rulesIn(dir, path.join(dir, '.gitignore'));
  if (existsSync(path.join(dir, '.git'))) return [...rulesIn(dir, path.join(dir, '.git/info/exclude')), ...own];
  return own.length === 0 ? above : [...above, ...own];
}

/** The rules that hold at a directory from above it: those of its repository, from the root down. */
function rulesAbove(dir: string): readonly Level[] {
  const way: string[] = [];
  for (let at = dir; !existsSync(path.join(at, '.git')); way.unshift(at)) {
    at = path.dirname(at);
    if (at === way[0]) return []; // in no repository
  }
  return way.reduce<readonly Level[]>((levels, each) => rulesAt(each, levels), []);
}

/** The last rule that speaks of a path decides, and a deeper file of rules comes later. */
function isIgnored(levels: readonly Level[], file: string, isDirectory: boolean): boolean {
  let ignored = false;
  for (const { dir, rules } of levels) {
    const relative = path.relative(dir, file).split(path.sep).join('/');
    if (relative === '' || relative.startsWith('../')) continue;
    const said = rules.test(isDirectory ? `${relative}/` : relative);
    if (said.ignored) ignored = true;
    if (said.unignored) ignored = false;
  }
  return ignored;
}

/**
 * Searches a file, or a directory and all below it, one after another. What is named (an absolute path) is meant, if it is a link or
 * ignored; below it `.git`, links, and what is no regular file are passed over.
 */
export function* scanPath(start: string, options: FileOptions, tally: Tally): Generator<FileFinding> {
  let stats: import('node:fs').Stats;
  try {
    stats = statSync(start);
  } catch (error) {
    return yield { kind: 'unreadable', file: start, why: codeOf(error) };
  }
  if (stats.isDirectory()) {
    const above = options.all ? [] : rulesAbove(start);
    yield* scanDirectory(Buffer.from(start), isIgnored(above, start, true) ? [] : above, options, tally);
  } else if (stats.isFile()) yield* scanFile(Buffer.from(start), READ, tally);
  else yield { kind: 'unreadable', file: start, why: 'no regular file' };
}

function* scanDirectory(
  dir: Place,
  above: readonly Level[],
  options: FileOptions,
  tally: Tally,
): Generator<FileFinding> {
  let entries: Dirent<Buffer>[];
  try {
    const listed = readdirSync(dir, { withFileTypes: true, encoding: 'buffer' });
    entries = listed.sort((a, b) => Buffer.compare(a.name, b.name));
  } catch (error) {
    return yield { kind: 'unreadable', file: dir.toString(), why: codeOf(error) };
  }
  const levels = options.all ? [] : rulesAt(dir.toString(), above);
  for (const entry of entries) {
    const file = below(dir, entry.name);
    if (isIgnored(levels, file.toString(), entry.isDirectory())) continue;
    if (entry.isFile()) yield* scanFile(file, READ_NO_LINK, tally);
    else if (entry.isDirectory() && entry.name.toString() !== '.git')
      yield* scanDirectory(file, levels, options, tally);
  }
}

function* scanFile(place: Place, flags: number, tally: Tally): Generator<FileFinding> {
  const file = place.toString();
  let descriptor: number;
  try {
    descriptor = openSync(place, flags);
  } catch (error) {
    return yield { kind: 'unreadable', file, why: codeOf(error) };
  }
  try {
    if (!fstatSync(descriptor).isFile()) return yield { kind: 'unreadable', file, why: 'no regular file' };
    for (const hit of hitsIn(descriptor, tally)) yield { kind: 'hit', file, hit };
  } catch (error) {
    yield { kind: 'unreadable', file, why: codeOf(error) };
  } finally {
    closeSync(descriptor);
  }
}

/** Text in UTF-8 or another encoding that leaves ASCII as it is, or in UTF-16 with its mark; what holds NULs otherwise is no text. */
function* hitsIn(descriptor: number, tally: Tally): Generator<Hit> {
  const piece = Buffer.allocUnsafe(PIECE);
  const finder = new Finder();
  let decode: ((bytes: Buffer) => Buffer) | undefined;
  for (let first = true; ; first = false) {
    const read = readSync(descriptor, piece, 0, PIECE, null);
    const bytes = piece.subarray(0, read);
    if (first) {
      const mark = bytes.subarray(0, 2).toString('latin1');
      if (mark === '\u00ff\u00fe' || mark === '\u00fe\u00ff') {
        const decoder = new TextDecoder(mark === '\u00ff\u00fe' ? 'utf-16le' : 'utf-16be');
        decode = (part) => Buffer.from(decoder.decode(part, { stream: true }));
      } else if (bytes.subarray(0, LOOK_AT).includes(0)) {
        tally.binaries += 1;
        return;
      }
    }
    if (read === 0) break;
    yield* finder.feed(decode ? decode(bytes) : bytes);
  }
  tally.files += 1;
  yield* finder.end();
}
