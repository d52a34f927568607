import type { ApiKey } from '../domain/api-key.js';
import { parseKeyString } from '../domain/key-parts.js';
import type { KeyStore } from '../domain/key-store.js';
import type { Mode } from '../domain/key-string.js';
import { keyById } from './references.js';

/** What a key string shows without proof of its secret. */
export type Identity =
  /** The text does not have the form of a key string. */
  | { readonly recognised: false }
  | {
      readonly recognised: true;
      /** `bad`: the key string was mistyped or cut, and belongs to no key. */
      readonly checksum: 'good' | 'bad';
      readonly mode: Mode;
      /** The key id that it contains. */
      readonly id: string;
      /** The key with this id; null where the store has none, or was not asked. */
      readonly key: ApiKey | null;
    };

/** What a key string says by itself: `key` is always null. */
export function identifyOffline(text: string): Identity {
  const parsed = parseKeyString(text);
  if (!parsed.ok && parsed.problem === 'shape') return { recognised: false };
  return { recognised: true, checksum: parsed.ok ? 'good' : 'bad', mode: parsed.mode, id: parsed.id, key: null };
}

/** What a key string says by itself, and the key whose id it contains. */
export async function identify(store: KeyStore, text: string): Promise<Identity> {
  const identity = identifyOffline(text);
  if (!identity.recognised) return identity;
  return { ...identity, key: await keyById(store, identity.id) };
}
