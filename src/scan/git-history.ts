import path from 'node:path';
import { lookFor } from '../files/exists.js';
import { scanPath, type Tally } from './files.js';
import type { Hit } from './finder.js';
import type { Finding } from './finding.js';
import {
  changesIn,
  FoundObjects,
  type GitFinding,
  hitsInName,
  hitsOf,
  isNoObject,
  pathText,
  RAW,
  unreadableMembers,
} from './git-changes.js';
import { type SearchedObject, searchObjects } from './git-objects.js';
import { gitOutput, nulSeparated, startGit } from './git-process.js';

/**
 * Searches every object in the repository, whether or not a branch, tag, stash or reflog leads to it: contents, file names, commits and
 * tags. So refs, replacements, grafts and settings cannot hide an object. Then reads from the commits which of them added each finding.
 * Adds to `tally`. Throws `usage` when `cwd` is not in a readable repository.
 */
export async function* scanHistory(
  cwd: string,
  tally: Passed = { archive: 0, pointer: 0 },
): AsyncGenerator<GitFinding> {
  const shallow = (await gitOutput(cwd, ['rev-parse', '--is-shallow-repository'])).toString().trim() === 'true';
  const list = ['cat-file', '--batch-all-objects', '--batch-check=%(objectname)', '--unordered'];
  const oids = await gitOutput(cwd, list);
  const blobs = new FoundObjects();
  const trees: SearchedObject[] = [];
  const commits: string[] = [];
  const pointers = new Set<string>();
  for await (const object of searchObjects(cwd, oids)) {
    if (object.pointer !== null) pointers.add(object.pointer);
    if (object.closed === 'archive') tally.archive += 1;
    if (object.type === 'commit') commits.push(object.oid);
    if (object.type === 'missing') yield unreadable(`object ${object.oid}`, 'damaged: run git fsck');
    else if (object.type === 'blob') blobs.add(object);
    else if (object.type === 'tree' && object.hits.length > 0) trees.push(object);
    else yield* inMessage(object);
  }
  yield* byCommit(cwd, commits, blobs, trees);
  yield* inRefs(cwd);
  const dirs = await gitDirectories(cwd);
  for (const dir of dirs) yield* inGitDirectory(dir);
  tally.pointer += [...pointers].filter((oid) => !dirs.some((dir) => holds(dir, oid))).length;
  yield* missingObjects(cwd);
  if (shallow) yield unreadable('older commits', 'this clone is shallow: run git fetch --unshallow');
}

/** The paths of the submodules in the index. Each is a repository of its own, whose history {@link scanHistory} does not look at. */
export async function submodulesOf(cwd: string): Promise<string[]> {
  const { stdout, ended } = startGit(cwd, ['ls-files', '--stage', '-z', '--full-name', ':/']);
  const found: string[] = [];
  for await (const entry of nulSeparated(stdout))
    if (entry.startsWith('160000 ')) found.push(pathText(entry.slice(entry.indexOf('\t') + 1)));
  await ended; // a bare repository has no index
  return found;
}

/** What in the directory of a repository is read through git, or by itself. */
const SEARCHED_OTHERWISE: ReadonlySet<string> = new Set([
  'HEAD',
  'objects',
  'refs',
  'packed-refs',
  'index',
  'logs',
  'modules',
]);

/** What a search of a history passed over. */
export type Passed = Pick<Tally, 'archive' | 'pointer'>;

function unreadable(file: string, why: string): GitFinding {
  return { kind: 'unreadable', file, why };
}

/** Key strings in a commit or tag: in the message, or in the names and addresses in its header. */
function* inMessage({ oid, type, hits, text }: SearchedObject): Generator<GitFinding> {
  const lines = (text ?? Buffer.alloc(0)).toString('latin1').split('\n');
  const blank = lines.indexOf('') + 1;
  const tag = type === 'tag' ? pathText(lines.find((line) => line.startsWith('tag '))?.slice(4) ?? oid) : null;
  for (const hit of hits) {
    const isMessage = blank > 0 && hit.line > blank;
    const header = lines[hit.line - 1]?.split(' ')[0] || 'header';
    const place = isMessage ? 'message' : header;
    const file = tag === null ? `(commit ${place})` : `(${place} of tag ${tag})`;
    const line = isMessage ? hit.line - blank : 0;
    yield { kind: 'hit', commit: type === 'commit' ? oid : null, file, hit: { ...hit, line } };
  }
}

