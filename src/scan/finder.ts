import { parseKeyString } from '../domain/key-parts.js';
import { KEY_STRING_LENGTH } from '../domain/key-string.js';
import { BASE64_GATES, decodeAt, MAX_BEFORE_GATE } from './base64.js';
import { isAlphanumeric, MAX_WRITTEN_BYTES, readWritten } from './escapes.js';

/** A key string in a text. It contains the secret, so it must not be shown. */
export interface Hit {
  readonly keyString: string;
  /** `bad`: the key string is mistyped, incomplete or made up. */
  readonly checksum: 'good' | 'bad';
  readonly line: number;
  /** In bytes, from 1. */
  readonly column: number;
}

/** A hit and its position in the bytes that are searched. */
interface Place {
  readonly keyString: string;
  readonly checksum: 'good' | 'bad';
  readonly at: number;
}

const START = 'unlk';
const PLAIN = Buffer.from(START);
/** In UTF-16 and UTF-32, in either byte order, and the bytes of a character. */
const WIDE = [2, 4].map((size) => ({ size, text: Buffer.from([...START].join('\0'.repeat(size - 1))) }));
const LINE_END = 10;
/** The most bytes that can belong to a key string: in UTF-32 each character takes four. */
const REACH = 4 * MAX_WRITTEN_BYTES;

/**
 * Finds key strings in bytes that arrive in pieces, even when a key string is split between pieces: plain, escaped, coloured, in UTF-16 and
 * in base64. The characters next to a key string do not matter; the checksum identifies it. Keeps a few kilobytes in memory. Most pieces
 * cost one native search for each of a few letters, and one for line ends.
 */
export class Finder {
  #kept: Buffer = Buffer.alloc(0);
  /** `#kept` was searched up to here. It is kept because a key string may start in it. */
  #searched = 0;
  /** The position of `#kept` in the whole text. */
  #offset = 0;
  /** The line in which `#kept` starts, and how many bytes of it come before. */
  #place = { line: 1, column: 0 };
  /** The positions of the latest hits in the whole text: two parts of a key string can both lead to it. */
  #latest = new Set<number>();

  /** The hits that are complete so far. `piece` can be reused after the call. */
  feed(piece: Buffer): Hit[] {
    const bytes = this.#kept.length === 0 ? piece : Buffer.concat([this.#kept, piece]);
    const last = bytes.length - REACH;
    if (last > this.#searched) return this.#search(bytes, last, Math.max(0, last - MAX_BEFORE_GATE));
    this.#kept = bytes === piece ? Buffer.from(piece) : bytes;
    return [];
  }

  /** The last hits, which are complete only because the text ends. */
  end(): Hit[] {
    return this.#search(this.#kept, this.#kept.length, this.#kept.length);
  }

  /** Searches up to `last`, and keeps what starts at `keep`. */
  #search(bytes: Buffer, last: number, keep: number): Hit[] {
    const hits: Hit[] = [];
    let from = 0;
    let place = this.#place;
    for (const { at, ...found } of placesIn(bytes, this.#searched, last)) {
      if (this.#latest.has(this.#offset + at)) continue;
      this.#latest.add(this.#offset + at);
      place = moved(place, bytes, from, at);
      from = at;
      hits.push({ ...found, line: place.line, column: place.column + 1 });
    }
    this.#place = moved(this.#place, bytes, 0, keep);
    this.#kept = Buffer.from(bytes.subarray(keep)); // a copy, because the piece can be overwritten
    this.#searched = last - keep;
    this.#offset += keep;
    if (this.#latest.size > 0)
      this.#latest = new Set([...this.#latest].filter((start) => start >= this.#offset - MAX_BEFORE_GATE));
    return hits;
  }
}

/** Moves a position (the line, and the bytes in that line) over `bytes[from, to)`. */
function moved(start: { line: number; column: number }, bytes: Buffer, from: number, to: number) {
  let { line } = start;
  let lineStart = from - start.column;
  for (let at = bytes.indexOf(LINE_END, from); at >= 0 && at < to; at = bytes.indexOf(LINE_END, at + 1)) {
    line += 1;
    lineStart = at + 1;
  }
  return { line, column: to - lineStart };
}

/** The key strings whose mark (`unlk`, or a part of it in base64) is in `bytes[from, to)`, in order. */
function placesIn(bytes: Buffer, from: number, to: number): Place[] {
  const places: Place[] = [];
  const add = (place: Place | null) => {
    if (place !== null) places.push(place);
  };
  for (let at = bytes.indexOf(PLAIN, from); at >= 0 && at < to; at = bytes.indexOf(PLAIN, at + 1))
    add(placeOf(bytes, at, at));
  const nul = bytes.indexOf(0, from);
  for (const { size, text } of nul >= 0 ? WIDE : [])
    for (let at = bytes.indexOf(text, from); at >= 0 && at < to; at = bytes.indexOf(text, at + 1))
      add(placeOfWide(bytes, at, at, size));
  for (const gate of BASE64_GATES) {
    for (let at = bytes.indexOf(gate.text, from); at >= 0 && at < to; at = bytes.indexOf(gate.text, at + 1)) {
      const decoded = decodeAt(bytes, at, gate);
      if (decoded === null) continue;
      add((gate.wide ? placeOfWide : placeOf)(decoded.bytes, decoded.at, decoded.start));
    }
  }
  return places.sort((a, b) => a.at - b.at);
}

/** The key string at `start` in `bytes`, which is at `at` in the whole text; null for anything else. */
function placeOf(bytes: Buffer, start: number, at: number): Place | null {
  const written = readWritten(bytes, start);
  if (written === null || written === 'cut') return null;
  const parsed = parseKeyString(written.text);
  if (parsed.ok) return { keyString: written.text, checksum: 'good', at };
  if (parsed.problem === 'shape' || written.length !== KEY_STRING_LENGTH) return null;
  const after = bytes[start + KEY_STRING_LENGTH];
  if (after !== undefined && (isAlphanumeric(after) || after === 95)) return null;
  return { keyString: written.text, checksum: 'bad', at };
}

/** The same for characters of `size` bytes. Most key strings are as short as they can be, so a short piece is tried first. */
function placeOfWide(bytes: Buffer, start: number, at: number, size = 2): Place | null {
  const short = narrowed(bytes, start, KEY_STRING_LENGTH + 1, size);
  return placeOf(readWritten(short, 0) === 'cut' ? narrowed(bytes, start, MAX_WRITTEN_BYTES, size) : short, 0, at);
}

/** UTF-16 or UTF-32 as one byte a character, up to the first character that does not fit into one. */
function narrowed(bytes: Buffer, from: number, limit: number, size: number): Buffer {
  const narrow: number[] = [];
  for (let at = from; at < bytes.length && narrow.length < limit; at += size) {
    narrow.push(bytes[at] as number);
    if (bytes.subarray(at + 1, at + size).some((byte) => byte !== 0) || at + 1 >= bytes.length) break;
  }
  return Buffer.from(narrow);
}
