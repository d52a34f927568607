import type { ApiKey } from '../domain/api-key.js';
import type { Change } from '../domain/change.js';
import type { DeletedSide, Deletion } from '../domain/deletion.js';
import { type AuditedChanges, alreadyCarriedOut } from './audited-change.js';
import { credentialFromRow } from './credential-row.js';
import type { Database } from './database.js';
import { assertAsLogged, credentialOf, notKept, readDeletions } from './deleted.js';
import { planPurge, planRestore } from './deleted-changes.js';
import { DROP_PAST, deletedById, deletedFromRow, deletedRows, HAS_DELETED } from './deleted-writes.js';
import { keyFromRow } from './key-row.js';
import { byNames } from './lookups.js';
import { eventFromRow } from './rows.js';
import { credentialById, keyNamedAsDeleted, keysByNames } from './statements.js';

/** {@link DeletedSide} over SQL. The contracts are documented there. */
export class SqliteDeletedSide implements DeletedSide {
  readonly #db: Database;
  readonly #changes: AuditedChanges;

  constructor(database: Database, changes: AuditedChanges) {
    this.#db = database;
    this.#changes = changes;
  }

  async list(where?: { readonly id?: string; readonly name?: string }): Promise<Deletion[]> {
    return readDeletions(this.#db, where ?? null);
  }

  async restore(id: string, name: string | null, change: Change): Promise<ApiKey> {
    return this.#changes.make({
      change,
      reads: [
        ...deletedById(id),
        credentialById({ id }),
        name === null ? keyNamedAsDeleted({ id }) : keysByNames(byNames([name])),
      ],
      plan: ([rows = [], events = [], , namesakes = []]) => {
        const [deleted] = deletedRows(rows);
        if (!deleted) throw notKept(id);
        const credential = credentialOf(deleted);
        assertAsLogged(credential, deleted.keptUntil, events.map(eventFromRow)[0]);
        return planRestore({ seq: deleted.seq, credential }, name, namesakes.map(keyFromRow), change.at);
      },
      repeated: (done, [, , present = []]) => {
        const [row] = present;
        if (done.action !== 'key.restore' || done.keyId !== id || !row) throw alreadyCarriedOut(done);
        return credentialFromRow(row).key;
      },
    });
  }

  async purge(id: string, change: Change): Promise<ApiKey> {
    return this.#changes.make({
      change,
      reads: deletedById(id),
      plan: ([rows = []]) => {
        const [deleted] = rows.map(deletedFromRow);
        if (!deleted) throw notKept(id);
        return planPurge(credentialOf(deleted));
      },
    });
  }

  async dropPast(): Promise<void> {
    await this.#db.write([HAS_DELETED], ([rows = []]) => ({
      writes: Number(rows[0]?.[0]) === 0 ? [] : [DROP_PAST],
      result: undefined,
    }));
  }
}
