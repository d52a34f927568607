import { type ApiKey, nameKey } from '../domain/api-key.js';
import { type AuditAction, type AuditBody, type AuditHead, type AuditRow, appendToChain } from '../domain/audit.js';
import type { CopySide } from '../domain/copy.js';
import { isKeysError, KeysError } from '../domain/errors.js';
import { admitted, type RateDecision, refused } from '../domain/gcra.js';
import type {
  AuditEvent,
  AuditQuery,
  Change,
  Changed,
  Credential,
  Finding,
  HashMove,
  KeyPage,
  KeyPatch,
  KeyStore,
  ListQuery,
  NewKey,
  OnNamesake,
  Prospect,
  Retirement,
  Stored,
  StoredState,
} from '../domain/key-store.js';
import { belongsToOperation, endOfOperation } from '../domain/operation.js';
import type { RateLimit } from '../domain/rate-limit.js';
import type { CatalogueScope } from '../domain/scopes.js';
import type { StoreScheme } from '../domain/secret-hash.js';
import { quoted, safeText } from '../domain/text.js';
import { eventsBefore } from './audit-query.js';
import {
  nameTaken,
  nothing,
  type Planned,
  planAddScope,
  planCreate,
  planDelete,
  planHashScheme,
  planRehash,
  planRetireScope,
  planRotate,
  planUpdate,
  stateOf,
} from './changes.js';
import { SqliteCopySide } from './copy.js';
import type { Database, Rows, Statement } from './database.js';
import { credentialFromRow, KEY_FIELD_COUNT, keyFromRow } from './key-row.js';
import { encodeCursor, listStatements } from './list-query.js';
import { touching } from './query.js';
import { auditRowFromRow, headFromRows, inOrder, schemeFromRows, scopeFromRow } from './rows.js';
import {
  allScopes,
  countRequest,
  credentialById,
  credentialsAfter,
  credentialsByIds,
  credentialsByNames,
  hashKinds,
  hashScheme,
  head,
  insertAudit,
  keyByIdOrName,
  keysByIdRange,
  keysByNames,
  markUsed,
  operationRows,
  rateOf,
  rowsAfter,
} from './statements.js';

/** What one request of a distant engine is asked for at most: a server may refuse to send more than some 10 MB. */
const PAGE = 1000;

function eventFromRow([seq, op, body]: readonly unknown[]): AuditEvent {
  try {
    if (!Number.isSafeInteger(seq) || typeof op !== 'string') throw new TypeError('not a row');
    return { ...(JSON.parse(body as string) as AuditBody), seq: seq as number, op };
  } catch (cause) {
    throw new KeysError(
      'store_corrupt',
      `row ${safeText(String(seq))} of the audit log is no event`,
      'unlockos-keys audit verify',
      {
        cause,
      },
    );
  }
}

function operationEvents(rows: Rows, op: string): AuditEvent[] {
  return rows.map(eventFromRow).filter((event) => belongsToOperation(event.op, op));
}

/** The first text that sorts after every text beginning with `prefix`. */
function endOfPrefix(prefix: string): string {
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
}

function namesOf(names: readonly string[]): { names: string } {
  return { names: JSON.stringify(names.map(nameKey)) };
}

/** The one implementation of {@link KeyStore}, for every engine that speaks SQLite. */
export class SqliteKeyStore implements KeyStore {
  readonly #db: Database;
  #changes = 0;

  constructor(database: Database) {
    this.#db = database;
  }

  get location(): string {
    return this.#db.location;
  }

  get created(): boolean {
    return this.#db.created;
  }

