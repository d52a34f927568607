import type { ApiKey } from '../domain/api-key.js';
import type { Keyring } from '../keyring/keyring.js';
import { type Manifest, OWNER_LABEL } from './manifest.js';
import type { Present } from './plan.js';

/** So many names are looked up at once: no store refuses them. */
const NAMES_AT_ONCE = 500;

/** Reads what a plan needs: the keys that the manifest names, those that carry its name, and the catalogue. Changes nothing. */
export async function readPresent(keyring: Keyring, manifest: Manifest): Promise<Present> {
  const owned = await keyring.list({ labels: { [OWNER_LABEL]: manifest.name }, sort: 'created' });
  const found = new Map<string, ApiKey>(owned.keys.map((key) => [key.id, key]));
  const names = manifest.keys.map(({ name }) => name);
  for (let from = 0; from < names.length; from += NAMES_AT_ONCE) {
    const { namesakes } = await keyring.store.prospect(names.slice(from, from + NAMES_AT_ONCE), null);
    for (const key of namesakes) found.set(key.id, key);
  }
  return { keys: [...found.values()], catalogue: await keyring.scopes() };
}
