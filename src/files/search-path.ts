import path from 'node:path';

/** Where programs are on every Unix; what an empty list must not be, because it stands for the working directory. */
const USUAL = '/usr/bin:/bin';

/**
 * `PATH` for a program that we start by its name alone, in a directory that may be somebody else's: without `.`, empty and other relative
 * entries, which would find a program there.
 */
export function absolutePath(searchPath: string | undefined): string {
  const absolute = (searchPath ?? '').split(path.delimiter).filter((each) => path.isAbsolute(each));
  return absolute.length === 0 ? USUAL : absolute.join(path.delimiter);
}
