import type { ApiKey, Status } from '../domain/api-key.js';
import type { AuditHead, AuditRow } from '../domain/audit.js';
import type {
  AuditEvent,
  AuditPage,
  AuditPosition,
  AuditQuery,
  ChainedEvent,
  DeletedState,
  StoredCatalogue,
  StoredState,
} from '../domain/audit-side.js';
import type { Change, Changed, Creator, LogChange } from '../domain/change.js';
import type { CopySide } from '../domain/copy.js';
import type { DeletedKey, DeleteOptions, Deletion } from '../domain/deletion.js';
import type { RateDecision } from '../domain/gcra.js';
import type { Exchange, Exchanged, ExchangeRefusal } from '../domain/issue.js';
import type { KeyCensus, KeyPage, ListQuery } from '../domain/key-query.js';
import type {
  Credential,
  Finding,
  HashMove,
  KeyPatch,
  KeyStore,
  NewKey,
  OnNamesake,
  Prospect,
  Replacement,
  Retirement,
  SchemaUpgrade,
  Stored,
} from '../domain/key-store.js';
import type { NamePattern } from '../domain/lookalikes.js';
import { changedPolicy, keepDeletedIn, type PolicyInput, type StorePolicy } from '../domain/policy.js';
import type { RateLimit } from '../domain/rate-limit.js';
import type { CatalogueScope } from '../domain/scopes.js';
import { DEFAULT_SCHEME, type StoreScheme } from '../domain/secret-hash.js';
import { readEvents, readPage } from './audit-query.js';
import { AuditedChanges, alreadyCarriedOut, unchangedKey, unchangedScope } from './audited-change.js';
import { lastPosition, planAddScope, planHashScheme, planPolicy, planRetireScope } from './catalogue-changes.js';
import { censusFromRows, keyCensus } from './census.js';
import { planCreate, planEdit, planExpire, planRehash, planRotate, planSettle, planStatus } from './changes.js';
import { SqliteCopySide } from './copy.js';
import type { Database, Rows, Statement } from './database.js';
import { assertAsLogged, credentialOf, deletedPage, notKept, readDeletions } from './deleted.js';
import { planDelete, planPurge, planRestore } from './deleted-changes.js';
import { DROP_PAST, deletedById, deletedFromRow, deletedRows, HAS_DELETED } from './deleted-writes.js';
import { derivedProblems } from './derived.js';
import { exchangeReads, planExchange, planTakeBack, refusalOf } from './exchange.js';
import { damageFinding, useFinding } from './findings.js';
import { listKeys, PAGE_SIZE } from './key-pages.js';
import { credentialFromRow, isTrustworthy, keyFromRow, knownScheme } from './key-row.js';
import { countStatement } from './list-query.js';
import { byNames, type CandidateQuery, findCandidates, globsOf, readOperation, readProspect } from './lookups.js';
import { assertUnchanged, auditState } from './planned.js';
import { countInDatabase } from './rate-count.js';
import { CLOCK } from './raw-sql.js';
import {
  auditRowFromRow,
  damagedScopes,
  eventFromRow,
  headFromRows,
  inOrder,
  policyFromRows,
  scopesFromRows,
  settingsFromRows,
  timeFromRows,
} from './rows.js';
import {
  allScopes,
  credentialById,
  credentialsAfter,
  credentialsByIds,
  credentialsByNames,
  firstEvents,
  hashKinds,
  hashScheme,
  head,
  keyNamedAsDeleted,
  keysByNames,
  namesMatching,
  policyRows,
  rowsAfter,
} from './statements.js';
import { SqliteUseSide } from './use.js';

/** The one implementation of {@link KeyStore}, for every engine that speaks SQLite. The contracts are documented there. */
export class SqliteKeyStore implements KeyStore {
  readonly #db: Database;
  readonly #changes: AuditedChanges;
  readonly use: SqliteUseSide;

  constructor(database: Database) {
    this.#db = database;
    this.use = new SqliteUseSide(database);
    this.#changes = new AuditedChanges(database);
  }

  get location(): string {
    return this.#db.location;
  }

