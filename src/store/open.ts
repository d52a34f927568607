import type { KeyStore } from '../domain/key-store.js';
import { LocalDatabase, type LocalOptions } from './local/local-database.js';
import { SqliteKeyStore } from './sqlite-key-store.js';

export type OpenOptions = LocalOptions;

/** Opens the store at `location`, an absolute path. Throws `KeysError` with a `store_…` code or `unsafe_path`. */
export async function openStore(location: string, options: OpenOptions): Promise<KeyStore> {
  return new SqliteKeyStore(await LocalDatabase.open(location, options));
}
