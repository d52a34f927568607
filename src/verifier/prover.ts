import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { KeysError } from '../domain/errors.js';
import type { KeyStringParts } from '../domain/key-string.js';
import type { Peppers } from '../domain/peppers.js';
import { readHashScheme } from '../domain/secret-hash.js';
import type { BcryptThread } from './bcrypt-thread.js';

const MAX_PROOFS = 10_000;
const MAX_WAITING = 64;
const DIGEST_LENGTH = 64;

interface Proof {
  readonly hash: string;
  readonly digest: Buffer;
}

/**
 * Proves secrets against stored hashes: by bcrypt once, in a thread, or by HMAC, and from then on by a digest that only this process
 * can make. It
 * remembers what was proven, never what a key may do: that is read on every call.
 */
export class Prover {
  readonly #salt = randomBytes(32).toString('base64'); // ASCII, as the secret: both are hashed without being converted
  readonly #scratch = Buffer.alloc(DIGEST_LENGTH);
  readonly #proofs = new Map<string, Proof>();
  readonly #underway = new Map<string, Promise<boolean>>();
  readonly #peppers: Peppers;
  readonly #bcrypt: BcryptThread;
  #waiting = 0;

  constructor(peppers: Peppers, bcrypt: BcryptThread) {
    this.#peppers = peppers;
    this.#bcrypt = bcrypt;
  }

  /** How many keys wait to be proven by bcrypt. */
  get waiting(): number {
    return this.#waiting;
  }

  /** How many proofs are remembered. */
  get remembered(): number {
    return this.#proofs.size;
  }

  /** In hexadecimal: handing a buffer out of OpenSSL takes twice the time of all the rest. */
  #digest(keyString: string): string {
    return hash('sha256', this.#salt + keyString, 'hex');
  }

  /** Something was proven for this id, so its key strings are told from others by {@link known}. */
  knows(id: string): boolean {
    return this.#proofs.has(id);
  }

  /**
   * Whether this very key string was proven against `stored`; undefined where none was. The digest is of all of it, so a match also says
   * that its shape, checksum and mode are right.
   */
  known(id: string, keyString: string, stored: string): boolean | undefined {
    const proof = this.#proofs.get(id);
    if (proof === undefined || proof.hash !== stored) return undefined;
    this.#scratch.write(this.#digest(keyString), 'latin1');
    return timingSafeEqual(proof.digest, this.#scratch);
  }

  /**
   * Proves the secret of a key string that is well-formed and that the guard tag let through. False at once for a hash that nothing here
   * can read. Throws `pepper_missing`; rejects with `store_busy` when too many keys wait for bcrypt.
   */
  prove(parts: KeyStringParts, keyString: string, stored: string): boolean | Promise<boolean> {
    const read = readHashScheme(stored);
    if (read.scheme === 'bcrypt') return this.#proveSlowly(parts, keyString, stored);
    if (read.scheme !== 'hmac-sha256' || !this.#peppers.matches(read.pepper, parts.body, read.digest)) return false;
    this.#remember(parts.id, { hash: stored, digest: Buffer.from(this.#digest(keyString), 'latin1') });
    return true;
  }

  async #proveSlowly({ id, secret }: KeyStringParts, keyString: string, stored: string): Promise<boolean> {
    const digest = this.#digest(keyString);
    const flight = `${stored}\0${digest}`;
    const underway = this.#underway.get(flight);
    if (underway) return underway;
    if (this.#waiting >= MAX_WAITING)
      throw new KeysError(
        'store_busy',
        `${MAX_WAITING} keys wait to be verified for the first time`,
        'try again in a moment',
      );
    this.#waiting += 1;
    const proving = this.#bcrypt
      .matches(secret, stored)
      .then((matches) => {
        if (matches) this.#remember(id, { hash: stored, digest: Buffer.from(digest, 'latin1') });
        return matches;
      })
      .finally(() => {
        this.#waiting -= 1;
        this.#underway.delete(flight);
      });
    this.#underway.set(flight, proving);
    return proving;
  }

  /** The oldest proof gives way: one out for one in, for walking the map at each insertion is what others collapsed under. */
  #remember(id: string, proof: Proof): void {
    this.#proofs.delete(id);
    if (this.#proofs.size >= MAX_PROOFS)
      for (const oldest of this.#proofs.keys()) {
        this.#proofs.delete(oldest);
        break;
      }
    this.#proofs.set(id, proof);
  }
}
