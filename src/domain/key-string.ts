/**
 * The key string: `unlk_<mode>_<id:12>_<secret:32><check:6>`, always 61 ASCII characters.
 *
 * The checksum follows GitHub's idea (CRC-32 in base62, six digits, https://github.blog/2021-04-05-behind-githubs-new-authentication-token-formats/)
 * but covers all characters before it, so that a key string changed from test to live fails offline. It catches typing errors and
 * false positives in scanners; it proves nothing about who made the key string.
 */
export type Mode = 'live' | 'test';
export const MODES: readonly Mode[] = ['live', 'test'];

export const KEY_STRING_LENGTH = 61;
export const KEY_ID_LENGTH = 12;
const KEY_ID = /^[0-9a-hjkmnp-tv-z]{12}$/;

/**
 * Finds key strings inside other text, with a valid checksum or not; for scanners and redaction. It does not look at the characters next to
 * them, because escapes such as `\n` and `%3D` end in a letter. RE2-safe.
 */
export const KEY_STRING_IN_TEXT = /unlk_(?:live|test)_[0-9a-hjkmnp-tv-z]{12}_[0-9A-Za-z]{38}/g;

/** Finds key strings that were cut, extended or mistyped, too: they still reveal most of the secret. For refusing and masking. */
const NEARLY_A_KEY_STRING = /unlk_(?:live|test)_[0-9a-z]{12}_[0-9a-z]{6,}/gi;

export function isKeyId(text: string): boolean {
  return KEY_ID.test(text);
}

/** The masked key string for lists and logs: mode and id, no character of the secret. */
export function maskKey(mode: Mode, id: string): string {
  return `unlk_${mode}_${id}_…`;
}

/** False for most texts, which spares them the pattern: compiling it takes longer than searching a short text. */
function mayHoldKeyString(text: string): boolean {
  return text.toLowerCase().includes('unlk_');
}

/** True when `text` contains a key string, or enough of one to treat it as leaked. */
export function holdsKeyString(text: string): boolean {
  return mayHoldKeyString(text) && text.search(NEARLY_A_KEY_STRING) >= 0;
}

/** Masks every key string in `text`, also cut or mistyped ones. For everything that goes into a log or an error. */
export function redactKeyStrings(text: string): string {
  if (!mayHoldKeyString(text)) return text;
  return text.replace(NEARLY_A_KEY_STRING, (found) => `${found.slice(0, 23)}…`);
}
