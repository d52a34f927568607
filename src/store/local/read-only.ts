import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import { errnoOf } from '../../files/errno.js';
import { lookFor } from '../../files/exists.js';

/** Why this process cannot write at `place`: the name of the error; null when it can, or when nobody says that it cannot. */
export function hindrance(place: string): string | null {
  try {
    accessSync(place, constants.W_OK);
    return null;
  } catch (error) {
    const code = errnoOf(error);
    return ['EROFS', 'EACCES', 'EPERM'].includes(code) ? code : null;
  }
}

/**
 * True for a store that can only be read as it is: SQLite can make no log beside it, and no log there holds changes. Another machine
 * with the same file system may still write to it, so callers compare {@link lookAt} before and after they read.
 */
export function isStill(file: string): boolean {
  return hindrance(path.dirname(file)) !== null && !lookAt(file).logged;
}

/** What is watched of a file beside its identity: when it was written to, and which files its write-ahead log and its index are. */
export interface FileLook {
  readonly written: string | null;
  readonly log: string | null;
  readonly index: string | null;
  /** Whether there is anything in that log. */
  readonly logged: boolean;
}

export function lookAt(file: string): FileLook {
  const main = lookFor(file);
  const log = lookFor(`${file}-wal`);
  const index = lookFor(`${file}-shm`);
  return {
    written: main ? `${main.mtimeMs} ${main.size}` : null,
    log: log && `${log.dev}:${log.ino}`,
    index: index && `${index.dev}:${index.ino}`,
    logged: log !== null && log.size > 0,
  };
}
