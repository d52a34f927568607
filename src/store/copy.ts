import { type AuditHead, type AuditRow, formatHead } from '../domain/audit.js';
import type { CopiedCount, CopiedKey, CopyPage, CopySide } from '../domain/copy.js';
import { KeysError } from '../domain/errors.js';
import { nameKey } from '../domain/key-name.js';
import { settingsOf } from '../domain/policy.js';
import type { CatalogueScope } from '../domain/scopes.js';
import type { StoreScheme } from '../domain/secret-hash.js';
import { safeText } from '../domain/text.js';
import type { Recording } from '../domain/use.js';
import { settingWrites } from './catalogue-changes.js';
import { markFinished, markUnfinished, selectMark } from './copy-mark.js';
import { changingColumns, credentialFromRow, keyColumns, secretColumns } from './credential-row.js';
import type { Database, Rows, Write } from './database.js';
import { deletedOfEvents, deletedRows, dropAll, hasDeleted, insertDeleted } from './deleted-writes.js';
import { eq, qb } from './drizzle.js';
import { FORGETS_TOKENS } from './exchange.js';
import { hashColumn } from './hash-column.js';
import { affectingRows, statement } from './query.js';
import { readRows } from './read-rows.js';
import {
  auditRowFromRow,
  headFromRows,
  inOrder,
  placedScopes,
  policyFromRows,
  schemeFromRows,
  scopesFromRows,
  settingsFromRows,
} from './rows.js';
import { apiKeys, keyUsage, scopes } from './schema.js';
import {
  allScopes,
  credentialsAfter,
  credentialsOfEvents,
  deleteKey,
  hashScheme,
  head,
  insertAudit,
  leaveToken,
  namesHeld,
  policyRows,
  readToken,
  rowsAfter,
  setHashScheme,
  takeToken,
} from './statements.js';
import type { SqliteUseSide } from './use.js';

/** Throws `store_corrupt` for a damaged key: a copy of it would hold something else. */
function copiedFromRow(row: readonly unknown[]): CopiedKey {
  const credential = credentialFromRow(row);
  const { id, damaged } = credential.key;
  if (damaged)
    throw new KeysError(
      'store_corrupt',
      `key ${safeText(id)} is damaged: its ${damaged.join(', ')} cannot be read`,
      `delete it, then copy again: unlockos-keys delete ${safeText(id)}`,
    );
  return { seq: row[0] as number, ...credential };
}

function keyIdOf({ body, seq, damaged }: AuditRow): string[] {
  try {
    if (damaged) throw new TypeError('not text');
    const { keyId } = JSON.parse(body) as { keyId?: unknown };
    return typeof keyId === 'string' ? [keyId] : [];
  } catch {
    throw new KeysError('store_corrupt', `row ${seq} of the audit log is not an event`, 'unlockos-keys audit verify');
  }
}

function insertCopy(copied: CopiedKey): Write {
  const columns = { seq: copied.seq, ...keyColumns(copied.key), ...secretColumns(copied) };
  return affectingRows(1, statement(qb.insert(apiKeys).values(columns)));
}

function updateCopy({ key, hash }: CopiedKey): Write {
  return affectingRows(
    1,
    statement(
      qb
        .update(apiKeys)
        .set({ ...changingColumns(key), hash: hashColumn(key, hash) })
        .where(eq(apiKeys.id, key.id)),
    ),
  );
}

function lastUsedOf({ seq, key }: CopiedKey): Write[] {
  if (key.lastUsedAt === null) return [];
  const update = qb.update(keyUsage).set({ lastUsedAt: key.lastUsedAt.getTime() }).where(eq(keyUsage.keySeq, seq));
  return [{ ...statement(update), rows: 1 }];
}

/**
 * If another key still has the name here that a copied key has, it lost the name further on in the log. It gives the name up now; its own
 * event brings its present name.
 */
function freeName(id: string): Write {
  return affectingRows(
    1,
    statement(
      qb
        .update(apiKeys)
        .set({ nameKey: `~${id}` })
        .where(eq(apiKeys.id, id)),
    ),
  );
}

function schemeWrites(theirs: StoreScheme, ours: StoreScheme): Write[] {
  return theirs === ours ? [] : [affectingRows(1, setHashScheme({ scheme: theirs }))];
}

function scopeWrites(theirs: CopyPage['catalogue'], ours: readonly CatalogueScope[]): Write[] {
  return theirs.flatMap((entry): Write[] => {
    const known = ours.find(({ scope }) => scope === entry.scope);
    if (!known) return [affectingRows(1, statement(qb.insert(scopes).values({ ...entry })))];
    if (known.retired === entry.retired) return [];
    const update = qb.update(scopes).set({ retired: entry.retired }).where(eq(scopes.scope, entry.scope));
    return [affectingRows(1, statement(update))];
  });
}

/**
 * The writes for one page. `present`: id and name key of the keys here that share an id or a name with the page. Keys come before the
 * audit rows, because the database refuses a key whose id is already in its log.
 */
