import { lstatSync } from 'node:fs';
import path from 'node:path';
import { lookFor } from '../files/exists.js';
import { nulSeparated, startGit } from './git-process.js';

/** A repository: its root, and the paths in its index. */
export interface Repository {
  readonly root: string;
  /** Tracked files and the directories above them, relative to the root, one character per byte. */
  readonly tracked: ReadonlySet<string>;
  /** The tracked files alone. Of a submodule, its `.git`. */
  readonly files: ReadonlySet<string>;
}

const SUBMODULE = '160000 ';

/**
 * The repository whose root is `dir`. Null when git finds no repository or cannot run; then nothing is ignored. The setting `core.worktree`
 * is not used, because it could name any directory.
 */
export async function repositoryAt(dir: string): Promise<Repository | null> {
  try {
    lstatSync(path.join(dir, '.git'));
  } catch {
    return null;
  }
  // git does not look above `dir`, where another repository may be. git decides which repositories it trusts.
  const own = { GIT_CEILING_DIRECTORIES: path.dirname(dir) };
  const args = [`--work-tree=${dir}`, 'ls-files', '--stage', '-z', '--full-name'];
  const { stdout, ended } = startGit(dir, args, '', own);
  const tracked = new Set<string>();
  const files = new Set<string>();
  for await (const entry of nulSeparated(stdout)) {
    const file = entry.slice(entry.indexOf('\t') + 1);
    files.add(entry.startsWith(SUBMODULE) ? `${file}/.git` : file);
    for (let at = file; at !== '.' && !tracked.has(at); at = path.posix.dirname(at)) tracked.add(at);
  }
  return (await ended) === null ? { root: dir, tracked, files } : null;
}

/** How many tracked files and submodules at or below `dir` are not in the working tree, as in a sparse checkout. */
export function absentBelow({ root, files }: Repository, dir: string): number {
  const below = Buffer.from(path.relative(root, dir).split(path.sep).join('/')).toString('latin1');
  let absent = 0;
  for (const file of files) {
    if (below !== '' && !file.startsWith(`${below}/`)) continue;
    const at = Buffer.concat([Buffer.from(root + path.sep), Buffer.from(file, 'latin1')]);
    try {
      if (lookFor(at) === null) absent += 1;
    } catch {
      // it cannot be read, which the scan of its directory says
    }
  }
  return absent;
}

/** True when the repository tracks this file, or a file below this directory. */
export function isTracked(repositories: readonly Repository[], file: Buffer): boolean {
  return repositories.some(({ root, tracked }) => {
    const name = file.toString('latin1');
    const start = Buffer.from(root).toString('latin1');
    const below = start.endsWith('/') ? start : `${start}${path.sep}`;
    return name.startsWith(below) && tracked.has(name.slice(below.length).split(path.sep).join('/'));
  });
}
