import type { KeyStore } from '../domain/key-store.js';
import { LocalDatabase, type LocalOptions } from './local/local-database.js';
import { isStoreUrl } from './remote/address.js';
import type { RemoteOptions } from './remote/remote-database.js';
import { SqliteKeyStore } from './sqlite-key-store.js';

export type OpenOptions = LocalOptions & Pick<RemoteOptions, 'token' | 'allowHttp'>;

/**
 * Opens the store at `location`, an absolute path or the URL of a libSQL server. Throws `KeysError` with a `store_…` code, `usage`,
 * `unauthorized` or `unsafe_path`; a remote one is not asked anything yet, and may still throw these at its first call.
 */
export async function openStore(location: string, options: OpenOptions): Promise<KeyStore> {
  if (!isStoreUrl(location)) return new SqliteKeyStore(await LocalDatabase.open(location, options));
  const { RemoteDatabase } = await import('./remote/remote-database.js');
  return new SqliteKeyStore(RemoteDatabase.open(location, options));
}
