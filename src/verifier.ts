import { KeysError } from './domain/errors.js';
import type { KeyStore } from './domain/key-store.js';
import type { Mode } from './domain/key-string.js';
import { parseKeyString } from './domain/key-string.js';
import { guardMatches, secretMatches } from './domain/secret-hash.js';
import { type Demands, judge, type Verdict } from './domain/verdict.js';

const INVALID: Verdict = { verdict: 'invalid' };

/**
 * Verifies a key string against a store, in this order: shape, checksum, row by id, mode, guard, proof, status, expiry, environment,
 * scopes. Reads the row on every call, so a key disabled a moment ago by any process is refused. Throws a `KeysError` with a
 * `store_…` code when the store cannot answer; a refused key is a value.
 */
export async function verifyKey(store: KeyStore, keyString: unknown, demands: Demands, now: Date): Promise<Verdict> {
  const parsed = parseKeyString(keyString);
  if (!parsed.ok) return INVALID;
  const credential = await store.credential(parsed.id);
  if (!credential || credential.key.mode !== parsed.mode) return INVALID;
  if (!guardMatches(parsed.body, credential.guard)) return INVALID;
  if (!(await secretMatches(parsed.secret, credential.hash))) return INVALID;
  return judge(credential.key, demands, now);
}

export interface Verifier {
  /** The verdict on a key string as it came in, untrimmed. `scopes` are those that the request needs. */
  verify(keyString: unknown, needs?: { scopes?: readonly string[] }): Promise<Verdict>;
  close(): Promise<void>;
}

/** A verifier bound to a server's own environment: a key of the other mode never verifies there. */
export function verifierOver(store: KeyStore, environment: Mode, now: () => Date = () => new Date()): Verifier {
  if (environment !== 'live' && environment !== 'test')
    throw new KeysError('usage', 'environment must be live or test');
  return {
    verify: (keyString, needs = {}) => verifyKey(store, keyString, { environment, scopes: needs.scopes }, now()),
    close: () => store.close(),
  };
}
