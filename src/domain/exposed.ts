import { KeysError } from './errors.js';

/**
 * The refusal of a key string where it is no longer secret: on a command line, or in place of a name. It names the key id only, which is
 * public.
 */
export function exposedKeyString(text: string): KeysError {
  const id = /unlk_(?:live|test)_([0-9a-z]{12})_/i.exec(text)?.[1] ?? '';
  return new KeysError(
    'usage',
    'that is a whole key string: it is now in your shell history and was visible in the process list',
    `name the key by its id, ${id}; if it leaked: unlockos-keys disable ${id}\nverify, identify, disable and delete read key strings with --stdin`,
  );
}
