import {
  type Change,
  changesIn,
  FoundObjects,
  type GitFinding,
  hitsInName,
  isNoObject,
  pathText,
  RAW,
} from './git-changes.js';
import { searchObjects } from './git-objects.js';
import { gitOutput, startGit, unreadableRepository } from './git-process.js';

/** Searches the contents and names that `git commit` would add. Throws `usage` when `cwd` is not in a readable repository. */
export async function* scanStaged(cwd: string): AsyncGenerator<GitFinding> {
  const listing = startGit(cwd, ['diff-index', '--cached', ...RAW, await headTree(cwd), '--']);
  const changes: Change[] = [];
  for await (const change of changesIn(listing.stdout)) changes.push(change);
  const failure = await listing.ended;
  if (failure !== null) throw unreadableRepository(failure);
  const wanted = new Set(
    changes.filter(({ after }) => !isNoObject(after)).flatMap(({ before, after }) => [...before, after]),
  );
  const found = new FoundObjects();
  const missing = new Set<string>();
  const oids = [...wanted].filter((oid) => !isNoObject(oid)).map((oid) => `${oid}\n`);
  for await (const object of searchObjects(cwd, Buffer.from(oids.join('')))) {
    found.add(object);
    if (object.type === 'missing') missing.add(object.oid);
  }
  for (const change of changes) {
    yield* found.addedBy(change);
    const file = pathText(change.path);
    if (change.before.every(isNoObject))
      for (const hit of hitsInName(change.path)) yield { kind: 'hit', commit: null, file, hit };
    if (missing.has(change.after))
      yield { kind: 'unreadable', file, why: `object ${change.after} is missing or damaged` };
  }
}

/** The tree to compare the index with: that of the last commit, or an empty tree before the first one. */
async function headTree(cwd: string): Promise<string> {
  await gitOutput(cwd, ['rev-parse', '--git-dir']); // throws outside of a repository
  const { stdout, ended } = startGit(cwd, ['rev-parse', '--verify', '--quiet', 'HEAD^{tree}']);
  let tree = '';
  for await (const part of stdout) tree += part;
  if ((await ended) === null) return tree.trim();
  return (await gitOutput(cwd, ['hash-object', '-t', 'tree', '--stdin'])).toString().trim();
}
