import { closeSync, openSync, readSync } from 'node:fs';
import { KeysError } from '../../domain/errors.js';
import { safeText } from '../../domain/text.js';
import { isNoDatabase } from '../errors.js';
import { LOG_VERSIONS } from './engines/engine.js';
import { type FileIdentity, isSameFile } from './path-safety.js';

interface Use {
  /** The names under which connections of this process have a file open. */
  readonly names: string[];
  /** To read its header by; null until that is asked for. */
  descriptor: number | null;
}

/** By the identity of the file. */
const inUse = new Map<string, Use>();

const named = ({ dev, ino, born }: FileIdentity): string => `${dev}:${ino}:${born}`;

/** To be called once a connection is open. */
export function noteUse(identity: FileIdentity, location: string): void {
  const use = inUse.get(named(identity));
  if (use) use.names.push(location);
  else inUse.set(named(identity), { names: [location], descriptor: null });
}

/** To be called once a connection is closed. */
export function endUse(identity: FileIdentity, location: string): void {
  const use = inUse.get(named(identity));
  if (!use) return;
  use.names.splice(use.names.indexOf(location), 1);
  if (use.names.length > 0) return;
  inUse.delete(named(identity));
  if (use.descriptor !== null) closeSync(use.descriptor);
}

/**
 * Whether a database that a connection of this process has open says in its header that it has a write-ahead log; false for a file that is being
 * written anew. Its descriptor is closed with the last connection: to close one drops all locks of this process on the file.
 */
export function stillSaysThatItLogs(identity: FileIdentity, location: string): boolean {
  const use = inUse.get(named(identity));
  if (!use) return true;
  use.descriptor ??= openSync(location, 'r');
  const bytes = Buffer.alloc(LOG_VERSIONS.length);
  return readSync(use.descriptor, bytes, 0, bytes.length, LOG_VERSIONS[0]) === bytes.length && bytes.includes(2);
}

/** Whether a connection of this process has the file open. */
export function isInUse(identity: FileIdentity): boolean {
  return inUse.has(named(identity));
}

/** In the wrong log a store can look like no store, or like that of another program. */
const isOurWord = (error: unknown) =>
  error instanceof KeysError && error.code !== 'store_foreign' && error.code !== 'store_missing';

/** SQLite keeps one index of the log for a file, whatever its names: while an older name is in use, it looks for pages in the wrong log. */
export function openByOldName(error: unknown, location: string, identity: FileIdentity): unknown {
  const old = inUse.get(named(identity))?.names.find((name) => name !== location && !isSameFile(name, identity));
  if (old === undefined || isOurWord(error) || isNoDatabase(error)) return error;
  return new KeysError(
    'store_unavailable',
    `${safeText(location)} was moved there, and this process still has it open as ${safeText(old)}`,
    'close the store that was opened by the old name, then open this one',
    { cause: error },
  );
}

/** The error where {@link stillSaysThatItLogs} says no beside a log with changes. */
export function fileOverwritten(name: string): KeysError {
  return new KeysError(
    'store_unavailable',
    `${name} was written over by another program while it was open, and ${name}-wal holds changes of the store before`,
    'put a backup in its place with: unlockos-keys store restore FILE',
  );
}
