import type { ApiKey } from '../domain/api-key.js';
import { KeysError } from '../domain/errors.js';
import type { KeyStore } from '../domain/key-store.js';
import { holdsKeyString, isKeyId, KEY_ID_LENGTH, maskKey, readTypedId } from '../domain/key-string.js';
import { didYouMean } from '../domain/scopes.js';
import { quoted, safeText } from '../domain/text.js';

const MIN_PREFIX = 4;
const MASKED = /^unlk_(?:live|test)_([0-9a-hjkmnp-tv-z]{12})(?:_(?:\u2026|\.\.\.)?)?$/;

function describe(key: ApiKey): string {
  return `  ${maskKey(key.mode, key.id)}  ${safeText(key.name)}`;
}

/**
 * The one key that `ref` means: its id, its exact name, the masked form that lists show, or a prefix of its id (4 characters or more).
 * Throws `usage` for a whole key string (without repeating it), `not_found`, or `ambiguous` with the candidates.
 */
export async function resolveKey(store: KeyStore, ref: string): Promise<ApiKey> {
  if (holdsKeyString(ref)) {
    const id = /unlk_(?:live|test)_([0-9a-z]{12})_/i.exec(ref)?.[1] ?? '';
    throw new KeysError(
      'usage',
      'that is a whole key string: it is now in your shell history and was visible in the process list',
      `name the key by its id, ${id}; if it leaked: unlockos-keys disable ${id}`,
    );
  }
  const masked = MASKED.exec(ref)?.[1];
  const typed = readTypedId(ref);
  const id = masked ?? (isKeyId(typed) ? typed : undefined);
  const prefix =
    !id && typed.length >= MIN_PREFIX && typed.length < KEY_ID_LENGTH && isKeyId(typed.padEnd(KEY_ID_LENGTH, '0'))
      ? typed
      : undefined;
  const found = await store.candidates({ name: ref, limit: 6, ...(id && { id }), ...(prefix && { idPrefix: prefix }) });
  const [only] = found;
  if (only && found.length === 1) return only;
  if (found.length > 1) {
    const shown = found.slice(0, 5).map(describe).join('\n');
    throw new KeysError(
      'ambiguous',
      `${quoted(ref)} could be ${found.length > 5 ? 'more than 5' : found.length} keys:\n${shown}`,
      'name it by its whole id',
    );
  }
  const names = (await store.list({ limit: 500, now: new Date(0) })).keys.map((key) => key.name);
  const guess = didYouMean(ref, names);
  throw new KeysError(
    'not_found',
    `no key ${quoted(ref)}`,
    guess ? `did you mean ${quoted(guess)}?` : 'unlockos-keys list shows the keys there are',
  );
}
