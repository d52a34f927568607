import { KeysError } from '../../domain/errors.js';
import { quoted } from '../../domain/text.js';

/** The environment variable that programs look for their key string in. */
export const DEFAULT_VARIABLE = 'UNLOCKOS_API_KEY';

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

/** Returns the name. Throws `usage` when it cannot be the name of a variable. */
export function checkedVariable(name: string, flag: string): string {
  if (!VARIABLE.test(name))
    throw new KeysError(
      'usage',
      `${flag}: ${quoted(name)} is not a variable name`,
      'use letters, digits and underscores, e.g. UNLOCKOS_API_KEY',
    );
  return name;
}
