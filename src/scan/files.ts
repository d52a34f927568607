import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
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

const PIECE = 1 << 20;
const LOOK_AT = 8192;

interface Level {
  readonly dir: string;
  readonly rules: Ignore;
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown error';
}

/** The rules of a file of patterns; none where there is no such file. */
function rulesIn(dir: string, file: string): Level[] {
  try {
    return [{ dir, rules: ignore().add(readFileSync(file, 'utf8')) }];
  } catch {
    return [];
  }
}

/** The rules that hold at a directory from above it: those of its repository, from the root down. */
function rulesAbove(dir: string): Level[] {
  const way: string[] = [];
  for (let at = dir; ; at = path.dirname(at)) {
    way.unshift(at);
    if (lstatSync(path.join(at, '.git'), { throwIfNoEntry: false })) break;
    if (path.dirname(at) === at) return rulesIn(dir, path.join(dir, '.gitignore')); // in no repository
  }
  const [root = dir] = way;
  return [
    ...rulesIn(root, path.join(root, '.git/info/exclude')),
    ...way.flatMap((each) => rulesIn(each, path.join(each, '.gitignore'))),
  ];
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

/** Searches a file, or a directory and all below it, one after another. `.git`, links, and what is no regular file are passed over. */
export function* scanPath(start: string, options: FileOptions, tally: Tally): Generator<FileFinding> {
  const stats = lstatSync(start, { throwIfNoEntry: false });
  if (!stats) return yield { kind: 'unreadable', file: start, why: 'ENOENT' };
  if (stats.isDirectory()) {
    const levels = options.all ? [] : rulesAbove(path.resolve(start));
    return yield* scanDirectory(start, levels, options, tally);
  }
  // A link that was named is meant; a pipe or a device would be waited for.
  yield* scanFile(start, tally, !stats.isSymbolicLink());
}

function* scanDirectory(
  dir: string,
  levels: readonly Level[],
  options: FileOptions,
  tally: Tally,
): Generator<FileFinding> {
  let entries: import('node:fs').Dirent[];
  try {
    entries = readdirSync(dir, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    return yield { kind: 'unreadable', file: dir, why: codeOf(error) };
  }
  for (const entry of entries) {
    const file = path.join(dir, entry.name);
    if (!options.all && isIgnored(levels, path.resolve(file), entry.isDirectory())) continue;
    if (entry.isFile()) yield* scanFile(file, tally, true);
    else if (entry.isDirectory() && entry.name !== '.git') {
      const own = options.all ? [] : rulesIn(path.resolve(file), path.join(file, '.gitignore'));
      yield* scanDirectory(file, [...levels, ...own], options, tally);
    }
  }
}

/** `here`: the entry itself must be the file, not a link that somebody put in its place meanwhile. */
function* scanFile(file: string, tally: Tally, here: boolean): Generator<FileFinding> {
  let descriptor: number;
  const flags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (here ? (constants.O_NOFOLLOW ?? 0) : 0);
  try {
    descriptor = openSync(file, flags);
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
