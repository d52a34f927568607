import { mkdirSync, statSync } from 'node:fs';
import path from 'node:path';

function isDirectory(name: string): boolean {
  return statSync(name, { throwIfNoEntry: false })?.isDirectory() === true;
}

/**
 * Makes a directory for this user alone, and those above it that are missing. Throws what the file system says of the first that it could
 * not make; Node's own recursion says ENOENT where the file system is read-only.
 */
export function makeDirectory(directory: string): void {
  if (isDirectory(directory)) return;
  const parent = path.dirname(directory);
  if (parent !== directory) makeDirectory(parent);
  try {
    mkdirSync(directory, { mode: 0o700 });
  } catch (error) {
    if (!isDirectory(directory)) throw error; // another process may have made it
  }
}
