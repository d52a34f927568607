import os from 'node:os';
import path from 'node:path';
import { KeysError } from '../domain/errors.js';

// What the process is told about its surroundings, checked: a variable may be empty, a directory gone, a user without a name.

/** What `os.homedir` answers where `HOME` is set: loading `node:os` for it would cost every start. */
function homeVariable(): string {
  return process.platform === 'win32' ? '' : (process.env.HOME ?? '');
}

/**
 * The home directory: `HOME`, or else that of the password entry. A `HOME` that is not absolute is ignored: it would make a file of the
 * working directory the user's configuration, which names programs to run. Throws `usage` when there is no home directory.
 */
export function homeDirectory(): string {
  for (const find of [homeVariable, () => os.homedir(), () => os.userInfo().homedir]) {
    try {
      const home = find();
      if (path.isAbsolute(home)) return home;
    } catch {
      // a user without a password entry
    }
  }
  throw new KeysError(
    'usage',
    'there is no home directory: HOME is not an absolute path, and the password file names none',
    'set HOME, or UNLOCKOS_KEYS_CONFIG_DIR and --store',
  );
}

/** The working directory. Throws `usage` when it was deleted. */
export function workingDirectory(): string {
  try {
    return process.cwd();
  } catch (error) {
    throw new KeysError('usage', 'the working directory does not exist any more', 'change to one that exists', {
      cause: error,
    });
  }
}