  get created(): boolean {
    return this.#db.created;
  }

  get lastChange(): LogChange | null {
    return this.#changes.last;
  }

  async #rows(query: Statement): Promise<Rows> {
    const [rows = []] = await this.#db.read([query], { fresh: true });
    return rows;
  }

  async candidates(ref: CandidateQuery): Promise<ApiKey[]> {
    return findCandidates(this.#db, ref);
  }

  async credential(id: string): Promise<Credential | null> {
    const [row] = await this.#rows(credentialById({ id }));
    const credential = row ? credentialFromRow(row) : null;
    if (!credential || !isTrustworthy(credential.key)) return null;
    knownScheme(credential.scheme); // a hash that this version cannot check must not be called wrong
    return credential;
  }

  async list(query: ListQuery): Promise<KeyPage> {
    if (query.refusedAtLeast !== undefined && !(await this.use.has())) return { keys: [], next: null };
    return listKeys(this.#db, query);
  }

  async count(query: ListQuery): Promise<number> {
    if (query.refusedAtLeast !== undefined && !(await this.use.has())) return 0;
    const [row = []] = await this.#rows(countStatement(query));
    return Number(row[0]);
  }

  async creators(ids: readonly string[]): Promise<Map<string, Creator>> {
    const found = new Map<string, Creator>();
    for (let from = 0; from < ids.length; from += PAGE_SIZE) {
      const page = JSON.stringify(ids.slice(from, from + PAGE_SIZE));
      for (const [id, actor, osUser, proven] of await this.#rows(firstEvents({ ids: page })))
        found.set(String(id), {
          actor: typeof actor === 'string' ? actor : null,
          osUser: String(osUser),
          ...(proven === 'object' && { proven: true }),
        });
    }
    return found;
  }

  async census(now: Date): Promise<KeyCensus> {
    return censusFromRows(await this.#rows(keyCensus(now)));
  }

  async prospect(names: readonly string[], op: string | null): Promise<Prospect> {
    return readProspect(this.#db, names, op);
  }

  async namesMatching(patterns: readonly NamePattern[]): Promise<Pick<ApiKey, 'id' | 'name'>[]> {
    return (await this.#rows(namesMatching({ globs: globsOf(patterns), limit: 1000 }))).flatMap(([id, name]) =>
      typeof id === 'string' && typeof name === 'string' ? [{ id, name }] : [],
    );
  }

  async operation(op: string): Promise<AuditEvent[]> {
    return readOperation(this.#db, op);
  }

  async create(newKeys: readonly NewKey[], change: Change, onNamesake?: OnNamesake): Promise<Stored[]> {
    return this.#changes.make({
      change,
      reads: [credentialsByNames(byNames(newKeys.map(({ name }) => name))), policyRows({}), CLOCK],
      plan: ([rows = [], policy = [], clock = []]) => {
        const namesakes = rows.map((row) => ({ seq: row[0] as number, ...credentialFromRow(row) }));
        const keeping = { policy: policyFromRows(policy), now: timeFromRows(clock) };
        return planCreate(newKeys, namesakes, keeping, change.at, onNamesake);
      },
    });
  }

  async exchangeRefusal(exchange: Exchange): Promise<ExchangeRefusal | null> {
    return refusalOf(await this.#db.read(exchangeReads(exchange), { fresh: true }), exchange);
  }

  async exchange(key: NewKey, exchange: Exchange, change: Change): Promise<Exchanged> {
    return this.#changes.make({
      change,
      reads: [...exchangeReads(exchange), credentialsByNames(byNames([key.name])), policyRows({})],
      plan: (rows) => planExchange(key, exchange, rows, change.at),
    });
  }

  async takeBack(id: string, change: Change): Promise<void> {
    await this.#changes.makeOfKey({
      id,
      change,
      reads: [policyRows({}), CLOCK],
      plan: (found, [policy = [], clock = []], seq) =>
        planTakeBack(found, {
          purge: true,
          seq,
          keepDeleted: keepDeletedIn(settingsFromRows(policy)),
          now: timeFromRows(clock),
        }),
    });
  }

  async edit(id: string, patch: KeyPatch, change: Change, seen?: ApiKey): Promise<Changed> {
    return this.#changes.makeOfKey({
      id,
      change,
      reads: patch.name === undefined ? [] : [keysByNames(byNames([patch.name]))],
      plan: (found, [namesakes = []]) => {
        if (seen) assertUnchanged(found.key, seen);
        return planEdit(found, patch, namesakes.map(keyFromRow), change.at);
      },
      repeated: unchangedKey('key.edit', id),
    });
  }

  async settle(ids: readonly string[], change: Change): Promise<ApiKey[]> {
    const settled = (rows: Rows = []) => planSettle(ids, rows.map(credentialFromRow), change.at);
    return this.#changes.make({
      change,
      reads: [credentialsByIds({ ids: JSON.stringify(ids) })],
      plan: ([rows]) => settled(rows),
      repeated: (_, [rows]) => settled(rows).result,
    });
  }

  async setStatus(id: string, status: Status, change: Change, seen?: ApiKey): Promise<Changed> {
    const action = status === 'active' ? 'key.enable' : 'key.disable';
    return this.#changes.makeOfKey({
      id,
      change,
      plan: (found) => {
        if (seen) assertUnchanged(found.key, seen);
        return planStatus(found, status, action, change.at);
      },
      repeated: unchangedKey(action, id),
    });
  }

  async delete(id: string, change: Change, seen?: ApiKey, options: DeleteOptions = {}): Promise<DeletedKey> {
    return this.#changes.makeOfKey({
      id,
      change,
      reads: [policyRows({}), CLOCK],
      plan: (found, [policy = [], clock = []], seq) => {
        const keepDeleted = keepDeletedIn(settingsFromRows(policy));
        const keeping = { ...options, seq, keepDeleted, now: timeFromRows(clock) };
        return planDelete(found, keeping, seen);
      },
    });
  }

  async deletions(where?: { readonly id?: string; readonly name?: string }): Promise<Deletion[]> {
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

  async rotate(
    id: string,
    successor: NewKey,
    retiring: Retirement,
    change: Change,
  ): Promise<{ key: ApiKey; retired: ApiKey }> {
    return this.#changes.makeOfKey({
      id,
      change,
      reads: [policyRows({})],
      plan: (found, [policy = []]) => planRotate(found, successor, retiring, policyFromRows(policy), change.at),
    });
  }

  async expire(id: string, change: Change): Promise<Changed> {
    return this.#changes.makeOfKey({
      id,
      change,
      plan: (found) => planExpire(found, change.at),
      repeated: unchangedKey('key.expire', id),
    });
  }

  async catalogue(): Promise<CatalogueScope[]> {
    return scopesFromRows(await this.#rows(allScopes({})));
  }

  async addScope(scope: string, categoryLabel: string | null, change: Change): Promise<CatalogueScope> {
    return this.#changes.make({
      change,
      reads: [allScopes({})],
      plan: ([rows = []]) => planAddScope(scope, categoryLabel, scopesFromRows(rows), lastPosition(rows)),
      repeated: (done, [rows = []]) => unchangedScope('scope.add', scope, done, rows),
    });
  }

  async retireScope(scope: string, change: Change): Promise<{ scope: CatalogueScope; changed: boolean }> {
    return this.#changes.make({
      change,
      reads: [allScopes({})],
      plan: ([rows = []]) => planRetireScope(scope, scopesFromRows(rows)),
      repeated: (done, [rows = []]) => ({ scope: unchangedScope('scope.retire', scope, done, rows), changed: false }),
    });
  }

  async hashScheme(): Promise<string> {
    return String((await this.#rows(hashScheme({})))[0]?.[0] ?? DEFAULT_SCHEME);
  }

  async setHashScheme(scheme: StoreScheme, change: Change): Promise<{ scheme: StoreScheme; changed: boolean }> {
    return this.#changes.make({
      change,
      reads: [hashScheme({})],
      plan: ([rows = []]) => planHashScheme(scheme, String(rows[0]?.[0] ?? DEFAULT_SCHEME)),
      repeated: (done) => {
        if (done.action !== 'store.hash') throw alreadyCarriedOut(done);
        return { scheme, changed: false };
      },
    });
  }

  async policy(): Promise<StorePolicy> {
    return policyFromRows(await this.#rows(policyRows({})));
  }

  async plannedPolicy(input: PolicyInput): Promise<StorePolicy> {
    return changedPolicy(settingsFromRows(await this.#rows(policyRows({}))), input);
  }

  async setPolicy(input: PolicyInput, change: Change): Promise<{ policy: StorePolicy; changed: boolean }> {
    return this.#changes.make({
      change,
      reads: [policyRows({})],
      plan: ([rows = []]) => planPolicy(input, settingsFromRows(rows)),
      repeated: (done, [rows = []]) => {
        if (done.action !== 'store.policy') throw alreadyCarriedOut(done);
        return { policy: policyFromRows(rows), changed: false };
      },
    });
  }

  async hashKinds(): Promise<{ kind: string; keys: number }[]> {
    return (await this.#rows(hashKinds({}))).map(([kind, keys]) => ({ kind: String(kind), keys: Number(keys) }));
  }

  async rehash(moves: readonly HashMove[], change: Change): Promise<string[]> {
    return this.#changes.make({
      change,
      reads: [credentialsByIds({ ids: JSON.stringify(moves.map(({ id }) => id)) })],
      plan: ([rows = []]) => planRehash(moves, rows.map(credentialFromRow)),
      wait: false,
      repeated: () => [],
    });
  }

  async admit(id: string, rateLimit: RateLimit): Promise<RateDecision> {
    return countInDatabase(this.#db, id, rateLimit);
  }

  version(): number | null {
    const others = this.#db.version(); // counts the commits of other connections, one by one
    return others === null ? null : (others + Math.imul(this.#changes.count, 0x9e3779b1)) | 0;
  }

  async auditEvents(query: AuditQuery): Promise<ChainedEvent[]> {
    return readEvents(this.#db, query);
  }

  async auditPage(after: AuditPosition, query: Omit<AuditQuery, 'limit'>, limit: number): Promise<AuditPage> {
    return readPage(this.#db, after, query, limit);
  }

  async auditHead(): Promise<AuditHead> {
    return headFromRows(await this.#rows(head({})));
  }

  async auditRows(afterSeq: number, limit: number): Promise<AuditRow[]> {
    const rows = await this.#rows(rowsAfter({ seq: afterSeq, limit }));
    return inOrder(rows, afterSeq).map(auditRowFromRow);
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

  get copySide(): CopySide {
    return new SqliteCopySide(this.#db, this.use);
  }

  async schema(): Promise<{ version: number; latest: number }> {
    return this.#db.schema();
  }

  async upgrade(): Promise<SchemaUpgrade | null> {
    return this.#db.upgrade();
  }

  async derivedProblems(): Promise<string[]> {
    return derivedProblems(this.#db, await this.use.has());
  }

  async check(): Promise<Finding[]> {
    const findings = await this.#db.check();
    return findings.some(({ check, status }) => check === 'schema' && status !== 'ok')
      ? findings
      : [...findings, damageFinding(await this.#damaged()), useFinding(await this.use.damaged())];
  }

  /** The damaged keys, as `id (fields)`. */
  async #damaged(): Promise<string[]> {
    const found: string[] = [];
    for (let seq = 0; ; ) {
      const rows = inOrder(await this.#rows(credentialsAfter({ seq, limit: PAGE_SIZE })), seq);
      for (const { id, damaged } of rows.map(keyFromRow)) if (damaged) found.push(`${id} (${damaged.join(', ')})`);
      const last = rows.at(-1);
      if (!last) return found;
      seq = last[0] as number;
    }
  }

  async backup(file: string): Promise<void> {
    return this.#db.backup(file);
  }

  async replace(file: string, change: Change): Promise<Replacement> {
    return this.#db.replace(file, change);
  }

  async close(): Promise<void> {
    return this.#db.close();
  }
}
