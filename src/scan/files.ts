import { type Dirent, readdirSync, readlinkSync, type Stats, statSync } from 'node:fs';
import path from 'node:path';
import type { Closed } from './closed.js';
import { codeOf, searchFile } from './file-search.js';
import { Finder } from './finder.js';
import type { Finding } from './finding.js';
import { type IgnoreRules, isIgnored, rulesAt } from './gitignore.js';
import { READ, READ_NO_LINK } from './read-flags.js';
import { absentBelow, isTracked, type Repository, repositoryAt } from './tracked.js';

export interface FileOptions {
  /** Also scan what git ignores. */
  readonly all?: boolean | undefined;
  /** Names to leave out, directly below the start. */
  readonly except?: ReadonlySet<string> | undefined;
}

/** How many files were scanned, and how many were skipped. */
export interface Tally {
  files: number;
  /** Files and directories that git ignores and does not track. */
  ignored: number;
  /** Symbolic links: their target path is searched, but not the target. */
  links: number;
  /** Pipes, sockets and devices. */
  special: number;
  /** Files of kinds of archives that are not unpacked. They are among `files`: their bytes were searched. */
  archive: number;
  /** Pointers of Git LFS: the files themselves are not here. They are among `files`. */
  pointer: number;
  /** What repositories track and have not checked out, as in a sparse checkout. */
  absent: number;
  /** Repositories without a working tree, whose files are compressed. */
  bare: number;
}

export function newTally(): Tally {
  return { files: 0, ignored: 0, links: 0, special: 0, archive: 0, pointer: 0, absent: 0, bare: 0 };
}

/** The settings for the entries of a directory. */
interface Surroundings {
  readonly rules: readonly IgnoreRules[];
  readonly repositories: readonly Repository[];
}

const NOWHERE: Surroundings = { rules: [], repositories: [] };
const DOT_GIT = Buffer.from('.git');
/** What git looks for to tell a repository. */
const OF_REPOSITORIES = ['HEAD', 'objects', 'refs'].map((name) => Buffer.from(name));
const SEPARATOR = Buffer.from(path.sep);

/** Joins paths as bytes, because file names are not always UTF-8. */
function join(dir: Buffer, name: Buffer): Buffer {
  return Buffer.concat([dir, ...(dir.at(-1) === SEPARATOR[0] ? [] : [SEPARATOR]), name]);
}

/**
 * Searches a file, or a directory with everything below it, names included. `start` is an absolute path; it is scanned even when it is a
 * link or ignored. Below it, links are not followed and `.git` is skipped. Adds to `tally`. Never throws: errors are findings.
 */
export async function* scanPath(
  start: string,
  options: FileOptions = {},
  tally: Tally = newTally(),
): AsyncGenerator<Finding> {
  let stats: Stats;
  try {
    stats = statSync(start);
  } catch (error) {
    return yield { kind: 'unreadable', file: start, why: codeOf(error) };
  }
  if (stats.isDirectory()) {
    const above = options.all ? NOWHERE : await surroundingsOf(start);
    const { repositories } = above;
    const around = repositories.at(-1);
    if (around) tally.absent += absentBelow(around, start);
    const rules = isIgnored(above.rules, start, true) ? [] : above.rules;
    yield* scanDirectory(Buffer.from(start), { rules, repositories }, options, tally);
  } else if (stats.isFile()) {
    count(tally, yield* searchFile(Buffer.from(start), READ));
  } else yield { kind: 'unreadable', file: start, why: 'not a regular file' };
}

function count(tally: Tally, closed: Closed | null | undefined): void {
  if (closed === undefined) return;
  tally.files += 1;
  if (closed !== null) tally[closed] += 1;
}

async function* scanDirectory(
  dir: Buffer,
  above: Surroundings,
  options: FileOptions,
  tally: Tally,
): AsyncGenerator<Finding> {
  let entries: Dirent<Buffer>[];
  try {
    const listed = readdirSync(dir, { withFileTypes: true, encoding: 'buffer' });
    entries = listed.sort((a, b) => Buffer.compare(a.name, b.name));
  } catch (error) {
    return yield { kind: 'unreadable', file: dir.toString(), why: codeOf(error) };
  }
  const has = (wanted: Buffer) => entries.some(({ name }) => name.equals(wanted));
  const repository = has(DOT_GIT) ? await repositoryAt(dir.toString()) : null;
  if (repository !== null) tally.absent += absentBelow(repository, dir.toString());
  else if (OF_REPOSITORIES.every(has)) tally.bare += 1;
  const around = options.all ? NOWHERE : within(dir.toString(), above, repository);
  for (const entry of entries) {
    if (options.except?.has(entry.name.toString())) continue;
    const file = join(dir, entry.name);
    if (isIgnored(around.rules, file.toString(), entry.isDirectory()) && !isTracked(around.repositories, file)) {
      tally.ignored += 1;
      continue;
    }
    yield* inName(file, entry.name);
    if (entry.isFile()) {
      count(tally, yield* searchFile(file, READ_NO_LINK));
    } else if (entry.isDirectory()) {
      if (repository === null || entry.name.toString() !== '.git')
        yield* scanDirectory(file, around, { all: options.all }, tally);
    } else if (entry.isSymbolicLink()) {
      tally.links += 1;
      yield* inLink(file);
    } else tally.special += 1;
  }
}

/** The settings for `dir`. A repository that starts there has only its own ignore rules; outside a repository nothing is ignored. */
function within(dir: string, above: Surroundings, repository: Repository | null): Surroundings {
  if (repository === null && above.repositories.length === 0) return NOWHERE;
  const repositories = repository === null ? above.repositories : [...above.repositories, repository];
  return { repositories, rules: rulesAt(dir, above.rules, repository !== null) };
}

/** The settings from the directories above `dir`, starting at the root of the innermost repository. */
async function surroundingsOf(dir: string): Promise<Surroundings> {
  const between: string[] = [];
  for (let at = path.dirname(dir); ; at = path.dirname(at)) {
    between.unshift(at);
    const repository = await repositoryAt(at);
    if (repository !== null) {
      const start: Surroundings = within(at, NOWHERE, repository);
      return between.slice(1).reduce((around, each) => within(each, around, null), start);
    }
    if (path.dirname(at) === at) return NOWHERE;
  }
}

function* inName(file: Buffer, name: Buffer): Generator<Finding> {
  const finder = new Finder();
  const hits = [...finder.feed(name), ...finder.end()];
  for (const hit of hits) yield { kind: 'hit', file: file.toString(), hit: { ...hit, line: 0 } };
}

/** Searches the target path of a link: that is what a commit would contain. */
function* inLink(file: Buffer): Generator<Finding> {
  const finder = new Finder();
  try {
    for (const hit of [...finder.feed(readlinkSync(file, { encoding: 'buffer' })), ...finder.end()])
      yield { kind: 'hit', file: file.toString(), hit };
  } catch (error) {
    yield { kind: 'unreadable', file: file.toString(), why: codeOf(error) };
  }
}
