import { hash, timingSafeEqual } from 'node:crypto';
import { KeysError } from './errors.js';
import type { KeyStringParts } from './key-parts.js';
import { isPepperId, type Peppers } from './peppers.js';
import { underRealTimers } from './real-time.js';
import { quoted } from './text.js';

/**
 * OWASP's minimum bcrypt cost for passwords. A secret has 190 random bits, so a higher cost adds no security. The guard tag below keeps
 * attackers from making a server compute bcrypt.
 */
export const DEFAULT_BCRYPT_COST = 10;
const MIN_COST = 4;
/** The highest cost that is computed. A stored `$2b$31$…` would run for days; such a row is refused. */
export const MAX_COST = 12;

/** bcrypt silently ignores everything after this many bytes: secrets that differ only there would match. */
const MAX_BCRYPT_BYTES = 72;

/** Loaded at first use: most commands neither hash nor check a secret. */
const bcrypt = () => underRealTimers(() => import('bcryptjs')); // it takes setImmediate when it is loaded, and goes on with it

const BCRYPT_HASH = /^\$2[aby]\$(\d\d)\$[./0-9A-Za-z]{53}$/;

const HMAC_HASH = /^\$hmac-sha256\$v=1,k=([0-9a-z]{8})\$([A-Za-z0-9_-]{43})$/;
const HMAC_HASH_LENGTH = 71;

/** How a store hashes new secrets: `bcrypt`, or `hmac-sha256:` followed by a pepper id. */
export type StoreScheme = 'bcrypt' | `hmac-sha256:${string}`;

export const DEFAULT_SCHEME: StoreScheme = 'bcrypt';

/** Parses the hash scheme of a store; null when this version does not know it. */
export function readStoreScheme(text: string): StoreScheme | null {
  return text === 'bcrypt' || isPepperId(pepperOf(text) ?? '') ? (text as StoreScheme) : null;
}

/** Throws `usage` for a scheme that {@link readStoreScheme} does not know. A store with such a scheme could not be used. */
export function assertStoreScheme(scheme: unknown): void {
  if (typeof scheme !== 'string' || readStoreScheme(scheme) === null)
    throw new KeysError(
      'usage',
      `${typeof scheme === 'string' ? quoted(scheme) : 'a value that is not a string'} is not a hash scheme`,
      'use bcrypt, or hmac-sha256: followed by the 8 characters of a pepper id',
    );
}

/** The pepper id of a scheme; null when the scheme uses no pepper. */
export function pepperOf(scheme: string): string | null {
  return scheme.startsWith('hmac-sha256:') ? scheme.slice('hmac-sha256:'.length) : null;
}

/** The scheme of hashes that begin with `kind` (`$2b$10$`, `$hmac-sha256$v=1,k=…$`), or `unsupported`. */
export function readHashKind(kind: string): string {
  if (/^\$2[aby]\$\d\d\$/.test(kind)) return 'bcrypt';
  const pepper = /^\$hmac-sha256\$v=1,k=([0-9a-z]{8})\$$/.exec(kind)?.[1];
  return pepper !== undefined && isPepperId(pepper) ? `hmac-sha256:${pepper}` : 'unsupported';
}

/** True when a stored hash was made with this scheme. */
export function isOfScheme(stored: string, scheme: StoreScheme): boolean {
  const pepper = pepperOf(scheme);
  return pepper === null ? BCRYPT_HASH.test(stored) : stored.startsWith(`$hmac-sha256$v=1,k=${pepper}$`);
}

export type HashScheme =
  | { readonly scheme: 'bcrypt'; readonly cost: number }
  | { readonly scheme: 'hmac-sha256'; readonly pepper: string; readonly digest: Uint8Array }
  | { readonly scheme: 'unsupported' };

/** Parses a stored hash. An unknown, malformed or too costly hash is `unsupported`; no key string matches it. */
export function readHashScheme(stored: string): HashScheme {
  const hmac = stored.length === HMAC_HASH_LENGTH ? HMAC_HASH.exec(stored) : null;
  if (hmac?.[1] && hmac[2])
    return { scheme: 'hmac-sha256', pepper: hmac[1], digest: Buffer.from(hmac[2], 'base64url') };
  const match = stored.length === 60 ? BCRYPT_HASH.exec(stored) : null;
  const cost = Number(match?.[1]);
  return match && cost >= MIN_COST && cost <= MAX_COST ? { scheme: 'bcrypt', cost } : { scheme: 'unsupported' };
}

function assertWhole(secret: string): void {
  if (Buffer.byteLength(secret) > MAX_BCRYPT_BYTES) throw new RangeError('bcrypt ignores everything after byte 72');
}

/** Hashes the 32-character secret with bcrypt. Nothing is added to the secret, so it stays within bcrypt's 72 bytes. */
export async function hashSecret(secret: string, cost: number): Promise<string> {
  if (!Number.isInteger(cost) || cost < MIN_COST || cost > MAX_COST) {
    throw new RangeError(`bcrypt cost must be ${MIN_COST} to ${MAX_COST}`);
  }
  assertWhole(secret);
  return (await bcrypt()).hash(secret, cost);
}

/** The hash of a key string's body under a pepper. Throws `pepper_missing`. */
export function hashWithPepper(body: string, pepper: string, peppers: Peppers): string {
  return `$hmac-sha256$v=1,k=${pepper}$${Buffer.from(peppers.digest(pepper, body)).toString('base64url')}`;
}

/** True when the bcrypt hash `stored` was made from `secret`. False for a hash that {@link readHashScheme} does not support. */
export async function secretMatches(secret: string, stored: string): Promise<boolean> {
  assertWhole(secret);
  return readHashScheme(stored).scheme === 'bcrypt' && (await bcrypt()).compare(secret, stored);
}

/**
 * True when `stored` was made from this key string, with any scheme. False for a hash that {@link readHashScheme} does not support.
 * Rejects with `pepper_missing`.
 */
export async function provesKeyString(parts: KeyStringParts, stored: string, peppers: Peppers): Promise<boolean> {
  const read = readHashScheme(stored);
  if (read.scheme === 'hmac-sha256') return peppers.matches(read.pepper, parts.body, read.digest);
  return secretMatches(parts.secret, stored);
}

/**
 * The guard tag: the first four bytes of SHA-256 over the key string's body, as eight hex digits. A wrong secret fails this check with
 * probability 1 - 2^-32, within microseconds, so that bcrypt runs for genuine keys only. Somebody who steals the table learns 32 of the
 * 190 bits. This is safe only because the tool creates every secret at random.
 */
export function guardTag(body: string): string {
  return hash('sha256', `unlockos-keys/guard/v1\0${body}`, 'hex').slice(0, 8);
}

export function guardMatches(body: string, stored: string): boolean {
  const expected = Buffer.from(guardTag(body), 'latin1');
  const actual = Buffer.from(stored, 'latin1');
  return actual.length === expected.length && timingSafeEqual(actual, expected);
}

/** The fingerprint of a key's hash and guard tag, for the audit log. It shows that a stored hash was replaced and reveals nothing else. */
export function credentialDigest(hashed: string, guard: string): string {
  return hash('sha256', `unlockos-keys/credential/v1\0${guard}\0${hashed}`, 'hex').slice(0, 32);
}
