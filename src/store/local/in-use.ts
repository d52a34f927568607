import { KeysError } from '../../domain/errors.js';
import { safeText } from '../../domain/text.js';
import { isNoDatabase } from '../errors.js';
import { type FileIdentity, isSameFile } from './path-safety.js';

/** The names under which connections of this process have a file open, by its identity. */
const inUse = new Map<string, string[]>();

const named = ({ dev, ino }: FileIdentity): string => `${dev}:${ino}`;

/** To be called once a connection is open. */
export function noteUse(identity: FileIdentity, location: string): void {
  inUse.set(named(identity), [...(inUse.get(named(identity)) ?? []), location]);
}

/** To be called once a connection is closed. */
export function endUse(identity: FileIdentity, location: string): void {
  const names = inUse.get(named(identity)) ?? [];
  const left = names.toSpliced(names.indexOf(location), 1);
  if (left.length === 0) inUse.delete(named(identity));
  else inUse.set(named(identity), left);
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
  const old = inUse.get(named(identity))?.find((name) => name !== location && !isSameFile(name, identity));
  if (old === undefined || isOurWord(error) || isNoDatabase(error)) return error;
  return new KeysError(
    'store_unavailable',
    `${safeText(location)} was moved there, and this process still has it open as ${safeText(old)}`,
    'close the store that was opened by the old name, then open this one',
    { cause: error },
  );
}
