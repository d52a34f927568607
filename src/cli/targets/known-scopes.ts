import { KeysError } from '../../domain/errors.js';
import { quoted } from '../../domain/text.js';
import type { Keyring } from '../../keyring/keyring.js';

/** Throws `usage` for scopes that do not exist: what needs a mistyped scope would always be refused, and what lists it never finds a key. */
export async function assertScopesExist(keyring: Keyring, wanted: readonly string[]): Promise<void> {
  const known = new Set((await keyring.scopes()).map(({ scope }) => scope));
  const unknown = [...new Set(wanted)].filter((scope) => !known.has(scope));
  if (unknown.length > 0)
    throw new KeysError(
      'usage',
      `the catalogue has no scope ${unknown.map(quoted).join(', ')}, so no key can have it`,
      'to see all scopes: unlockos-keys scopes list',
    );
}
