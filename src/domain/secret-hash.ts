import { hash, timingSafeEqual } from 'node:crypto';
import type { KeyStringParts } from './key-string.js';
import { isPepperId, type Peppers } from './peppers.js';

/**
 * bcrypt at OWASP's floor for passwords. A key's secret has 190 random bits, so the cost buys nothing; it is the guard tag below
 * that keeps the slowness out of an attacker's reach.
 */
export const DEFAULT_BCRYPT_COST = 10;
const MIN_COST = 4;
/** A stored `$2b$31$…` would run for days: a row that asks for more than this is refused, never computed. */
export const MAX_COST = 12;

/** bcrypt reads no further than this and says nothing; two secrets that differ later would be equal. */
const MAX_BCRYPT_BYTES = 72;

/** Loaded at its first use: most commands neither make nor prove a secret. */
const bcrypt = () => import('bcryptjs');

const BCRYPT_HASH = /^\$2[aby]\$(\d\d)\$[./0-9A-Za-z]{53}$/;

const HMAC_HASH = /^\$hmac-sha256\$v=1,k=([0-9a-z]{8})\$([A-Za-z0-9_-]{43})$/;
const HMAC_HASH_LENGTH = 71;

/** What a store makes new hashes by: `bcrypt`, or `hmac-sha256:` and the id of a pepper. */
export type StoreScheme = 'bcrypt' | `hmac-sha256:${string}`;

export const DEFAULT_SCHEME: StoreScheme = 'bcrypt';

/** Reads what a store says of itself; null for what no version of this tool writes. */
export function readStoreScheme(text: string): StoreScheme | null {
  return text === 'bcrypt' || isPepperId(pepperOf(text) ?? '') ? (text as StoreScheme) : null;
}

/** The pepper that a scheme hashes with; null for one that needs none. */
export function pepperOf(scheme: string): string | null {
  return scheme.startsWith('hmac-sha256:') ? scheme.slice('hmac-sha256:'.length) : null;
}

/** The scheme of hashes that begin with `kind` (`$2b$10$`, `$hmac-sha256$v=1,k=…$`), or `unsupported`. */
export function readHashKind(kind: string): string {
  if (/^\$2[aby]\$\d\d\$/.test(kind)) return 'bcrypt';
  const pepper = /^\$hmac-sha256\$v=1,k=([0-9a-z]{8})\$$/.exec(kind)?.[1];
  return pepper !== undefined && isPepperId(pepper) ? `hmac-sha256:${pepper}` : 'unsupported';
}

/** Whether a stored hash is what the store's scheme would make. */
export function isOfScheme(stored: string, scheme: StoreScheme): boolean {
  const pepper = pepperOf(scheme);
  return pepper === null ? BCRYPT_HASH.test(stored) : stored.startsWith(`$hmac-sha256$v=1,k=${pepper}$`);
}

export type HashScheme =
  | { readonly scheme: 'bcrypt'; readonly cost: number }
  | { readonly scheme: 'hmac-sha256'; readonly pepper: string; readonly digest: Buffer }
  | { readonly scheme: 'unsupported' };

/** Reads the self-describing hash column. Anything unknown, malformed or over-costly is `unsupported`, and fails closed. */
export function readHashScheme(stored: string): HashScheme {
  const hmac = stored.length === HMAC_HASH_LENGTH ? HMAC_HASH.exec(stored) : null;
  if (hmac?.[1] && hmac[2])
    return { scheme: 'hmac-sha256', pepper: hmac[1], digest: Buffer.from(hmac[2], 'base64url') };
  const match = stored.length === 60 ? BCRYPT_HASH.exec(stored) : null;
  const cost = Number(match?.[1]);
  return match && cost >= MIN_COST && cost <= MAX_COST ? { scheme: 'bcrypt', cost } : { scheme: 'unsupported' };
}

function assertWhole(secret: string): void {
  if (Buffer.byteLength(secret) > MAX_BCRYPT_BYTES) throw new RangeError('bcrypt would ignore what follows byte 72');
}

/** Hashes the 32-character secret alone: joining id, prefix or pepper to it is how others ran past byte 72. */
export async function hashSecret(secret: string, cost: number): Promise<string> {
  if (!Number.isInteger(cost) || cost < MIN_COST || cost > MAX_COST) {
    throw new RangeError(`bcrypt cost must be ${MIN_COST} to ${MAX_COST}`);
  }
  assertWhole(secret);
  return (await bcrypt()).hash(secret, cost);
}

/** The hash of a key string's body under a pepper. Throws `pepper_missing`. */
export function hashWithPepper(body: string, pepper: string, peppers: Peppers): string {
  return `$hmac-sha256$v=1,k=${pepper}$${peppers.digest(pepper, body).toString('base64url')}`;
}

/** True when `secret` is the one that `stored` was made from. False, at once, for a hash that {@link readHashScheme} does not accept. */
export async function secretMatches(secret: string, stored: string): Promise<boolean> {
  assertWhole(secret);
  return readHashScheme(stored).scheme === 'bcrypt' && (await bcrypt()).compare(secret, stored);
}

/**
 * True when a key string is the one that `stored` was made from, whatever the scheme. False, at once, for a hash that nothing here can
 * read. Rejects with `pepper_missing`.
 */
export async function provesKeyString(parts: KeyStringParts, stored: string, peppers: Peppers): Promise<boolean> {
  const read = readHashScheme(stored);
  if (read.scheme === 'hmac-sha256') return peppers.matches(read.pepper, parts.body, read.digest);
  return secretMatches(parts.secret, stored);
}

/**
 * Four bytes of SHA-256 over the key string's body, as eight hex digits. A wrong secret fails here with probability 1 - 2^-32, in
 * microseconds, so bcrypt runs for the true key only. It tells a thief of the table 32 of 190 bits. Sound only because this tool
 * makes every secret.
 */
export function guardTag(body: string): string {
  return hash('sha256', `unlockos-keys/guard/v1\0${body}`, 'hex').slice(0, 8);
}

export function guardMatches(body: string, stored: string): boolean {
  const expected = Buffer.from(guardTag(body), 'latin1');
  const actual = Buffer.from(stored, 'latin1');
  return actual.length === expected.length && timingSafeEqual(actual, expected);
}

/** A fingerprint of what proves a key, for the audit log: it gives nothing away and shows when a stored hash was swapped. */
export function credentialDigest(hashed: string, guard: string): string {
  return hash('sha256', `unlockos-keys/credential/v1\0${guard}\0${hashed}`, 'hex').slice(0, 32);
}
