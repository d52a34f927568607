import { type ApiKey, nameKey } from '../domain/api-key.js';
import {
  type AuditAction,
  type AuditBody,
  type AuditHead,
  type AuditRow,
  appendToChain,
  GENESIS,
  keyState,
  stateDifference,
} from '../domain/audit.js';
import { KeysError } from '../domain/errors.js';
import type {
  AuditEvent,
  AuditQuery,
  Change,
  Changed,
  Credential,
  Finding,
  KeyPage,
  KeyPatch,
  KeyStore,
  ListQuery,
  NewKey,
  StoredState,
} from '../domain/key-store.js';
import type { CatalogueScope } from '../domain/scopes.js';
import { credentialDigest } from '../domain/secret-hash.js';
import { quoted, safeText } from '../domain/text.js';
import type { Database, Rows, Statement, Write } from './database.js';
import { and, desc, eq, gte, or } from './drizzle.js';
import { KEY_FIELD_COUNT, keyFromNew, keyFromRow, searchText } from './key-row.js';
import { encodeCursor, listStatements } from './list-query.js';
import { qb, statement, touching } from './query.js';
import { apiKeys, auditEvents, scopes } from './schema.js';
import {
  allScopes,
  credentialById,
  credentialsAfter,
  deleteKey,
  head,
  insertAudit,
  insertKey,
  keyByIdOrName,
  keyByName,
  keysByIdRange,
  rowsAfter,
} from './statements.js';

/** The part of an audit row that a change supplies; the rest comes from its {@link Change}. */
type Draft = Pick<AuditBody, 'action' | 'keyId' | 'keyName' | 'before' | 'after'>;

interface Planned<T> {
  readonly writes: readonly Write[];
  readonly drafts: readonly Draft[];
  readonly result: T;
}

function credentialFromRow(row: readonly unknown[]): Credential {
  const [hash, guard] = row.slice(KEY_FIELD_COUNT) as [string, string];
  return { key: keyFromRow(row), hash, guard };
}

function stateOf({ key, hash, guard }: Credential) {
  return keyState(key, credentialDigest(hash, guard));
}

function headFromRows(rows: Rows): AuditHead {
  const [row] = rows as [number, string][];
  return row ? { seq: row[0], hash: row[1] } : GENESIS;
}

function scopeFromRow(row: readonly unknown[]): CatalogueScope {
  const [scope, category, categoryLabel, action, retired] = row as [string, string, string, string, number];
  return { scope, category, categoryLabel, action, retired: retired !== 0 };
}

/** The first text that sorts after every text beginning with `prefix`. */
function endOfPrefix(prefix: string): string {
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
}

