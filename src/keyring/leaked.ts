import type { ApiKey } from '../domain/api-key.js';
import { KeysError } from '../domain/errors.js';
import { parseKeyString } from '../domain/key-parts.js';
import type { KeyStore } from '../domain/key-store.js';
import type { Peppers } from '../domain/peppers.js';
import { verifyOnce } from '../verifier/verify-once.js';

/**
 * The key that a leaked key string opens, whatever its status. The secret must be right, because anybody can write a key string that
 * contains somebody else's key id. Throws `usage` for a text that is not a key string or was mistyped, `not_found` where the secret is
 * wrong or there is no such key, and `pepper_missing`.
 */
export async function proveLeaked(store: KeyStore, keyString: string, now: Date, peppers: Peppers): Promise<ApiKey> {
  const parsed = parseKeyString(keyString);
  if (!parsed.ok && parsed.problem === 'shape')
    throw new KeysError(
      'usage',
      'the text is not a key string',
      'a key string has 61 characters and begins with unlk_',
    );
  const byId = `to disable that key all the same, name it by its id: unlockos-keys disable ${parsed.id}`;
  if (!parsed.ok)
    throw new KeysError('usage', `the key string of ${parsed.id} has a wrong checksum: it was mistyped or cut`, byId);
  const verdict = await verifyOnce(store, keyString, {}, now, peppers);
  if (verdict.verdict !== 'invalid') return verdict.key;
  throw new KeysError(
    'not_found',
    `the key string of ${parsed.id} is not genuine: there is no such key, or its secret is another`,
    byId,
  );
}
