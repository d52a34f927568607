import type { AuditHead, AuditRow } from '../domain/audit.js';
import type {
  AuditEvent,
  AuditPage,
  AuditPosition,
  AuditQuery,
  AuditSide,
  ChainedEvent,
  DeletedState,
  StoredCatalogue,
  StoredState,
} from '../domain/audit-side.js';
import { DEFAULT_SCHEME } from '../domain/secret-hash.js';
import { readEvents, readPage } from './audit-query.js';
import { credentialFromRow } from './credential-row.js';
import type { Database } from './database.js';
import { credentialOf, deletedPage } from './deleted.js';
import { readOperation } from './lookups.js';
import { auditState } from './planned.js';
import { readRows } from './read-rows.js';
import { auditRowFromRow, damagedScopes, headFromRows, inOrder, scopesFromRows, settingsFromRows } from './rows.js';
import { allScopes, credentialsAfter, hashScheme, head, policyRows, rowsAfter } from './statements.js';

/** {@link AuditSide} over SQL. The contracts are documented there. */
export class SqliteAuditSide implements AuditSide {
  readonly #db: Database;

  constructor(database: Database) {
    this.#db = database;
  }

  async events(query: AuditQuery): Promise<ChainedEvent[]> {
    return readEvents(this.#db, query);
  }

  async page(after: AuditPosition, query: Omit<AuditQuery, 'limit'>, limit: number): Promise<AuditPage> {
    return readPage(this.#db, after, query, limit);
  }

  async head(): Promise<AuditHead> {
    return headFromRows(await readRows(this.#db, head({})));
  }

  async rows(afterSeq: number, limit: number): Promise<AuditRow[]> {
    const rows = await readRows(this.#db, rowsAfter({ seq: afterSeq, limit }));
    return inOrder(rows, afterSeq).map(auditRowFromRow);
  }

  async operation(op: string): Promise<AuditEvent[]> {
    return readOperation(this.#db, op);
  }

  async keyStates(afterSeq: number, limit: number): Promise<{ head: AuditHead; keys: StoredState[] }> {
    const reads = [head({}), credentialsAfter({ seq: afterSeq, limit })];
    const [end = [], rows = []] = await this.#db.read(reads, { fresh: true });
    const keys = inOrder(rows, afterSeq).map((row) => {
      const credential = credentialFromRow(row);
      const { id, damaged = [] } = credential.key;
      return { seq: row[0] as number, id, state: auditState(credential), damaged };
    });
    return { head: headFromRows(end), keys };
  }

  async deletedStates(afterSeq: number, limit: number): Promise<{ head: AuditHead; deleted: DeletedState[] }> {
    const { end, rows } = await deletedPage(this.#db, afterSeq, limit);
    const deleted = rows.map((row) => {
      const credential = credentialOf(row);
      const { id } = credential.key;
      const damaged = [...(row.damaged ?? []), ...(credential.key.damaged ?? [])];
      return { seq: row.seq, id, state: auditState(credential), damaged, keptUntil: new Date(row.keptUntil) };
    });
    return { head: headFromRows(end), deleted };
  }

  async storedCatalogue(): Promise<StoredCatalogue> {
    const reads = [head({}), allScopes({}), hashScheme({}), policyRows({})];
    const [end = [], rows = [], scheme = [], policy = []] = await this.#db.read(reads, { fresh: true });
    return {
      head: headFromRows(end),
      catalogue: scopesFromRows(rows),
      damaged: damagedScopes(rows),
      scheme: String(scheme[0]?.[0] ?? DEFAULT_SCHEME),
      policy: settingsFromRows(policy),
    };
  }
}
