import type { Closed } from './closed.js';
import { Content } from './content.js';
import type { Hit } from './finder.js';
import type { Finding } from './finding.js';
import { startGit } from './git-process.js';

/** One object that was searched. */
export interface SearchedObject {
  readonly oid: string;
  /** `blob`, `tree`, `commit`, `tag`, or `missing`, also for a damaged object. */
  readonly type: string;
  readonly hits: readonly Hit[];
  /** The findings in the members of an archive; `file` starts with `!`. */
  readonly members: readonly Finding[];
  /** The text of a commit or tag with a hit. */
  readonly text: Buffer | null;
  /** What of its content was passed over. */
  readonly closed: Closed | null;
  /** The object of Git LFS that it stands for. */
  readonly pointer: string | null;
}

const LINE_END = 10;
const MAX_TEXT_BYTES = 1 << 20;

/**
 * Reads and searches the objects named in `oids`, one per line, with one `git cat-file`. git ends at a damaged object: that object is
 * reported as missing, and another process reads the rest. An object that is not there is reported as missing; it is not fetched.
 */
export async function* searchObjects(cwd: string, oids: Buffer): AsyncGenerator<SearchedObject> {
  for (let from = 0; from < oids.length; ) {
    const { child, stdout, ended } = startGit(cwd, ['cat-file', '--batch', '--buffer'], oids.subarray(from));
    const reader = new BatchReader();
    try {
      for await (const part of stdout) {
        for await (const object of reader.feed(part)) {
          from = nextLine(oids, from);
          yield object;
        }
      }
    } finally {
      child.kill();
    }
    if ((await ended) === null && from >= oids.length) return;
    if (from >= oids.length) return;
    const end = nextLine(oids, from);
    yield { ...nothing(oids.toString('latin1', from, end).trim()), type: 'missing' };
    from = end;
  }
}

function nextLine(oids: Buffer, from: number): number {
  const end = oids.indexOf(LINE_END, from);
  return end < 0 ? oids.length : end + 1;
}

function nothing(oid: string): SearchedObject {
  return { oid, type: 'missing', hits: [], members: [], text: null, closed: null, pointer: null };
}

/** Parses the output of `git cat-file --batch`: `NAME TYPE SIZE`, the content and a line end, or `NAME missing`. */
class BatchReader {
  #head = '';
  #now: { oid: string; type: string; left: number; content: Content; hits: Hit[]; text: Buffer[] } | null = null;

  async *feed(part: Buffer): AsyncGenerator<SearchedObject> {
    for (let at = 0; at < part.length; ) {
      if (this.#now === null) {
        const end = part.indexOf(LINE_END, at);
        this.#head += part.toString('latin1', at, end < 0 ? part.length : end);
        if (end < 0) return;
        at = end + 1;
        const [oid = '', type = '', size] = this.#head.split(' ');
        this.#head = '';
        if (size === undefined) yield nothing(oid);
        else this.#now = { oid, type, left: Number(size), content: new Content(), hits: [], text: [] };
        continue;
      }
      const { left, content, hits, text, type, oid } = this.#now;
      const piece = part.subarray(at, at + left);
      if (piece.length > 0) {
        hits.push(...content.feed(piece));
        if ((type === 'commit' || type === 'tag') && text.length < MAX_TEXT_BYTES >> 12) text.push(Buffer.from(piece));
      }
      at += piece.length;
      this.#now.left -= piece.length;
      if (this.#now.left > 0 || at >= part.length) return; // the line end after the content has not been read yet
      at += 1;
      this.#now = null;
      hits.push(...content.end());
      const members: Finding[] = [];
      for await (const each of type === 'blob' ? content.members('') : []) members.push(each);
      const { closed, pointer } = type === 'blob' ? content : { closed: null, pointer: null };
      yield {
        oid,
        type,
        hits,
        members,
        text: hits.length > 0 && text.length > 0 ? Buffer.concat(text) : null,
        closed,
        pointer,
      };
    }
  }
}
