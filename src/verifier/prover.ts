import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { KeysError } from '../domain/errors.js';
import type { KeyStringParts } from '../domain/key-parts.js';
import type { Peppers } from '../domain/peppers.js';
import { readHashScheme } from '../domain/secret-hash.js';
import type { BcryptThread } from '../hashing/bcrypt-thread.js';
import { makeRoom } from './make-room.js';

const MAX_WAITING = 64;
const DIGEST_LENGTH = 64;

interface Proof {
  readonly hash: string;
  readonly digest: Buffer;
}

/**
 * Proves secrets against stored hashes: once by bcrypt, in a thread, or by HMAC; after that by a digest with a salt of this process. It
 * caches that a secret is right, never what the key may do: that is read on every call.
 */
export class Prover {
  readonly #salt = randomBytes(32).toString('base64'); // ASCII, like the secret: no conversion before hashing
  readonly #scratch = Buffer.alloc(DIGEST_LENGTH);
  readonly #proofs = new Map<string, Proof>();
  readonly #inProgress = new Map<string, Promise<boolean>>();
  readonly #peppers: Peppers;
  readonly #bcrypt: BcryptThread;
  #waiting = 0;

  constructor(peppers: Peppers, bcrypt: BcryptThread) {
    this.#peppers = peppers;
    this.#bcrypt = bcrypt;
  }

  /** How many keys wait for bcrypt. */
  get waiting(): number {
    return this.#waiting;
  }

  /** How many proofs are cached. */
  get cached(): number {
    return this.#proofs.size;
  }

  /** In hexadecimal: getting a buffer out of OpenSSL takes twice as long as the rest of this method. */
  #digest(keyString: string): string {
    return hash('sha256', this.#salt + keyString, 'hex');
  }

  /** Whether a proof for this id is cached. If so, {@link known} can compare key strings with it. */
  knows(id: string): boolean {
    return this.#proofs.has(id);
  }

  /**
   * Whether this key string was proven against `stored` before; undefined when no proof against `stored` is cached. The digest covers every
   * character, so a match also means that shape, checksum and mode are right.
   */
  known(id: string, keyString: string, stored: string): boolean | undefined {
    const proof = this.#proofs.get(id);
    if (proof === undefined || proof.hash !== stored) return undefined;
    this.#scratch.write(this.#digest(keyString), 'latin1');
    return timingSafeEqual(proof.digest, this.#scratch);
  }

  /**
   * Proves the secret of a well-formed key string that matches the guard tag. False for a hash of an unknown form. Throws `pepper_missing`;
   * rejects with `store_busy` when too many keys wait for bcrypt.
   */
  prove(parts: KeyStringParts, keyString: string, stored: string): boolean | Promise<boolean> {
    const read = readHashScheme(stored);
    if (read.scheme === 'bcrypt') return this.#proveByBcrypt(parts, keyString, stored);
    if (read.scheme !== 'hmac-sha256' || !this.#peppers.matches(read.pepper, parts.body, read.digest)) return false;
    this.#cache(parts.id, { hash: stored, digest: Buffer.from(this.#digest(keyString), 'latin1') });
    return true;
  }

  async #proveByBcrypt({ id, secret }: KeyStringParts, keyString: string, stored: string): Promise<boolean> {
    const digest = this.#digest(keyString);
    const job = `${stored}\0${digest}`;
    const inProgress = this.#inProgress.get(job);
    if (inProgress) return inProgress;
    if (this.#waiting >= MAX_WAITING)
      throw new KeysError('store_busy', `too many keys wait for bcrypt (${MAX_WAITING})`, 'try again in a moment');
    this.#waiting += 1;
    const proving = this.#bcrypt
      .matches(secret, stored)
      .then((matches) => {
        if (matches) this.#cache(id, { hash: stored, digest: Buffer.from(digest, 'latin1') });
        return matches;
      })
      .finally(() => {
        this.#waiting -= 1;
        this.#inProgress.delete(job);
      });
    this.#inProgress.set(job, proving);
    return proving;
  }

  #cache(id: string, proof: Proof): void {
    this.#proofs.delete(id);
    makeRoom(this.#proofs);
    this.#proofs.set(id, proof);
  }
}
