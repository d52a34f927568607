import { closeSync, openSync, readSync } from 'node:fs';

const PIECE = 1_048_576;

/** A line of a file, without its end. */
export interface Line {
  /** Its number, from 1. */
  readonly number: number;
  readonly bytes: Buffer;
  /** False for a last line that no line feed ends. */
  readonly ended: boolean;
  /** It is longer than the limit, and `bytes` is empty. */
  readonly tooLong: boolean;
}

/** The content of a file, or of a pipe that a path names, piece by piece; each piece is valid until the next is read. Throws what the system says. */
export function* piecesOf(file: string): Generator<Buffer> {
  const descriptor = openSync(file, 'r');
  try {
    const bytes = Buffer.allocUnsafe(PIECE);
    for (;;) {
      const length = readSync(descriptor, bytes);
      if (length === 0) return;
      yield bytes.subarray(0, length);
    }
  } finally {
    closeSync(descriptor);
  }
}

/** The lines of bytes that arrive in pieces. Keeps no more than `limit` bytes of a line. A line feed ends a line, with a carriage return before it or not. */
export function* linesOf(pieces: Iterable<Buffer>, limit: number): Generator<Line> {
  let kept: Buffer[] = [];
  let length = 0;
  let number = 1;
  const keep = (bytes: Buffer) => {
    length += bytes.length;
    if (length <= limit) kept.push(Buffer.from(bytes));
    else kept = [];
  };
  const take = (ended: boolean): Line => {
    const whole = kept.length === 1 ? (kept[0] as Buffer) : Buffer.concat(kept);
    const bytes = whole.at(-1) === 0x0d ? whole.subarray(0, -1) : whole;
    const line = { number, bytes, ended, tooLong: length > limit };
    kept = [];
    length = 0;
    number += 1;
    return line;
  };
  for (const piece of pieces) {
    let from = 0;
    for (let end = piece.indexOf(0x0a); end >= 0; end = piece.indexOf(0x0a, from)) {
      keep(piece.subarray(from, end));
      from = end + 1;
      yield take(true);
    }
    if (from < piece.length) keep(piece.subarray(from));
  }
  if (length > 0) yield take(false);
}
