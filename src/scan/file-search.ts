import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { Content } from './content.js';
import type { Finding } from './finding.js';

const CHUNK_BYTES = 1 << 20;

/** The error code of the system, such as `EACCES`. */
export function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown error';
}

/**
 * Searches one file. `path` is in bytes, because file names are not always UTF-8; `flags` are the flags of `open`. Returns true when the
 * file was read.
 */
export async function* searchFile(path: Buffer, flags: number): AsyncGenerator<Finding, boolean> {
  const file = path.toString();
  let descriptor: number;
  try {
    descriptor = openSync(path, flags);
  } catch (error) {
    yield { kind: 'unreadable', file, why: codeOf(error) };
    return false;
  }
  try {
    if (!fstatSync(descriptor).isFile()) {
      yield { kind: 'unreadable', file, why: 'not a regular file' };
      return false;
    }
    const content = new Content();
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    for (let read = 1; read > 0; ) {
      read = readSync(descriptor, chunk, 0, CHUNK_BYTES, null);
      if (read > 0) for (const hit of content.feed(chunk.subarray(0, read))) yield { kind: 'hit', file, hit };
    }
    for (const hit of content.end()) yield { kind: 'hit', file, hit };
    yield* content.members(file);
    return true;
  } catch (error) {
    yield { kind: 'unreadable', file, why: codeOf(error) };
    return false;
  } finally {
    closeSync(descriptor);
  }
}
