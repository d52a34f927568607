import { randomBytes } from 'node:crypto';
import { crc32 } from './crc32.js';
import { isKeyId, KEY_ID_LENGTH, KEY_STRING_LENGTH, type Mode } from './key-string.js';

// Makes key strings and takes them apart, and reads what people type instead of one.

const SECRET_LENGTH = 32;
const BODY_LENGTH = 55;

/** Lower case without i, l, o and u, so that an id can be read aloud and typed. 32 characters: five random bits each, without bias. */
const ID_ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** The value of each base62 digit, by its code. */
const DIGIT_VALUE = Array.from({ length: 123 }, (_, code) => BASE62.indexOf(String.fromCharCode(code)));

const KEY_STRING = /^unlk_(live|test)_([0-9a-hjkmnp-tv-z]{12})_([0-9A-Za-z]{32})([0-9A-Za-z]{6})$/;

/** A source of cryptographically secure random bytes. */
export type RandomBytes = (size: number) => Uint8Array;

export interface KeyStringParts {
  readonly mode: Mode;
  readonly id: string;
  /** The 32 random characters. Never stored, logged or shown. */
  readonly secret: string;
  /** Everything before the checksum; the guard tag is computed from it. */
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

/** The value of six base62 digits, which may exceed 32 bits. */
function fromBase62(digits: string): number {
  let value = 0;
  for (let i = 0; i < digits.length; i++) value = value * 62 + (DIGIT_VALUE[digits.charCodeAt(i)] as number);
  return value;
}

/** The six check characters for the first 55 characters of a key string. */
export function checksum(body: string): string {
  return base62(crc32(body), 6);
}

function randomId(random: RandomBytes): string {
  let id = '';
  for (const byte of random(KEY_ID_LENGTH)) id += ID_ALPHABET.charAt(byte & 31);
  return id;
}

/** Rejection sampling: 248 is the largest multiple of 62 in a byte. Using bytes from 248 up would favour the first eight characters. */
function randomSecret(random: RandomBytes): string {
  let secret = '';
  while (secret.length < SECRET_LENGTH) {
    for (const byte of random(SECRET_LENGTH + 8)) {
      if (byte < 248 && secret.length < SECRET_LENGTH) secret += BASE62.charAt(byte % 62);
    }
  }
  return secret;
}

/** Creates a key string with a random id (60 bits) and secret (190 bits). */
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
 * Parses a key string. Checks type, length, pattern and checksum, in that order, so that a long text costs nothing. The text is not
 * trimmed, case-folded or normalized. The parts are those of a key string that the tool printed only when `ok` is true.
 */
export function parseKeyString(text: unknown): ParsedKeyString {
  if (typeof text !== 'string' || text.length !== KEY_STRING_LENGTH) return { ok: false, problem: 'shape' };
  const match = KEY_STRING.exec(text);
  if (!match) return { ok: false, problem: 'shape' };
  const [, mode, id, secret, check] = match as unknown as [string, Mode, string, string, string];
  const body = text.slice(0, BODY_LENGTH);
  if (crc32(body) !== fromBase62(check)) return { ok: false, problem: 'checksum', mode, id };
  return { ok: true, mode, id, secret, body };
}

/** The characters at the position of the id. Does not check that `text` is a key string. */
export function idWithin(text: string): string {
  return text.slice(10, 10 + KEY_ID_LENGTH);
}

const MASKED = /^unlk_(?:live|test)_([0-9a-z]{12})(?:_(?:\u2026|\.{3})?)?$/i;

/** The key id in a masked key string, with or without its ending (`_…`); null for any other text. */
export function maskedId(text: string): string | null {
  const id = MASKED.exec(text)?.[1]?.toLowerCase();
  return id !== undefined && isKeyId(id) ? id : null;
}

/** Normalizes a typed id: lower case, i and l to 1, o to 0 (Crockford's base 32, https://www.crockford.com/base32.html). */
export function readTypedId(text: string): string {
  return text.toLowerCase().replace(/[il]/g, '1').replace(/o/g, '0');
}
