import type { KeyStore } from '../domain/key-store.js';
import { LocalDatabase } from './local/local-database.js';
import type { LocalOptions } from './local/open-file.js';
import { isStoreUrl } from './remote/address.js';
import type { RemoteOptions } from './remote/remote-database.js';
import { SqliteKeyStore } from './sqlite-key-store.js';

/** What a store is opened with; `token` and `allowHttp` are for a remote one, the rest of the local options for a file. */
export type OpenOptions = LocalOptions & Pick<RemoteOptions, 'token' | 'allowHttp'>;

/**
 * Opens the store at `location`, an absolute path or the URL of a libSQL server. Throws `KeysError` with a `store_…` code, `usage`,
 * `unauthorized` or `unsafe_path`. Nothing is sent to a remote store yet, so its first call may throw these too.
 */
export async function openStore(location: string, options: OpenOptions): Promise<KeyStore> {
  if (!isStoreUrl(location)) return new SqliteKeyStore(await LocalDatabase.open(location, options));
  const { RemoteDatabase } = await import('./remote/remote-database.js');
  return new SqliteKeyStore(RemoteDatabase.open(location, options));
}
