import { kindOf, MAX_CONTAINER_BYTES, unpacked } from './archives.js';
import { Finder, type Hit } from './finder.js';
import type { Finding } from './finding.js';

/** Searches content that arrives in pieces. Keeps an archive in memory, up to a limit, to unpack and search it at the end. */
export class Content {
  readonly #finder = new Finder();
  #pieces: Buffer[] = [];
  #length = 0;
  #isContainer = false;

  /** The hits so far. `piece` can be reused after the call. */
  feed(piece: Buffer): Hit[] {
    if (this.#length === 0) this.#isContainer = kindOf(piece) !== null;
    this.#length += piece.length;
    if (this.#isContainer && this.#length <= MAX_CONTAINER_BYTES) this.#pieces.push(Buffer.from(piece));
    return this.#finder.feed(piece);
  }

  end(): Hit[] {
    return this.#finder.end();
  }

  /** Searches the members of an archive. Call it after {@link end}. `file` is the name of the archive. */
  async *members(file: string): AsyncGenerator<Finding> {
    if (!this.#isContainer) return;
    if (this.#length > MAX_CONTAINER_BYTES)
      return yield { kind: 'unreadable', file, why: `archive of more than ${MAX_CONTAINER_BYTES >> 20} MiB` };
    const bytes = Buffer.concat(this.#pieces);
    this.#pieces = [];
    yield* unpacked(file, bytes);
  }
}

/** All findings in content that arrives in pieces. */
export async function* searchPieces(file: string, pieces: Iterable<Buffer>): AsyncGenerator<Finding> {
  const content = new Content();
  for (const piece of pieces) for (const hit of content.feed(piece)) yield { kind: 'hit', file, hit };
  for (const hit of content.end()) yield { kind: 'hit', file, hit };
  yield* content.members(file);
}
