import { isWholeZip, kindOf, MAX_CONTAINER_BYTES, unpacked, ZIP_HEADER, zipHeaderIn } from './archives.js';
import { type Closed, closedKind, pointerOid } from './closed.js';
import { Finder, type Hit } from './finder.js';
import type { Finding } from './finding.js';

/** So many bytes tell what content is: the mark of a tar file ends at 262. */
const START_BYTES = 1024;

/** Searches content that arrives in pieces. Keeps an archive in memory, up to a limit, to unpack and search it at the end. */
export class Content {
  readonly #finder = new Finder();
  /** Until there is enough of it to know what this is; null from then on. */
  #start: Buffer | null = Buffer.alloc(0);
  #pieces: Buffer[] = [];
  /** How many bytes belong to an archive. */
  #packed = 0;
  /** `inside`: a zip file behind something else, as in a program that unpacks itself. */
  #container: 'no' | 'yes' | 'inside' = 'no';
  /** The last bytes, in which the header of a zip file may start. */
  #end: Buffer = Buffer.alloc(0);
  #closed: Closed | null = null;
  #pointer: string | null = null;

  /** The hits so far. `piece` can be reused after the call. */
  feed(piece: Buffer): Hit[] {
    if (this.#start === null) this.#take(piece);
    else if (this.#start.length === 0 && piece.length >= START_BYTES) this.#takeStart(piece);
    else {
      this.#start = this.#start.length === 0 ? Buffer.from(piece) : Buffer.concat([this.#start, piece]);
      if (this.#start.length >= START_BYTES) this.#takeStart(this.#start);
    }
    return this.#finder.feed(piece);
  }

  /** Decides by its first bytes what this is. */
  #takeStart(start: Buffer): void {
    this.#start = null;
    if (kindOf(start) !== null) this.#container = 'yes';
    else this.#closed = closedKind(start);
    if (this.#closed === 'pointer') this.#pointer = pointerOid(start);
    this.#take(start);
  }

  #take(piece: Buffer): void {
    if (this.#container !== 'no') this.#keep(piece);
    else if (this.#closed === null) this.#lookInside(piece);
  }

  #lookInside(piece: Buffer): void {
    const most = ZIP_HEADER.length - 1;
    const isFirst = this.#end.length === 0;
    const split = isFirst ? -1 : zipHeaderIn(Buffer.concat([this.#end, piece.subarray(0, most)]));
    const at = split >= 0 ? 0 : zipHeaderIn(piece);
    if (at >= 0) {
      this.#container = 'inside';
      if (split >= 0) this.#keep(this.#end.subarray(split));
      this.#keep(piece.subarray(at));
    } else if (isFirst) this.#end = Buffer.from(piece.subarray(-most));
    else this.#end = Buffer.concat([this.#end, piece.subarray(-most)]).subarray(-most);
  }

  #keep(piece: Buffer): void {
    this.#packed += piece.length;
    if (this.#packed <= MAX_CONTAINER_BYTES) this.#pieces.push(Buffer.from(piece));
  }

  end(): Hit[] {
    if (this.#start !== null) this.#takeStart(this.#start);
    return this.#finder.end();
  }

  /** What was passed over. Known after {@link members}. */
  get closed(): Closed | null {
    return this.#closed;
  }

  /** The object that a pointer of Git LFS names. */
  get pointer(): string | null {
    return this.#pointer;
  }

  /** Searches the members of an archive. Call it after {@link end}. `file` is the name of the archive. */
  async *members(file: string): AsyncGenerator<Finding> {
    if (this.#container === 'no') return;
    const bytes = Buffer.concat(this.#pieces);
    this.#pieces = [];
    if (this.#packed > MAX_CONTAINER_BYTES) {
      if (this.#container === 'inside') this.#closed = 'archive';
      else yield { kind: 'unreadable', file, why: `archive of more than ${MAX_CONTAINER_BYTES >> 20} MiB` };
      return;
    }
    // A program may hold the letters of the header without being an archive: then what cannot be unpacked says nothing.
    const isArchive = this.#container === 'yes' || isWholeZip(bytes);
    for await (const each of unpacked(file, bytes)) if (isArchive || each.kind === 'hit') yield each;
  }
}

/** All findings in content that arrives in pieces. */
export async function* searchPieces(file: string, pieces: Iterable<Buffer>): AsyncGenerator<Finding> {
  const content = new Content();
  for (const piece of pieces) for (const hit of content.feed(piece)) yield { kind: 'hit', file, hit };
  for (const hit of content.end()) yield { kind: 'hit', file, hit };
  yield* content.members(file);
}
