import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

/**
 * The key string: `unlk_<mode>_<id:12>_<secret:32><check:6>`, always 61 ASCII characters.
 *
 * The checksum follows GitHub's idea (CRC-32 in base62, six digits, https://github.blog/2021-04-05-behind-githubs-new-authentication-token-formats/)
 * but covers the whole text before it, so that a key relabelled from test to live fails offline. It finds typing errors and cuts
 * false positives in scanners; it authenticates nothing.
 */
export type Mode = 'live' | 'test';
export const MODES: readonly Mode[] = ['live', 'test'];

export const KEY_STRING_LENGTH = 61;
export const KEY_ID_LENGTH = 12;
const SECRET_LENGTH = 32;
const BODY_LENGTH = 55;

/** Lower case without i, l, o and u: it can be read aloud and typed. 32 letters, so five random bits each, without bias. */
const ID_ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** The value of each base62 digit, by its code. */
const DIGIT_VALUE = Array.from({ length: 123 }, (_, code) => BASE62.indexOf(String.fromCharCode(code)));

const KEY_STRING = /^unlk_(live|test)_([0-9a-hjkmnp-tv-z]{12})_([0-9A-Za-z]{32})([0-9A-Za-z]{6})$/;
const KEY_ID = /^[0-9a-hjkmnp-tv-z]{12}$/;

/** For scanners and redactors: finds key strings inside other text, whether or not their checksum is right. RE2-safe. */
export const KEY_STRING_IN_TEXT = /\bunlk_(?:live|test)_[0-9a-hjkmnp-tv-z]{12}_[0-9A-Za-z]{38}\b/g;

/** What may be a key string, or most of one: cut, grown or mistyped, it still gives its secret away. For refusing and masking. */
const NEARLY_A_KEY_STRING = /unlk_(?:live|test)_[0-9a-z]{12}_[0-9a-z]{6,}/gi;

/** A source of cryptographically secure random bytes. */
export type RandomBytes = (size: number) => Uint8Array;

export interface KeyStringParts {
  readonly mode: Mode;
  readonly id: string;
  /** The 32 random characters. Never stored, logged or shown. */
  readonly secret: string;
  /** Everything before the checksum: what the guard tag is made from. */
  readonly body: string;
}

export type ParsedKeyString =
  | ({ readonly ok: true } & KeyStringParts)
  | { readonly ok: false; readonly problem: 'shape' }
  | { readonly ok: false; readonly problem: 'checksum'; readonly mode: Mode; readonly id: string };

function base62(value: number, width: number): string {
  let digits = '';
  for (let rest = value; rest > 0; rest = Math.floor(rest / 62)) digits = BASE62.charAt(rest % 62) + digits;
  return digits.padStart(width, '0');
}

/** The number that six base62 digits write, which may be more than 32 bits. */
function fromBase62(digits: string): number {
  let value = 0;
  for (let i = 0; i < digits.length; i++) value = value * 62 + (DIGIT_VALUE[digits.charCodeAt(i)] as number);
  return value;
}

/** The six check characters for the first 55 characters of a key string. */
export function checksum(body: string): string {
  return base62(crc32(body) >>> 0, 6);
}

function randomId(random: RandomBytes): string {
  let id = '';
  for (const byte of random(KEY_ID_LENGTH)) id += ID_ALPHABET.charAt(byte & 31);
  return id;
}

/** Rejection sampling: 248 is the largest multiple of 62 in a byte; keeping the bytes above it would favour the first eight letters. */
function randomSecret(random: RandomBytes): string {
  let secret = '';
  while (secret.length < SECRET_LENGTH) {
    for (const byte of random(SECRET_LENGTH + 8)) {
      if (byte < 248 && secret.length < SECRET_LENGTH) secret += BASE62.charAt(byte % 62);
    }
  }
  return secret;
}

/** Makes a new key string: 60 bits of id, 190 bits of secret. */
export function mintKeyString(
  mode: Mode,
  random: RandomBytes = randomBytes,
): KeyStringParts & { readonly keyString: string } {
  const id = randomId(random);
  const secret = randomSecret(random);
  const body = `unlk_${mode}_${id}_${secret}`;
  return { mode, id, secret, body, keyString: body + checksum(body) };
}

/**
 * Reads a key string: type, length, anchored pattern, checksum, in that order (length first, so that a megabyte costs nothing).
 * Nothing is trimmed, folded or normalised. Only after `ok` may the parts be trusted to be what the tool once printed.
 */
export function parseKeyString(text: unknown): ParsedKeyString {
  if (typeof text !== 'string' || text.length !== KEY_STRING_LENGTH) return { ok: false, problem: 'shape' };
  const match = KEY_STRING.exec(text);
  if (!match) return { ok: false, problem: 'shape' };
  const [, mode, id, secret, check] = match as unknown as [string, Mode, string, string, string];
  const body = text.slice(0, BODY_LENGTH);
  if (crc32(body) >>> 0 !== fromBase62(check)) return { ok: false, problem: 'checksum', mode, id };
  return { ok: true, mode, id, secret, body };
}

/** Where the id stands in a text of the right length; whether the rest is a key string is not looked at. */
export function idWithin(text: string): string {
  return text.slice(10, 10 + KEY_ID_LENGTH);
}

export function isKeyId(text: string): boolean {
  return KEY_ID.test(text);
}

/** What lists and logs show of a key: mode and id, never a character of the secret. */
export function maskKey(mode: Mode, id: string): string {
  return `unlk_${mode}_${id}_…`;
}

/** True when `text` holds a key string, or so much of one that it must be treated as leaked. */
export function holdsKeyString(text: string): boolean {
  return text.search(NEARLY_A_KEY_STRING) >= 0;
}

/** `text` with every key string in it, cut or mistyped ones included, masked: the last gate before a log or an error. */
export function redactKeyStrings(text: string): string {
  return text.replace(NEARLY_A_KEY_STRING, (found) => `${found.slice(0, 23)}…`);
}

/** An id as people type it: upper case folded, i and l read as 1, o as 0 (Crockford's base 32, https://www.crockford.com/base32.html). */
export function readTypedId(text: string): string {
  return text.toLowerCase().replace(/[il]/g, '1').replace(/o/g, '0');
}
