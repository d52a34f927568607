import { readdirSync, type Stats } from 'node:fs';
import path from 'node:path';
import { lookFor } from '../../files/exists.js';

/** What the copy is called that `store restore` writes before it takes the place of the store. */
export function copyNamePrefix(file: string): string {
  return `${path.basename(file)}.restoring-`;
}

const isOurs = (stats: Stats | null | undefined) =>
  stats?.isFile() === true && (process.platform === 'win32' || stats.uid === process.getuid?.());

/**
 * The copies that restores of this store have made and not used, with their side files: one that goes on now, or was killed. A copy holds every
 * hash. Files of other users are left out.
 */
export function leftCopies(file: string): string[] {
  const folder = path.dirname(file);
  const prefix = copyNamePrefix(file);
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return []; // a directory that can be entered and not listed
  }
  return names
    .filter((name) => name.startsWith(prefix) && /^[0-9a-f]{8}(-journal|-wal|-shm)?$/.test(name.slice(prefix.length)))
    .map((name) => path.join(folder, name))
    .filter((each) => isOurs(lookFor(each)))
    .sort();
}