  async #rows(query: Statement): Promise<Rows> {
    const [rows = []] = await this.#db.read([query], { fresh: true });
    return rows;
  }

  /**
   * One atomic write: what `plan` makes of the rows read under the same lock, and its audit rows. No draft, no write. An operation
   * that was carried out before, by another run, is answered by `repeated`; one that this very call carried out, with a reply that
   * was lost, by what it came to then.
   */
  async #change<T>(
    change: Change,
    reads: readonly Statement[],
    plan: (rows: Rows[]) => Planned<T>,
    repeated: (done: AuditEvent, rows: Rows[]) => T = (done) => {
      throw carriedOut(done);
    },
  ): Promise<T> {
    const attempts = new Map<string, T>();
    this.#changes += 1;
    const own = operationRows({ from: change.op, to: endOfOperation(change.op) });
    try {
      return await this.#db.write([head({}), own, ...reads], ([headRows = [], done = [], ...rows]) => {
        const [first] = done.filter(([, op]) => op === change.op);
        const hash = first?.[3] as string | undefined;
        if (hash !== undefined && attempts.has(hash)) return { writes: [], result: attempts.get(hash) as T };
        if (first) return { writes: [], result: repeated(eventFromRow(first), rows) };
        const { writes, drafts, result, readBack } = plan(rows);
        const { by, at, reason = null } = change;
        const bodies = drafts.map((draft) => ({ ...by, at: at.toISOString(), reason, ...draft }));
        const audit = appendToChain(headFromRows(headRows), change.op, bodies);
        if (audit[0]) attempts.set(audit[0].hash, result);
        return { writes: [...writes, ...audit.map((row) => touching(1, insertAudit({ ...row })))], result, readBack };
      });
    } catch (error) {
      throw isKeysError(error, 'outcome_unknown') ? unknownOutcome(error, change.op) : error;
    }
  }

  async candidates(ref: { id?: string; name?: string; idPrefix?: string; limit: number }): Promise<ApiKey[]> {
    const exactly = keyByIdOrName({ id: ref.id ?? '', nameKey: nameKey(ref.name ?? '') });
    if (!ref.idPrefix) return (await this.#rows(exactly)).map(keyFromRow);
    const range = keysByIdRange({ from: ref.idPrefix, to: endOfPrefix(ref.idPrefix), limit: ref.limit });
    const [exact = [], alike = []] = await this.#db.read([exactly, range], { fresh: true });
    return (exact.length > 0 ? exact : alike).map(keyFromRow);
  }

  async credential(id: string): Promise<Credential | null> {
    const [row] = await this.#rows(credentialById({ id }));
    return row ? credentialFromRow(row) : null;
  }

  /** The second half of a page is read only when the first did not fill it, except where asking costs more than reading. */
  async #pageRows(statements: readonly Statement[], limit: number | undefined): Promise<Rows> {
    if (this.#db.distant) return (await this.#db.read(statements)).flat();
    const rows: Rows[number][] = [];
    for (const part of statements) {
      if (limit === undefined || rows.length <= limit) rows.push(...((await this.#db.read([part]))[0] ?? []));
    }
    return rows;
  }

  async #page(query: ListQuery): Promise<KeyPage> {
    const { statements, order } = listStatements(query);
    const rows = await this.#pageRows(statements, query.limit);
    const shown = query.limit === undefined ? rows : rows.slice(0, query.limit);
    const last = shown.at(-1);
    const next =
      last && rows.length > shown.length
        ? encodeCursor(order, [last[KEY_FIELD_COUNT] as number | string, last[0] as number])
        : null;
    return { keys: shown.map(keyFromRow), next };
  }

  async list(query: ListQuery): Promise<KeyPage> {
    if (query.limit !== undefined || !this.#db.distant) return this.#page(query);
    const keys: ApiKey[] = [];
    for (let cursor = query.cursor; ; ) {
      const page = await this.#page({ ...query, limit: PAGE, cursor });
      keys.push(...page.keys);
      if (page.next === null) return { keys, next: null };
      if (page.next === cursor) throw new KeysError('store_corrupt', 'a page of the store follows itself');
      cursor = page.next;
    }
  }

  async prospect(names: readonly string[], op: string | null): Promise<Prospect> {
    const most = Math.floor(this.#db.mostWrites / 2); // a key is its row and its audit row
    if (names.length > most)
      throw new KeysError(
        'usage',
        `${names.length} keys are too many for one change of this store`,
        `it takes ${most} at once`,
      );
    const reads = [allScopes({}), hashScheme({}), keysByNames(namesOf(names))];
    if (op !== null) reads.push(operationRows({ from: op, to: endOfOperation(op) }));
    const [scopes = [], scheme = [], namesakes = [], operation = []] = await this.#db.read(reads, { fresh: true });
    return {
      scheme: schemeFromRows(scheme),
      catalogue: scopes.map(scopeFromRow),
      namesakes: namesakes.map(keyFromRow),
      operation: operationEvents(operation, op ?? ''),
    };
  }

  async operation(op: string): Promise<AuditEvent[]> {
    const rows = await this.#rows(operationRows({ from: op, to: endOfOperation(op) }));
    return operationEvents(rows, op);
  }

  async create(newKeys: readonly NewKey[], change: Change, onNamesake?: OnNamesake): Promise<Stored[]> {
    const namesakes = credentialsByNames(namesOf(newKeys.map(({ name }) => name)));
    return this.#change(change, [namesakes], ([rows = []]) =>
      planCreate(newKeys, rows.map(credentialFromRow), change.at, onNamesake),
    );
  }

  /** Reads one key under the write lock and hands it to `plan`; throws `not_found` when it is gone. */
  async #changeKey<T>(
    id: string,
    change: Change,
    reads: readonly Statement[],
    plan: (found: Credential, rows: Rows[]) => Planned<T>,
    repeated?: (done: AuditEvent, found: Credential) => T,
  ): Promise<T> {
    const found = ([row]: Rows): Credential => {
      if (!row) throw new KeysError('not_found', `key ${id} no longer exists`, 'unlockos-keys list shows what does');
      return credentialFromRow(row);
    };
    return this.#change(
      change,
      [credentialById({ id }), ...reads],
      ([row = [], ...rows]) => plan(found(row), rows),
      repeated && ((done, [row = []]) => repeated(done, found(row))),
    );
  }

  async edit(id: string, patch: KeyPatch, change: Change): Promise<Changed> {
    const reads = patch.name === undefined ? [] : [keysByNames(namesOf([patch.name]))];
    return this.#changeKey(
      id,
      change,
      reads,
      (found, [namesakes = []]) => {
        const other = namesakes.map(keyFromRow).find((key) => key.id !== id);
        if (other) throw nameTaken(other.name);
        const { key } = found;
        const {
          name = key.name,
          description = key.description,
          rateLimit = key.rateLimit,
          labels = key.labels,
        } = patch;
        return planUpdate(found, { ...key, name, description, rateLimit, labels, updatedAt: change.at }, 'key.edit');
      },
      unchanged('key.edit', id),
    );
  }

  async setStatus(id: string, status: 'active' | 'inactive', change: Change): Promise<Changed> {
    const action = status === 'active' ? 'key.enable' : 'key.disable';
    return this.#changeKey(
      id,
      change,
      [],
      (found) => planUpdate(found, { ...found.key, status, updatedAt: change.at }, action),
      unchanged(action, id),
    );
  }

  async delete(id: string, change: Change, seen?: ApiKey): Promise<ApiKey> {
    return this.#changeKey(id, change, [], (found) => {
      if (seen) assertAsSeen(found.key, seen);
      return planDelete(found);
    });
  }

  async rotate(
    id: string,
    successor: NewKey,
    retiring: Retirement,
    change: Change,
  ): Promise<{ key: ApiKey; retired: ApiKey }> {
    return this.#changeKey(id, change, [], (found) => planRotate(found, successor, retiring, change.at));
  }

  async expire(id: string, change: Change): Promise<Changed> {
    return this.#changeKey(
      id,
      change,
      [],
      (found) =>
        found.key.expiresAt !== null && found.key.expiresAt <= change.at
          ? nothing({ key: found.key, changed: false })
          : planUpdate(found, { ...found.key, expiresAt: change.at, updatedAt: change.at }, 'key.expire'),
      unchanged('key.expire', id),
    );
  }

  async catalogue(): Promise<CatalogueScope[]> {
    return (await this.#rows(allScopes({}))).map(scopeFromRow);
  }

  async addScope(scope: string, categoryLabel: string | null, change: Change): Promise<CatalogueScope> {
    return this.#change(
      change,
      [allScopes({})],
      ([rows = []]) => {
        const lastPosition = Math.max(0, ...rows.map((row) => row[5] as number));
        return planAddScope(scope, categoryLabel, rows.map(scopeFromRow), lastPosition);
      },
      (done, rows) => knownScope('scope.add', scope, done, rows),
    );
  }

  async retireScope(scope: string, change: Change): Promise<{ scope: CatalogueScope; changed: boolean }> {
    return this.#change(
      change,
      [allScopes({})],
      ([rows = []]) => planRetireScope(scope, rows.map(scopeFromRow)),
      (done, rows) => ({ scope: knownScope('scope.retire', scope, done, rows), changed: false }),
    );
  }

  async hashScheme(): Promise<StoreScheme> {
    return schemeFromRows(await this.#rows(hashScheme({})));
  }

  async setHashScheme(scheme: StoreScheme, change: Change): Promise<{ scheme: StoreScheme; changed: boolean }> {
    return this.#change(
      change,
      [hashScheme({})],
      ([rows = []]) => planHashScheme(scheme, schemeFromRows(rows)),
      (done) => {
        if (done.action !== 'store.hash') throw carriedOut(done);
        return { scheme, changed: false };
      },
    );
  }

  async hashKinds(): Promise<{ kind: string; keys: number }[]> {
    return (await this.#rows(hashKinds({}))).map(([kind, keys]) => ({ kind: String(kind), keys: Number(keys) }));
  }

  async rehash(moves: readonly HashMove[], change: Change): Promise<string[]> {
    const ids = JSON.stringify(moves.map(({ id }) => id));
    return this.#change(
      change,
      [credentialsByIds({ ids })],
      ([rows = []]) => planRehash(moves, rows.map(credentialFromRow)),
      () => [],
    );
  }

  async admit(id: string, rateLimit: RateLimit): Promise<RateDecision> {
    const each = (rateLimit.windowSeconds * 1000) / rateLimit.limit;
    const counting = { id, window: rateLimit.windowSeconds * 1000, each };
    const [counted = [], known = []] = await this.#db.run([countRequest(counting), rateOf({ id })]);
    const [whole, now] = (counted[0] ?? known[0] ?? []) as [unknown, unknown];
    if (typeof whole !== 'number' || typeof now !== 'number')
      throw new KeysError('store_unavailable', `key ${id} was deleted while its request was counted`, 'try again');
    return counted.length > 0 ? admitted(whole, rateLimit, now) : refused(whole, rateLimit, now);
  }

  version(): number | null {
    const others = this.#db.version(); // counts what came through other connections, one by one
    return others === null ? null : (others + Math.imul(this.#changes, 0x9e3779b1)) | 0;
  }

  async markUsed(marks: readonly { readonly id: string; readonly at: Date }[]): Promise<void> {
    const pairs = JSON.stringify(marks.map(({ id, at }) => [id, at.getTime()]));
    await this.#db.write([], () => ({ writes: [{ ...markUsed({ marks: pairs }), rows: null }], result: undefined }));
  }

  async auditEvents(query: AuditQuery): Promise<AuditEvent[]> {
    const events: AuditEvent[] = [];
    for (let before: number | undefined; ; before = events.at(-1)?.seq) {
      const left = query.limit === undefined ? PAGE : Math.min(PAGE, query.limit - events.length);
      const [rows = []] = await this.#db.read([eventsBefore(query, before, left)]);
      const page = rows.map(eventFromRow);
      if (page.some(({ seq }, i) => seq >= (page[i - 1]?.seq ?? before ?? Number.POSITIVE_INFINITY)))
        throw new KeysError('store_corrupt', 'the order of the audit rows is none', 'unlockos-keys audit verify');
      events.push(...page);
      if (rows.length < left || events.length === query.limit) return events.reverse();
    }
  }

  async auditHead(): Promise<AuditHead> {
    return headFromRows(await this.#rows(head({})));
  }

  async auditRows(afterSeq: number, limit: number): Promise<AuditRow[]> {
    const rows = await this.#rows(rowsAfter({ seq: afterSeq, limit }));
    return inOrder(rows, afterSeq).map(auditRowFromRow);
  }

  async keyStates(afterSeq: number, limit: number): Promise<StoredState[]> {
    const rows = await this.#rows(credentialsAfter({ seq: afterSeq, limit }));
    return inOrder(rows, afterSeq).map((row) => {
      const credential = credentialFromRow(row);
      return { seq: row[0] as number, id: credential.key.id, state: stateOf(credential) };
    });
  }

  get copySide(): CopySide {
    return new SqliteCopySide(this.#db);
  }

  async check(): Promise<Finding[]> {
    return this.#db.check();
  }

  async backup(file: string): Promise<void> {
    return this.#db.backup(file);
  }

  async close(): Promise<void> {
    return this.#db.close();
  }
}

/** A key that somebody changed or used meanwhile may be needed after all. */
function assertAsSeen(key: ApiKey, seen: ApiKey): void {
  const times = ({ updatedAt, lastUsedAt }: ApiKey) => `${updatedAt.getTime()} ${lastUsedAt?.getTime()}`;
  if (times(key) !== times(seen) || key.status !== seen.status)
    throw new KeysError(
      'conflict',
      `key ${quoted(seen.name)} (${seen.id}) was changed or used meanwhile, and stays`,
      'run the command again to see what it would do now',
    );
}

function carriedOut(done: AuditEvent): KeysError {
  const what = done.keyId === null ? done.action : `${done.action} of ${done.keyId}`;
  return new KeysError(
    'conflict',
    `operation ${done.op} was already carried out: ${what}`,
    'leave --operation-id out for a new change; unlockos-keys audit list shows what was done',
  );
}

/** The answer to a repeated change of one key: it is done, and is not done again; `conflict` when the id stands for another change. */
function unchanged(action: AuditAction, id: string): (done: AuditEvent, found: Credential) => Changed {
  return (done, { key }) => {
    if (done.action !== action || done.keyId !== id) throw carriedOut(done);
    return { key, changed: false };
  };
}

function knownScope(action: AuditAction, scope: string, done: AuditEvent, [rows = []]: Rows[]): CatalogueScope {
  const found = rows.map(scopeFromRow).find((entry) => entry.scope === scope);
  if (done.action !== action || (done.after as { scope?: string } | null)?.scope !== scope || !found)
    throw carriedOut(done);
  return found;
}

function unknownOutcome(error: KeysError, op: string): KeysError {
  const [operation = op] = op.split(':');
  return new KeysError(
    'outcome_unknown',
    `${error.message}; the change may or may not have been made (operation ${operation})`,
    `run the same command again with --operation-id ${operation}: it finishes what is unfinished, and repeats nothing`,
    { cause: error.cause },
  );
}
