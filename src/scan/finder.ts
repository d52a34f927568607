import { KEY_STRING_LENGTH, parseKeyString } from '../domain/key-string.js';

/** A key string in a text. It holds the secret: it is for verifying, never for showing. */
export interface Hit {
  readonly keyString: string;
  /** A wrong checksum: mistyped, cut, or made up. */
  readonly checksum: 'good' | 'bad';
  readonly line: number;
  /** In bytes, from 1. */
  readonly column: number;
}

const PREFIX = 'unlk_';
const LINE_END = 10;

/** A letter, a digit or an underscore: what may not stand beside a key string, as `\b` has it. */
function isWord(byte: number | undefined): boolean {
  if (byte === undefined) return false;
  return (byte >= 48 && byte <= 57) || (byte >= 65 && byte <= 90) || byte === 95 || (byte >= 97 && byte <= 122);
}

/**
 * Finds key strings in bytes that come in pieces, wherever the cuts are. It keeps no more than a key string's length of what it has seen.
 * Most pieces cost one search for five bytes, and one for line ends.
 */
export class Finder {
  /** What may hold the beginning of a key string. */
  #kept = Buffer.alloc(0);
  /** Where in `#kept` one may begin: the byte before was looked at already, and is there to say whether a word goes on. */
  #from = 0;
  /** The first byte kept is only what stands before the rest: it was looked at. */
  #isContext = false;
  #line = 1;
  /** Bytes of the line before `#kept`. */
  #column = 0;

  /** The hits that are whole by now. */
  feed(piece: Buffer): Hit[] {
    return this.#search(this.#kept.length === 0 ? piece : Buffer.concat([this.#kept, piece]), false);
  }

  /** The hits that only the end has made whole. */
  end(): Hit[] {
    return this.#search(this.#kept, true);
  }

  #search(bytes: Buffer, atEnd: boolean): Hit[] {
    const hits: Hit[] = [];
    // The byte behind a key string decides too, so what lies this near to the end waits for more.
    const last = atEnd ? bytes.length : bytes.length - KEY_STRING_LENGTH - 1;
    let from = 0;
    let keep = atEnd ? bytes.length : Math.max(0, last);
    for (
      let at = bytes.indexOf(PREFIX, this.#isContext ? 1 : 0, 'latin1');
      at >= 0 && at <= last;
      at = bytes.indexOf(PREFIX, at + 1, 'latin1')
    ) {
      const end = at + KEY_STRING_LENGTH;
      const text = bytes.toString('latin1', at, end);
      const parsed = parseKeyString(text);
      if (!parsed.ok && parsed.problem === 'shape') continue;
      if (isWord(bytes[at - 1]) || isWord(bytes[end])) continue;
      this.#walk(bytes, from, at);
      from = at;
      keep = Math.max(keep, end); // or it would be found again
      hits.push({ keyString: text, checksum: parsed.ok ? 'good' : 'bad', line: this.#line, column: this.#column + 1 });
    }
    this.#walk(bytes, from, keep);
    this.#isContext ||= keep > 0;
    this.#kept = Buffer.from(bytes.subarray(keep)); // a copy: the piece may be written over
    return hits;
  }

  /** Moves the place on over `bytes[from, to)`. */
  #walk(bytes: Buffer, from: number, to: number): void {
    let lineStart = from - this.#column;
    for (let at = bytes.indexOf(LINE_END, from); at >= 0 && at < to; at = bytes.indexOf(LINE_END, at + 1)) {
      this.#line += 1;
      lineStart = at + 1;
    }
    this.#column = to - lineStart;
  }
}
