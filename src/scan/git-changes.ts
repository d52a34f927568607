import { Finder, type Hit } from './finder.js';
import type { Finding } from './finding.js';
import type { SearchedObject } from './git-objects.js';
import { nulSeparated } from './git-process.js';

/** A key string that a commit added or would add, or a part of the repository that could not be read. */
export type GitFinding =
  /** `commit` is null for staged changes and for objects that are in no commit. */
  | { readonly kind: 'hit'; readonly commit: string | null; readonly file: string; readonly hit: Hit }
  | { readonly kind: 'unreadable'; readonly file: string; readonly why: string };

/** A file that a commit changed: its object in each parent, and its new object. */
export interface Change {
  readonly commit: string | null;
  /** One character a byte. */
  readonly path: string;
  readonly before: readonly string[];
  readonly after: string;
}

/** The git options whose output `changesIn` reads. */
export const RAW = [
  '--raw',
  '-z',
  '--no-abbrev',
  '--no-renames',
  '--no-ext-diff',
  '--no-textconv',
  '--ignore-submodules=none',
];

/** Reads `:MODES OLD NEW STATUS` and a path, with one more colon, mode and name for each parent more. A name alone is a commit. */
export async function* changesIn(stdout: AsyncIterable<Buffer>): AsyncGenerator<Change> {
  let commit: string | null = null;
  let names: string[] | null = null;
  for await (const token of nulSeparated(stdout)) {
    if (names !== null) {
      yield { commit, path: token, before: names.slice(0, -1), after: names.at(-1) ?? '' };
      names = null;
    } else if (token.startsWith(':')) {
      const parents = /^:+/.exec(token)?.[0].length ?? 1;
      names = token.split(' ').slice(parents + 1, 2 * parents + 2);
    } else commit = token.trim();
  }
}

export function isNoObject(oid: string): boolean {
  return /^0+$/.test(oid);
}

/** The name of a file as text. */
export function pathText(path: string): string {
  return Buffer.from(path, 'latin1').toString('utf8');
}

/** Key strings in the name of a file; their line is 0. */
export function hitsInName(name: string): Hit[] {
  const finder = new Finder();
  return [...finder.feed(Buffer.from(name, 'latin1')), ...finder.end()].map((hit) => ({ ...hit, line: 0 }));
}

/** The objects with findings, and which of these findings a change added. */
export class FoundObjects {
  readonly #objects = new Map<string, SearchedObject>();
  readonly #keyStrings = new Map<string, Set<string>>();

  add(object: SearchedObject): void {
    if (object.hits.length === 0 && object.members.length === 0) return;
    this.#objects.set(object.oid, object);
    this.#keyStrings.set(object.oid, new Set(hitsOf(object).map(({ hit }) => hit.keyString)));
  }

  values(): IterableIterator<SearchedObject> {
    return this.#objects.values();
  }

  has(oid: string): boolean {
    return this.#objects.has(oid);
  }

  /** The findings in the new version of a file whose key string was in no old version. */
  *addedBy({ commit, path, before, after }: Change): Generator<GitFinding> {
    const object = this.#objects.get(after);
    if (object === undefined) return;
    const old = before.map((oid) => this.#keyStrings.get(oid));
    for (const { file, hit } of hitsOf(object))
      if (!old.some((keyStrings) => keyStrings?.has(hit.keyString)))
        yield { kind: 'hit', commit, file: pathText(path) + file, hit };
    yield* unreadableMembers(object, pathText(path));
  }
}

/** The findings in an object and its members; `file` is the rest of the name. */
export function hitsOf({ hits, members }: SearchedObject): { file: string; hit: Hit }[] {
  return [
    ...hits.map((hit) => ({ file: '', hit })),
    ...members.flatMap((member) => (member.kind === 'hit' ? [{ file: member.file, hit: member.hit }] : [])),
  ];
}

export function* unreadableMembers({ members }: SearchedObject, name: string): Generator<GitFinding> {
  for (const member of members as readonly Finding[])
    if (member.kind === 'unreadable') yield { ...member, file: name + member.file };
}
