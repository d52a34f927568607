import type { CredentialAt, LogStep, WatchSide } from '../domain/watch.js';
import { credentialFromRow, isTrustworthy, knownScheme } from './credential-row.js';
import type { Database } from './database.js';
import { KEY_COLUMN_COUNT } from './key-row.js';
import { readRows } from './read-rows.js';
import { credentialsAndHead, stepsFrom } from './statements.js';

/** A larger change is not looked through. */
const MAX_STEPS = 5000;
/** After the key: hash, guard tag and scheme. */
const HEAD_AT = KEY_COLUMN_COUNT + 3;

const textOrNull = (value: unknown) => (typeof value === 'string' ? value : null);

/** {@link WatchSide} over SQL. The contracts are documented there. */
export class SqliteWatchSide implements WatchSide {
  readonly #db: Database;

  constructor(database: Database) {
    this.#db = database;
  }

  async credentials(ids: readonly string[]): Promise<Map<string, CredentialAt>> {
    const query = { ...credentialsAndHead({ ids: JSON.stringify(ids) }), most: ids.length };
    const rows = await readRows(this.#db, query);
    const found = new Map<string, CredentialAt>();
    for (const row of rows) {
      const credential = credentialFromRow(row);
      if (!isTrustworthy(credential.key)) continue;
      knownScheme(credential.scheme); // a hash that this version cannot check must not be called wrong
      found.set(credential.key.id, { credential, head: textOrNull(row[HEAD_AT]) });
    }
    return found;
  }

  async since(head: string): Promise<readonly LogStep[] | null> {
    const seq = Number(head.slice(0, head.indexOf(':')));
    const rows = await readRows(this.#db, stepsFrom({ seq, limit: MAX_STEPS + 1 }));
    if (rows.length > MAX_STEPS || rows[0]?.[0] !== head) return null;
    return rows.map(([at, keyId]) => ({ head: textOrNull(at), keyId: textOrNull(keyId) }));
  }
}
