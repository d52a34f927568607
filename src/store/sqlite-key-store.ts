import type { ApiKey, Status } from '../domain/api-key.js';
import type { AuditSide } from '../domain/audit-side.js';
import type { Change, Changed, Creator, LogChange } from '../domain/change.js';
import type { CopySide } from '../domain/copy.js';
import type { Credential } from '../domain/credential.js';
import type { DeletedKey, DeletedSide, DeleteOptions } from '../domain/deletion.js';
import type { RateDecision } from '../domain/gcra.js';
import type { Exchange, Exchanged, ExchangeRefusal } from '../domain/issue.js';
import type { KeyCensus, KeyPage, KnownPage, ListQuery } from '../domain/key-query.js';
import type {
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
import { keepDeletedIn } from '../domain/policy.js';
import type { RateLimit } from '../domain/rate-limit.js';
import type { SettingsSide } from '../domain/settings-side.js';
import type { WatchSide } from '../domain/watch.js';
import { SqliteAuditSide } from './audit-side.js';
import { AuditedChanges, unchangedKey } from './audited-change.js';
import { readCreators } from './by-ids.js';
import { censusFromRows, keyCensus } from './census.js';
import { planCreate, planEdit, planExpire, planRehash, planRotate, planSettle, planStatus } from './changes.js';
import { SqliteCopySide } from './copy.js';
import { credentialFromRow, isTrustworthy, knownScheme } from './credential-row.js';
import type { Database, Rows } from './database.js';
import { planDelete } from './deleted-changes.js';
import { SqliteDeletedSide } from './deleted-side.js';
import { derivedProblems } from './derived.js';
import { exchangeReads, planExchange, planTakeBack, refusalOf } from './exchange.js';
import { damageFinding, useFinding } from './findings.js';
import { damagedKeys, listKeys } from './key-pages.js';
import { keyFromRow } from './key-row.js';
import { knownPage } from './known-page.js';
import { countStatement } from './list-query.js';
import { byNames, type CandidateQuery, findCandidates, globsOf, readProspect } from './lookups.js';
import { assertUnchanged } from './planned.js';
import { countInDatabase } from './rate-count.js';
import { CLOCK } from './raw-sql.js';
import { readRows } from './read-rows.js';
import { policyFromRows, settingsFromRows, timeFromRows } from './rows.js';
import { SqliteSettingsSide } from './settings-side.js';
import {
  credentialById,
  credentialsByIds,
  credentialsByNames,
  keysByNames,
  namesMatching,
  policyRows,
} from './statements.js';
import { SqliteUseSide } from './use.js';
import { SqliteWatchSide } from './watch.js';

/** The one implementation of {@link KeyStore}, for every engine that speaks SQLite. The contracts are documented there. */
export class SqliteKeyStore implements KeyStore {
  readonly #db: Database;
  readonly use: SqliteUseSide;
  // A list needs none of these, so they are made when they are first asked for.
  #made: AuditedChanges | undefined;
  #audit: AuditSide | undefined;
  #settings: SettingsSide | undefined;
  #deleted: DeletedSide | undefined;
  #watch: WatchSide | undefined;

  constructor(database: Database) {
    this.#db = database;
    this.use = new SqliteUseSide(database);
  }

  get #changes(): AuditedChanges {
    this.#made ??= new AuditedChanges(this.#db);
    return this.#made;
  }

  get audit(): AuditSide {
    this.#audit ??= new SqliteAuditSide(this.#db);
    return this.#audit;
  }

  get settings(): SettingsSide {
    this.#settings ??= new SqliteSettingsSide(this.#db, this.#changes);
    return this.#settings;
  }

  get deleted(): DeletedSide {
    this.#deleted ??= new SqliteDeletedSide(this.#db, this.#changes);
    return this.#deleted;
  }

  get watch(): WatchSide {
    this.#watch ??= new SqliteWatchSide(this.#db);
    return this.#watch;
  }

  get location(): string {
    return this.#db.location;
  }

  get created(): boolean {
    return this.#db.created;
  }

  get lastChange(): LogChange | null {
    return this.#made?.last ?? null;
  }

  async candidates(ref: CandidateQuery): Promise<ApiKey[]> {
    return findCandidates(this.#db, ref);
  }

  async credential(id: string): Promise<Credential | null> {
    const [row] = await readRows(this.#db, credentialById({ id }));
    const credential = row ? credentialFromRow(row) : null;
    if (!credential || !isTrustworthy(credential.key)) return null;
    knownScheme(credential.scheme); // a hash that this version cannot check must not be called wrong
    return credential;
  }

  async list(query: ListQuery): Promise<KeyPage> {
    if (query.refusedAtLeast !== undefined && !(await this.use.has())) return { keys: [], next: null };
    return listKeys(this.#db, query);
  }

  async listKnown(query: ListQuery, sinceDay: number): Promise<KnownPage> {
    return knownPage(this.#db, this, query, sinceDay);
  }

  async count(query: ListQuery): Promise<number> {
    if (query.refusedAtLeast !== undefined && !(await this.use.has())) return 0;
    const [row = []] = await readRows(this.#db, countStatement(query));
    return Number(row[0]);
  }

  async creators(ids: readonly string[]): Promise<Map<string, Creator>> {
    return readCreators(this.#db, ids);
  }

  async census(now: Date): Promise<KeyCensus> {
    return censusFromRows(await readRows(this.#db, keyCensus(now)));
  }

  async prospect(names: readonly string[], op: string | null): Promise<Prospect> {
    return readProspect(this.#db, names, op);
  }

  async namesMatching(patterns: readonly NamePattern[]): Promise<Pick<ApiKey, 'id' | 'name'>[]> {
    return (await readRows(this.#db, namesMatching({ globs: globsOf(patterns), limit: 1000 }))).flatMap(([id, name]) =>
      typeof id === 'string' && typeof name === 'string' ? [{ id, name }] : [],
    );
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
    return others === null ? null : (others + Math.imul(this.#made?.count ?? 0, 0x9e3779b1)) | 0;
  }

  get copy(): CopySide {
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
      : [...findings, damageFinding(await damagedKeys(this.#db)), useFinding(await this.use.damaged())];
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
