import type { ApiKey } from '../domain/api-key.js';
import type { Keyring } from '../keyring/keyring.js';
import { type Manifest, OWNER_LABEL } from './manifest.js';
import type { CurrentState } from './plan.js';

/** Reads what a plan needs: the keys that the manifest names, the keys that it owns, the catalogue, and the policy. */
export async function readCurrentState(keyring: Keyring, manifest: Manifest): Promise<CurrentState> {
  const owned = await keyring.list({ labels: { [OWNER_LABEL]: manifest.name }, sort: 'created' });
  const found = new Map<string, ApiKey>(owned.keys.map((key) => [key.id, key]));
  for (const key of await keyring.named(manifest.keys.map(({ name }) => name))) found.set(key.id, key);
  return { keys: [...found.values()], catalogue: await keyring.scopes(), policy: await keyring.storePolicy() };
}