function planPage(page: CopyPage, present: Rows, ours: readonly CatalogueScope[]): Write[] {
  const gone = new Set(page.gone);
  const kept = new Set(page.deleted.map(({ id }) => id));
  const here = new Map((present as [string, string][]).filter(([id]) => !gone.has(id)));
  const wanted = new Map(page.keys.map(({ key }) => [nameKey(key.name), key.id]));
  const inTheWay = [...here].filter(([id, name]) => wanted.has(name) && wanted.get(name) !== id);
  return [
    ...page.deleted.map(insertDeleted), // before the keys go: the database asks for them
    ...(present as [string][]).filter(([id]) => gone.has(id)).map(([id]) => affectingRows(1, deleteKey({ id }))),
    ...inTheWay.map(([id]) => freeName(id)),
    ...page.keys.flatMap((copied) => [
      here.has(copied.key.id) ? updateCopy(copied) : insertCopy(copied),
      ...lastUsedOf(copied),
    ]),
    dropAll([...page.keys.map(({ key }) => key.id), ...page.gone.filter((id) => !kept.has(id))]),
    ...scopeWrites(page.catalogue, ours),
    ...page.rows.map((row) => affectingRows(1, insertAudit({ ...row }))),
  ];
}

/** {@link CopySide} over SQL. The contracts are documented there. */
export class SqliteCopySide implements CopySide {
  readonly #db: Database;
  readonly #use: SqliteUseSide;

  constructor(database: Database, use: SqliteUseSide) {
    this.#db = database;
    this.#use = use;
  }

  async page(seq: number, limit: number): Promise<CopyPage> {
    const range = { seq, limit };
    const reads = [rowsAfter(range), credentialsOfEvents(range), allScopes({}), hashScheme({}), policyRows({})];
    if (await hasDeleted(this.#db)) reads.push(deletedOfEvents(range));
    const [audit = [], found = [], catalogue = [], scheme = [], policy = [], deleted = []] = await this.#db.read(
      reads,
      {
        fresh: true,
      },
    );
    const rows = inOrder(audit, seq).map(auditRowFromRow);
    const ids = [...new Set(rows.flatMap(keyIdOf))];
    const keys = found.map(copiedFromRow);
    const there = new Set(keys.map(({ key }) => key.id));
    return {
      rows,
      keys,
      gone: ids.filter((id) => !there.has(id)),
      deleted: deletedRows(deleted),
      catalogue: placedScopes(catalogue),
      scheme: schemeFromRows(scheme),
      policy: policyFromRows(policy),
    };
  }

  async keys(seq: number, limit: number): Promise<CopiedKey[]> {
    const rows = await readRows(this.#db, credentialsAfter({ seq, limit }));
    return inOrder(rows, seq).map(copiedFromRow);
  }

  async leaveToken(token: string): Promise<void> {
    await this.#db.write([], () => ({ writes: [affectingRows(1, leaveToken({ token }))], result: undefined }));
  }

  async sees(token: string): Promise<boolean> {
    const rows = await readRows(this.#db, readToken({}));
    return rows[0]?.[0] === token;
  }

  async takeToken(): Promise<void> {
    await this.#db.write([], () => ({ writes: [{ ...takeToken({}), rows: null }], result: undefined }));
  }

  async begin(): Promise<void> {
    await this.#db.write(
      [selectMark()],
      ([marked = []]) => ({
        writes: marked.length > 0 ? [] : [affectingRows(1, markUnfinished())],
        result: undefined,
      }),
      { change: true },
    );
  }

  async receive(page: CopyPage, expected: AuditHead): Promise<void> {
    const last = page.rows.at(-1);
    const names = JSON.stringify(page.keys.map(({ key }) => nameKey(key.name)));
    const ids = JSON.stringify([...page.keys.map(({ key }) => key.id), ...page.gone]);
    await this.#db.write(
      [head({}), namesHeld({ ids, names }), allScopes({}), hashScheme({}), policyRows({})],
      ([ours = [], present = [], known = [], scheme = [], policy = []]) => {
        const now = headFromRows(ours);
        if (last && now.seq === last.seq && now.hash === last.hash) return { writes: [], result: undefined }; // this page was committed, and the reply was lost
        if (now.seq !== expected.seq || now.hash !== expected.hash)
          throw new KeysError(
            'conflict',
            `${safeText(this.#db.location)} was changed during the copy (its log is now at ${formatHead(now)})`,
            'if another copy to it is running, wait for its end and run this again',
          );
        return {
          writes: [
            ...planPage(page, present, scopesFromRows(known)),
            ...schemeWrites(page.scheme, schemeFromRows(scheme)),
            ...settingWrites(settingsFromRows(policy), settingsOf(page.policy)),
          ],
          result: undefined,
        };
      },
    );
  }

  async receiveMarks(keys: readonly CopiedKey[]): Promise<void> {
    const writes = keys.flatMap(lastUsedOf);
    if (writes.length > 0) await this.#db.write([], () => ({ writes, result: undefined }));
  }

  async counts(after: CopiedCount | null, limit: number): Promise<CopiedCount[]> {
    return this.#use.copiedCounts(after, limit);
  }

  async receiveCounts(counts: readonly CopiedCount[], recording: Recording): Promise<void> {
    return this.#use.receiveCounts(counts, recording);
  }

  async finish(): Promise<boolean> {
    return this.#db.write([selectMark()], ([marked = []]) => ({
      writes: marked.length > 0 ? [FORGETS_TOKENS, affectingRows(1, markFinished())] : [],
      result: marked.length > 0,
    }));
  }
}