/** Names the commit and file that added each finding, or the object when no commit contains it. */
async function* byCommit(
  cwd: string,
  commits: readonly string[],
  blobs: FoundObjects,
  trees: readonly SearchedObject[],
): AsyncGenerator<GitFinding> {
  const inNames = new Set(trees.flatMap(({ hits }) => hits.map(({ keyString }) => keyString)));
  const inBlobs = [...blobs.values()];
  if (inNames.size === 0 && inBlobs.length === 0) return;
  /** Where each blob was seen, in case no available commit added its findings. */
  const seen = new Map<string, { commit: string | null; file: string }>();
  const told = new Set<string>();
  const toldNames = new Set<string>();
  const args = ['diff-tree', '--stdin', '-r', '-c', '--root', '--no-relative', ...RAW];
  const { stdout, ended } = startGit(cwd, args, await newestFirst(cwd, commits));
  for await (const change of changesIn(stdout)) {
    const file = pathText(change.path);
    if (blobs.has(change.after)) seen.set(change.after, { commit: change.commit, file });
    for (const each of blobs.addedBy(change)) {
      if (each.kind === 'hit') told.add(each.hit.keyString);
      yield each;
    }
    if (inNames.size === 0 || !change.before.every(isNoObject)) continue;
    for (const hit of hitsInName(change.path)) {
      toldNames.add(hit.keyString);
      yield { kind: 'hit', commit: change.commit, file, hit };
    }
  }
  const failure = await ended;
  if (failure !== null) yield unreadable('the changes of some commits', failure);
  for (const blob of inBlobs) {
    const place = seen.get(blob.oid);
    const { commit, file: name } = place ?? { commit: null, file: `(blob ${blob.oid})` };
    for (const { file, hit } of hitsOf(blob))
      if (place === undefined || !told.has(hit.keyString)) yield { kind: 'hit', commit, file: name + file, hit };
    if (place === undefined) yield* unreadableMembers(blob, name);
  }
  const isToldName = ({ keyString }: Hit) => toldNames.has(keyString);
  for (const { oid, hits } of trees)
    for (const hit of hits)
      if (!isToldName(hit))
        yield { kind: 'hit', commit: null, file: `(names in tree ${oid})`, hit: { ...hit, line: 0 } };
}

/** The names of commits sorted by time, one per line; unsorted when git cannot sort them. */
async function newestFirst(cwd: string, commits: readonly string[]): Promise<string> {
  const lines = commits.map((oid) => `${oid}\n`).join('');
  const { stdout, ended } = startGit(cwd, ['rev-list', '--no-walk=sorted', '--stdin'], lines);
  const sorted: string[] = [];
  for await (const oid of nulSeparated(stdout, '\n')) sorted.push(oid);
  return (await ended) === null && sorted.length === commits.length ? `${sorted.join('\n')}\n` : lines;
}

/** Key strings in the names of branches and tags. */
async function* inRefs(cwd: string): AsyncGenerator<GitFinding> {
  const { stdout, ended } = startGit(cwd, ['for-each-ref', '--format=%(refname)']);
  for await (const name of nulSeparated(stdout, '\n'))
    for (const hit of hitsInName(name)) yield { kind: 'hit', commit: null, file: pathText(name), hit };
  const failure = await ended;
  if (failure !== null) yield unreadable('the names of branches and tags', failure);
}

/** The directories of the repository: of a second working tree, its own comes first and the common one is around it. */
async function gitDirectories(cwd: string): Promise<string[]> {
  const dirs = (await gitOutput(cwd, ['rev-parse', '--git-dir', '--git-common-dir'])).toString().trim().split('\n');
  const all = [...new Set(dirs.map((each) => path.resolve(cwd, each)))];
  return all.filter((dir) => !all.some((other) => dir.startsWith(other + path.sep)));
}

/** Whether the directory of a repository has this object of Git LFS, and it can be read: then it was searched. */
function holds(dir: string, oid: string): boolean {
  try {
    return lookFor(path.join(dir, 'lfs/objects', oid.slice(0, 2), oid.slice(2, 4), oid)) !== null;
  } catch {
    return false;
  }
}

/**
 * Key strings in the logs of refs, and in what else is in the directory of a repository and is no object: settings, hooks, messages that
 * were not committed, files of Git LFS. Other repositories in there (submodules) are left out.
 */
async function* inGitDirectory(dir: string): AsyncGenerator<GitFinding> {
  const found = (each: Finding, where: string): GitFinding => {
    const file = `(${where}) ${path.relative(dir, each.file)}`;
    return each.kind === 'hit' ? { ...each, file, commit: null } : { ...each, file };
  };
  for await (const each of scanPath(path.join(dir, 'logs'), { all: true }))
    if (each.kind === 'hit' || each.why !== 'ENOENT') yield found(each, 'log of refs');
  for await (const each of scanPath(dir, { all: true, except: SEARCHED_OTHERWISE })) yield found(each, 'git directory');
}

/** Reports objects that commits refer to and the repository lacks, as in a partial or damaged clone. Fetches nothing. */
async function* missingObjects(cwd: string): AsyncGenerator<GitFinding> {
  const args = ['rev-list', '--all', '--reflog', '--objects', '--no-object-names', '--missing=print'];
  const { stdout, ended } = startGit(cwd, args);
  let count = 0;
  let first = '';
  for await (const line of nulSeparated(stdout, '\n')) {
    if (!line.startsWith('?')) continue;
    count += 1;
    first ||= line.slice(1);
  }
  const failure = await ended;
  if (count > 0)
    yield unreadable(`${count} missing ${count === 1 ? 'object' : 'objects'}`, `such as ${first}; nothing was fetched`);
  if (failure !== null) yield unreadable('a part of the history', failure);
}
