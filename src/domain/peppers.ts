import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { KeysError } from './errors.js';
import { isKeyId } from './key-string.js';
import { quoted } from './text.js';

const ID_LENGTH = 8;
const KEY_BYTES = 32;
/** Many more than anybody rotates to; a file beyond it is something else. */
const MAX_PEPPERS = 100;
const FORM = 'each line is a pepper: its id of 8 characters, a blank, and 43 characters of base64url';

/** Of the same characters as key ids, so that it reads aloud and needs no quoting anywhere. */
export function isPepperId(text: string): boolean {
  return text.length === ID_LENGTH && isKeyId(text.padEnd(12, '0'));
}

/** A new pepper as a line of a pepper file: 32 random bytes under a random id. */
export function newPepper(random: (size: number) => Buffer = randomBytes): { id: string; line: string } {
  const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'; // 32 of them, so that five bits are one, without a remainder
  const id = [...random(ID_LENGTH)].map((byte) => alphabet[byte & 31]).join('');
  return { id, line: `${id} ${random(KEY_BYTES).toString('base64url')}\n` };
}

/**
 * Secrets that stand beside a store, never in it: whoever has the table but no pepper can neither test a guess nor make a row that
 * verifies. Each has an id, so that hashes made with an older one stay readable while keys move on to a newer.
 *
 * Losing a pepper loses every key that was hashed with it.
 */
export class Peppers {
  readonly #keys: ReadonlyMap<string, Buffer>;

  private constructor(keys: ReadonlyMap<string, Buffer>) {
    this.#keys = keys;
  }

  static readonly none = new Peppers(new Map());

  /** Reads the text of a pepper file: one a line, the newest last; `#` begins a comment. Throws `usage` without repeating any of it. */
  static parse(text: string, source: string): Peppers {
    const keys = new Map<string, Buffer>();
    for (const [index, whole] of text.split('\n').entries()) {
      const line = whole.trim();
      if (line === '' || line.startsWith('#')) continue;
      const wrong = (why: string) => new KeysError('usage', `line ${index + 1} of ${source} ${why}`, FORM);
      const match = /^([0-9a-z]{8})[ \t]+([A-Za-z0-9_-]{43})$/.exec(line);
      if (!match?.[1] || !match[2] || !isPepperId(match[1])) throw wrong('is no pepper');
      const key = Buffer.from(match[2], 'base64url');
      if (key.toString('base64url') !== match[2]) throw wrong('is no pepper');
      if (keys.has(match[1])) throw wrong(`repeats the id ${match[1]}`);
      keys.set(match[1], key);
      if (keys.size > MAX_PEPPERS) throw new KeysError('usage', `${source} holds too many peppers`, FORM);
    }
    return new Peppers(keys);
  }

  /** Oldest first. */
  get ids(): string[] {
    return [...this.#keys.keys()];
  }

  has(id: string): boolean {
    return this.#keys.has(id);
  }

  /** Throws `pepper_missing` unless hashes of this scheme can be made and read. */
  assertFor(scheme: string): void {
    const pepper = /^hmac-sha256:(.*)$/.exec(scheme)?.[1];
    if (pepper !== undefined) this.#key(pepper);
  }

  #key(id: string): Buffer {
    const key = this.#keys.get(id);
    if (key) return key;
    throw new KeysError(
      'pepper_missing',
      `keys of this store are hashed with pepper ${quoted(id)}, which is not at hand`,
      'UNLOCKOS_KEYS_PEPPER_FILE, or pepperFile in the profile, names the file of peppers; unlockos-keys store hash',
    );
  }

  /**
   * HMAC-SHA-256 of a key string's first 55 characters, which hold its mode and id: a hash that is copied to another row proves nothing
   * there. Throws `pepper_missing`.
   */
  digest(id: string, body: string): Buffer {
    return createHmac('sha256', this.#key(id)).update(`unlockos-keys/hmac/v1\0${body}`).digest();
  }

  /** Throws `pepper_missing`. */
  matches(id: string, body: string, digest: Buffer): boolean {
    const expected = this.digest(id, body);
    return digest.length === expected.length && timingSafeEqual(digest, expected);
  }

  /** Never printed, by whatever prints objects. */
  toJSON(): string[] {
    return this.ids;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return `Peppers(${this.ids.join(', ')})`;
  }
}