/** The one implementation of {@link KeyStore}, for every engine that speaks SQLite. */
export class SqliteKeyStore implements KeyStore {
  readonly #db: Database;

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
    const [rows] = await this.#db.read([query]);
    return rows ?? [];
  }

  /** One atomic write: what `plan` makes of the rows read under the same lock, and its audit rows. No draft, no write. */
  async #change<T>(change: Change, reads: readonly Statement[], plan: (rows: Rows[]) => Planned<T>): Promise<T> {
    return this.#db.write([head({}), ...reads], ([headRows = [], ...rows]) => {
      const { writes, drafts, result } = plan(rows);
      const bodies = drafts.map((draft) => ({
        ...change.by,
        at: change.at.toISOString(),
        reason: change.reason ?? null,
        ...draft,
      }));
      const audit = appendToChain(headFromRows(headRows), change.op, bodies);
      return { writes: [...writes, ...audit.map((row) => touching(1, insertAudit({ ...row })))], result };
    });
  }

  async candidates(ref: { id?: string; name?: string; idPrefix?: string; limit: number }): Promise<ApiKey[]> {
    const exact = await this.#rows(keyByIdOrName({ id: ref.id ?? '', nameKey: nameKey(ref.name ?? '') }));
    if (exact.length > 0 || !ref.idPrefix) return exact.map(keyFromRow);
    return (
      await this.#rows(keysByIdRange({ from: ref.idPrefix, to: endOfPrefix(ref.idPrefix), limit: ref.limit }))
    ).map(keyFromRow);
  }

  async credential(id: string): Promise<Credential | null> {
    const [row] = await this.#rows(credentialById({ id }));
    return row ? credentialFromRow(row) : null;
  }

  async list(query: ListQuery): Promise<KeyPage> {
    const { statements, order } = listStatements(query);
    const rows: Rows[number][] = [];
    for (const page of statements) {
      if (query.limit === undefined || rows.length <= query.limit) rows.push(...(await this.#rows(page)));
    }
    const shown = query.limit === undefined ? rows : rows.slice(0, query.limit);
    const last = shown.at(-1);
    const next =
      last && rows.length > shown.length
        ? encodeCursor(order, [last[KEY_FIELD_COUNT] as number | string, last[0] as number])
        : null;
    return { keys: shown.map(keyFromRow), next };
  }

  async create(newKeys: readonly NewKey[], change: Change): Promise<ApiKey[]> {
    const reads = newKeys.map((key) => keyByName({ nameKey: nameKey(key.name) }));
    return this.#change(change, reads, (rows) => {
      const taken = newKeys.find((_, i) => (rows[i]?.length ?? 0) > 0);
      if (taken) throw nameTaken(taken.name);
      const made = newKeys.map((key) => keyFromNew(key, change.at));
      return {
        writes: newKeys.map((key) =>
          touching(
            1,
            insertKey({
              ...key,
              nameKey: nameKey(key.name),
              scopes: [...key.scopes],
              rateLimit: key.rateLimit.limit,
              rateWindowSeconds: key.rateLimit.windowSeconds,
              expiresAt: key.expiresAt?.getTime() ?? null,
              at: change.at.getTime(),
              searchText: searchText(key),
            }),
          ),
        ),
        drafts: made.map((key, i) => ({
          action: 'key.create',
          keyId: key.id,
          keyName: key.name,
          before: null,
          after: { ...stateOf({ key, ...credentialPart(newKeys[i] as NewKey) }) },
        })),
        result: made,
      };
    });
  }

  /** Reads one key under the write lock and hands it to `plan`; throws `not_found` when it is gone. */
  async #changeKey<T>(
    id: string,
    change: Change,
    reads: readonly Statement[],
    plan: (found: Credential, rows: Rows[]) => Planned<T>,
  ): Promise<T> {
    return this.#change(change, [credentialById({ id }), ...reads], ([found = [], ...rows]) => {
      const [row] = found;
      if (!row) throw new KeysError('not_found', `key ${id} no longer exists`, 'unlockos-keys list shows what does');
      return plan(credentialFromRow(row), rows);
    });
  }

  /** Writes the difference between a key and what it shall become; none is no write. */
  #update(found: Credential, key: ApiKey, action: AuditAction): Planned<Changed> {
    const { before, after } = stateDifference(stateOf(found), stateOf({ ...found, key }));
    if (Object.keys(after).length === 0) return { writes: [], drafts: [], result: { key: found.key, changed: false } };
    const update = qb
      .update(apiKeys)
      .set({
        name: key.name,
        nameKey: nameKey(key.name),
        description: key.description,
        status: key.status,
        rateLimit: key.rateLimit.limit,
        rateWindowSeconds: key.rateLimit.windowSeconds,
        updatedAt: key.updatedAt.getTime(),
        searchText: searchText(key),
      })
      .where(
        and(
          eq(apiKeys.id, key.id),
          eq(apiKeys.status, found.key.status),
          eq(apiKeys.updatedAt, found.key.updatedAt.getTime()),
        ),
      );
    return {
      writes: [touching(1, statement(update))],
      drafts: [{ action, keyId: key.id, keyName: key.name, before, after }],
      result: { key, changed: true },
    };
  }

  async edit(id: string, patch: KeyPatch, change: Change): Promise<Changed> {
    const reads = patch.name === undefined ? [] : [keyByName({ nameKey: nameKey(patch.name) })];
    return this.#changeKey(id, change, reads, (found, [namesakes = []]) => {
      const other = namesakes.map(keyFromRow).find((key) => key.id !== id);
      if (other) throw nameTaken(other.name);
      const { name = found.key.name, description = found.key.description, rateLimit = found.key.rateLimit } = patch;
      return this.#update(found, { ...found.key, name, description, rateLimit, updatedAt: change.at }, 'key.edit');
    });
  }

  async setStatus(id: string, status: 'active' | 'inactive', change: Change): Promise<Changed> {
    return this.#changeKey(id, change, [], (found) =>
      this.#update(
        found,
        { ...found.key, status, updatedAt: change.at },
        status === 'active' ? 'key.enable' : 'key.disable',
      ),
    );
  }

  async delete(id: string, change: Change): Promise<ApiKey> {
    return this.#changeKey(id, change, [], (found) => ({
      writes: [touching(1, deleteKey({ id }))],
      drafts: [
        { action: 'key.delete', keyId: id, keyName: found.key.name, before: { ...stateOf(found) }, after: null },
      ],
      result: found.key,
    }));
  }

  async catalogue(): Promise<CatalogueScope[]> {
    return (await this.#rows(allScopes({}))).map(scopeFromRow);
  }

  async addScope(scope: string, categoryLabel: string | null, change: Change): Promise<CatalogueScope> {
    const [category = '', action = ''] = scope.split(':');
    return this.#change(change, [allScopes({})], ([rows = []]) => {
      const known = rows.map(scopeFromRow);
      if (known.some((entry) => entry.scope === scope))
        throw new KeysError(
          'conflict',
          `scope ${quoted(scope)} is already in the catalogue`,
          'unlockos-keys scopes list',
        );
      const label = known.find((entry) => entry.category === category)?.categoryLabel ?? categoryLabel ?? category;
      const added: CatalogueScope = { scope, category, categoryLabel: label, action, retired: false };
      const position = Math.max(0, ...rows.map((row) => row[5] as number)) + 1;
      return {
        writes: [
          touching(1, statement(qb.insert(scopes).values({ position, scope, category, categoryLabel: label, action }))),
        ],
        drafts: [
          { action: 'scope.add', keyId: null, keyName: null, before: null, after: { scope, categoryLabel: label } },
        ],
        result: added,
      };
    });
  }

  async retireScope(scope: string, change: Change): Promise<{ scope: CatalogueScope; changed: boolean }> {
    return this.#change<{ scope: CatalogueScope; changed: boolean }>(change, [allScopes({})], ([rows = []]) => {
      const found = rows.map(scopeFromRow).find((entry) => entry.scope === scope);
      if (!found)
        throw new KeysError('not_found', `scope ${quoted(scope)} is not in the catalogue`, 'unlockos-keys scopes list');
      if (found.retired) return { writes: [], drafts: [], result: { scope: found, changed: false } };
      return {
        writes: [
          touching(
            1,
            statement(
              qb
                .update(scopes)
                .set({ retired: true })
                .where(and(eq(scopes.scope, scope), eq(scopes.retired, false))),
            ),
          ),
        ],
        drafts: [
          {
            action: 'scope.retire',
            keyId: null,
            keyName: null,
            before: { scope, retired: false },
            after: { scope, retired: true },
          },
        ],
        result: { scope: { ...found, retired: true }, changed: true },
      };
    });
  }

  async auditEvents(query: AuditQuery): Promise<AuditEvent[]> {
    const built = qb
      .select({ seq: auditEvents.seq, op: auditEvents.op, body: auditEvents.body })
      .from(auditEvents)
      .where(
        and(
          query.keyId === undefined ? undefined : eq(auditEvents.keyId, query.keyId),
          query.action === undefined ? undefined : eq(auditEvents.action, query.action),
          query.actor === undefined
            ? undefined
            : or(eq(auditEvents.actor, query.actor), eq(auditEvents.osUser, query.actor)),
          query.since === undefined ? undefined : gte(auditEvents.at, query.since.toISOString()),
        ),
      )
      .orderBy(desc(auditEvents.seq));
    const rows = await this.#rows(statement(query.limit === undefined ? built : built.limit(query.limit)));
    return rows
      .map(([seq, op, body]) => ({
        seq: seq as number,
        op: op as string,
        ...(JSON.parse(body as string) as AuditBody),
      }))
      .reverse();
  }

  async auditHead(): Promise<AuditHead> {
    return headFromRows(await this.#rows(head({})));
  }

  async auditRows(afterSeq: number, limit: number): Promise<AuditRow[]> {
    const rows = await this.#rows(rowsAfter({ seq: afterSeq, limit }));
    return (rows as [number, string, string, string, string][]).map(([seq, op, body, prev, hash]) => ({
      seq,
      op,
      body,
      prev,
      hash,
    }));
  }

  async keyStates(afterSeq: number, limit: number): Promise<StoredState[]> {
    const rows = await this.#rows(credentialsAfter({ seq: afterSeq, limit }));
    return rows.map((row) => {
      const credential = credentialFromRow(row);
      return { seq: row[0] as number, id: credential.key.id, state: stateOf(credential) };
    });
  }

  async confirmStored(expected: readonly { id: string; hash: string }[]): Promise<void> {
    const fresh = await this.#db.reopen();
    try {
      const found = await fresh.read(expected.map(({ id }) => credentialById({ id })));
      const missing = expected.find(({ hash }, i) => found[i]?.[0]?.[KEY_FIELD_COUNT] !== hash);
      if (missing)
        throw new KeysError(
          'store_unavailable',
          `key ${missing.id} was written but cannot be read back from ${safeText(this.location)}`,
          'unlockos-keys doctor says more; the key was not handed out',
        );
    } finally {
      await fresh.close();
    }
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

function credentialPart({ hash, guard }: NewKey): { hash: string; guard: string } {
  return { hash, guard };
}

function nameTaken(name: string): KeysError {
  return new KeysError(
    'name_taken',
    `a key named ${quoted(name)} exists`,
    `choose another name, or see it: unlockos-keys show ${/^[\w.-]+$/.test(name) ? name : quoted(name)}`,
  );
}
