import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { Closed } from './closed.js';
import { Content } from './content.js';
import type { Finding } from './finding.js';

const CHUNK_BYTES = 1 << 20;

/** The error code of the system, such as `EACCES`. */
export function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown error';
}

/**
 * Searches one file, as long as it was when it was opened: one that grows all the time would have no end. `path` is in bytes, because file
 * names are not always UTF-8; `flags` are the flags of `open`. Returns what of its content was passed over; null when it was read, and
 * undefined when it could not be.
 */
export async function* searchFile(path: Buffer, flags: number): AsyncGenerator<Finding, Closed | null | undefined> {
  const file = path.toString();
  let descriptor: number;
  try {
    descriptor = openSync(path, flags);
  } catch (error) {
    yield { kind: 'unreadable', file, why: codeOf(error) };
    return undefined;
  }
  try {
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) {
      yield { kind: 'unreadable', file, why: 'not a regular file' };
      return undefined;
    }
    const content = new Content();
    let left = stats.size || Number.POSITIVE_INFINITY; // files of the system, such as those in /proc, have no size
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, left));
    for (let read = 1; read > 0 && left > 0; left -= read) {
      read = readSync(descriptor, chunk, 0, Math.min(CHUNK_BYTES, left), null);
      if (read > 0) for (const hit of content.feed(chunk.subarray(0, read))) yield { kind: 'hit', file, hit };
    }
    for (const hit of content.end()) yield { kind: 'hit', file, hit };
    yield* content.members(file);
    return content.closed;
  } catch (error) {
    yield { kind: 'unreadable', file, why: codeOf(error) };
    return undefined;
  } finally {
    closeSync(descriptor);
  }
}
