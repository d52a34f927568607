import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { KeysError } from './errors.js';
import { isKeyId } from './key-string.js';
import { quoted } from './text.js';

const ID_LENGTH = 8;
const KEY_BYTES = 32;
/** More than any team needs. A longer file is not a pepper file. */
const MAX_PEPPERS = 100;
const FORM = 'each line holds a pepper: an id of 8 characters, a space, and 43 characters of base64url';

/** True for 8 characters of the alphabet of key ids. */
export function isPepperId(text: string): boolean {
  return text.length === ID_LENGTH && isKeyId(text.padEnd(12, '0'));
}

/** Creates a pepper: 32 random bytes with a random id. `line` is its line in a pepper file. */
export function newPepper(random: (size: number) => Uint8Array = randomBytes): { id: string; line: string } {
  const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'; // 32 characters: five random bits each, without bias
  const id = [...random(ID_LENGTH)].map((byte) => alphabet[byte & 31]).join('');
  return { id, line: `${id} ${Buffer.from(random(KEY_BYTES)).toString('base64url')}\n` };
}

/**
 * Secrets that are kept outside the store. Somebody who has the table but no pepper can neither check a guess nor add a row that
 * verifies. Each pepper has an id, so that hashes made with an older one still verify while keys move to a newer one.
 *
 * A key whose pepper is lost can never be verified again.
 */
export class Peppers {
  readonly #keys: ReadonlyMap<string, Buffer>;

  private constructor(keys: ReadonlyMap<string, Buffer>) {
    this.#keys = keys;
  }

  static readonly none = new Peppers(new Map());

  /** Parses a pepper file: one pepper per line, the newest last; `#` starts a comment. Throws `usage` without repeating the file. */
  static parse(text: string, source: string): Peppers {
    const keys = new Map<string, Buffer>();
    for (const [index, whole] of text.split('\n').entries()) {
      const line = whole.trim();
      if (line === '' || line.startsWith('#')) continue;
      const wrong = (why: string) => new KeysError('usage', `line ${index + 1} of ${source} ${why}`, FORM);
      const match = /^([0-9a-z]{8})[ \t]+([A-Za-z0-9_-]{43})$/.exec(line);
      if (!match?.[1] || !match[2] || !isPepperId(match[1])) throw wrong('is not a pepper');
      const key = Buffer.from(match[2], 'base64url');
      if (key.toString('base64url') !== match[2]) throw wrong('is not a pepper');
      if (keys.has(match[1])) throw wrong(`repeats the id ${match[1]}`);
      keys.set(match[1], key);
      if (keys.size > MAX_PEPPERS) throw new KeysError('usage', `${source} holds more than 100 peppers`, FORM);
    }
    return new Peppers(keys);
  }

  /** The pepper ids, oldest first. */
  get ids(): string[] {
    return [...this.#keys.keys()];
  }

  has(id: string): boolean {
    return this.#keys.has(id);
  }

  /** Throws `pepper_missing` when the scheme uses a pepper that is not among these. */
  assertFor(scheme: string): void {
    const pepper = /^hmac-sha256:(.*)$/.exec(scheme)?.[1];
    if (pepper !== undefined) this.#key(pepper);
  }

  #key(id: string): Buffer {
    const key = this.#keys.get(id);
    if (key) return key;
    throw new KeysError(
      'pepper_missing',
      `the keys in this store are hashed with pepper ${quoted(id)}, which is missing`,
      'set UNLOCKOS_KEYS_PEPPER_FILE, or pepperFile in the profile, to the pepper file; see: unlockos-keys store hash',
    );
  }

  /**
   * HMAC-SHA-256 of a key string's first 55 characters. They include its mode and id, so that a hash copied to another row does not
   * verify there. Throws `pepper_missing`.
   */
  digest(id: string, body: string): Uint8Array {
    return createHmac('sha256', this.#key(id)).update(`unlockos-keys/hmac/v1\0${body}`).digest();
  }

  /** True when `digest` is the digest of `body`. Compares in constant time. Throws `pepper_missing`. */
  matches(id: string, body: string, digest: Uint8Array): boolean {
    const expected = this.digest(id, body);
    return digest.length === expected.length && timingSafeEqual(digest, expected);
  }

  /** Ids only, so that logging the object reveals no pepper. */
  toJSON(): string[] {
    return this.ids;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return `Peppers(${this.ids.join(', ')})`;
  }
}
