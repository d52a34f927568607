import { nameKey } from '../domain/api-key.js';
import { type AuditHead, type AuditRow, formatHead } from '../domain/audit.js';
import type { CopiedKey, CopyPage, CopySide } from '../domain/copy.js';
import { KeysError } from '../domain/errors.js';
import type { CatalogueScope } from '../domain/scopes.js';
import type { StoreScheme } from '../domain/secret-hash.js';
import { safeText } from '../domain/text.js';
import type { Database, Rows, Statement, Write } from './database.js';
import { eq } from './drizzle.js';
import { credentialFromRow, editableColumns } from './key-row.js';
import { qb, statement, touching } from './query.js';
import { auditRowFromRow, headFromRows, inOrder, schemeFromRows, scopeFromRow } from './rows.js';
import { apiKeys, keyUsage, schemaMigrations, scopes } from './schema.js';
import {
  allScopes,
  credentialsAfter,
  credentialsByIds,
  deleteKey,
  hashScheme,
  head,
  insertAudit,
  namesHeld,
  rowsAfter,
  setHashScheme,
} from './statements.js';

/** A store that is being filled has a row of this version among its migrations, and every opener but the copy's own refuses it. */
export const COPY_MARK = 0;

/** A new store for a copy is marked by the write that makes it, so that there is no moment at which it looks finished. */
export function markUnfinished(): Statement {
  return statement(qb.insert(schemaMigrations).values({ version: COPY_MARK, tag: 'copy', checksum: '', appliedAt: 0 }));
}

function copiedFromRow(row: readonly unknown[]): CopiedKey {
  return { seq: row[0] as number, ...credentialFromRow(row) };
}

function keyIdOf({ body, seq }: AuditRow): string[] {
  try {
    const { keyId } = JSON.parse(body) as { keyId?: unknown };
    return typeof keyId === 'string' ? [keyId] : [];
  } catch {
    throw new KeysError('store_corrupt', `row ${seq} of the audit log is no event`, 'unlockos-keys audit verify');
  }
}

function mutableFields({ key, hash }: CopiedKey) {
  return { ...editableColumns(key), hash };
}

function insertCopy(copied: CopiedKey): Write {
  const { id, mode, createdAt, scopes: held, rotatedFrom } = copied.key;
  const fixed = {
    seq: copied.seq,
    id,
    mode,
    guard: copied.guard,
    scopes: [...held],
    createdAt: createdAt.getTime(),
    rotatedFrom,
  };
  return touching(1, statement(qb.insert(apiKeys).values({ ...fixed, ...mutableFields(copied) })));
}

function updateCopy(copied: CopiedKey): Write {
  return touching(1, statement(qb.update(apiKeys).set(mutableFields(copied)).where(eq(apiKeys.id, copied.key.id))));
}

function lastUsedOf({ seq, key }: CopiedKey): Write[] {
  if (key.lastUsedAt === null) return [];
  const update = qb.update(keyUsage).set({ lastUsedAt: key.lastUsedAt.getTime() }).where(eq(keyUsage.keySeq, seq));
  return [{ ...statement(update), rows: 1 }];
}

/**
 * A key takes a name that another still has here only when that one lost it further on in the log. It gives it up now, and its own
 * event will bring the name that it has.
 */
function freeName(id: string): Write {
  return touching(
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
  return theirs === ours ? [] : [touching(1, setHashScheme({ scheme: theirs }))];
}

function scopeWrites(theirs: CopyPage['catalogue'], ours: readonly CatalogueScope[]): Write[] {
  return theirs.flatMap((entry): Write[] => {
    const known = ours.find(({ scope }) => scope === entry.scope);
    if (!known) return [touching(1, statement(qb.insert(scopes).values({ ...entry })))];
    if (known.retired === entry.retired) return [];
    const update = qb.update(scopes).set({ retired: entry.retired }).where(eq(scopes.scope, entry.scope));
    return [touching(1, statement(update))];
  });
}

/**
 * What a page writes into a store that holds `present` (id and name key of the keys that have an id or a name of the page's). Keys come
 * before the audit rows: the database takes no key whose id its log knows.
 */
function planPage(page: CopyPage, present: Rows, ours: readonly CatalogueScope[]): Write[] {
  const gone = new Set(page.gone);
  const here = new Map((present as [string, string][]).filter(([id]) => !gone.has(id)));
  const wanted = new Map(page.keys.map(({ key }) => [nameKey(key.name), key.id]));
  const inTheWay = [...here].filter(([id, name]) => wanted.has(name) && wanted.get(name) !== id);
  return [
    ...(present as [string][]).filter(([id]) => gone.has(id)).map(([id]) => touching(1, deleteKey({ id }))),
    ...inTheWay.map(([id]) => freeName(id)),
    ...page.keys.flatMap((copied) => [
      here.has(copied.key.id) ? updateCopy(copied) : insertCopy(copied),
      ...lastUsedOf(copied),
    ]),
    ...scopeWrites(page.catalogue, ours),
    ...page.rows.map((row) => touching(1, insertAudit({ ...row }))),
  ];
}

/** {@link CopySide} over SQL. */
export class SqliteCopySide implements CopySide {
  readonly #db: Database;

  constructor(database: Database) {
    this.#db = database;
  }

  async page(seq: number, limit: number): Promise<CopyPage> {
    const [audit = []] = await this.#db.read([rowsAfter({ seq, limit })], { fresh: true });
    const rows = inOrder(audit, seq).map(auditRowFromRow);
    const ids = [...new Set(rows.flatMap(keyIdOf))];
    const reads = [credentialsByIds({ ids: JSON.stringify(ids) }), allScopes({}), hashScheme({})];
    const [found = [], catalogue = [], scheme = []] = await this.#db.read(reads, { fresh: true });
    const keys = found.map(copiedFromRow);
    const there = new Set(keys.map(({ key }) => key.id));
    return {
      rows,
      keys,
      gone: ids.filter((id) => !there.has(id)),
      catalogue: catalogue.map((row) => ({ ...scopeFromRow(row), position: row[5] as number })),
      scheme: schemeFromRows(scheme),
    };
  }

  async keys(seq: number, limit: number): Promise<CopiedKey[]> {
    const [rows = []] = await this.#db.read([credentialsAfter({ seq, limit })], { fresh: true });
    return inOrder(rows, seq).map(copiedFromRow);
  }

  async begin(): Promise<void> {
    await this.#db.write([isMarked()], ([marked = []]) => ({
      writes: marked.length > 0 ? [] : [touching(1, markUnfinished())],
      result: undefined,
    }));
  }

  async receive(page: CopyPage, expected: AuditHead): Promise<void> {
    const last = page.rows.at(-1);
    const names = JSON.stringify(page.keys.map(({ key }) => nameKey(key.name)));
    const ids = JSON.stringify([...page.keys.map(({ key }) => key.id), ...page.gone]);
    await this.#db.write(
      [head({}), namesHeld({ ids, names }), allScopes({}), hashScheme({})],
      ([ours = [], present = [], known = [], scheme = []]) => {
        const now = headFromRows(ours);
        if (last && now.seq === last.seq && now.hash === last.hash) return { writes: [], result: undefined }; // a lost reply
        if (now.seq !== expected.seq || now.hash !== expected.hash)
          throw new KeysError(
            'conflict',
            `${safeText(this.#db.location)} was changed while it was copied to (its log is at ${formatHead(now)})`,
            'is another copy to it under way? then run this again when that is done',
          );
        return {
          writes: [
            ...planPage(page, present, known.map(scopeFromRow)),
            ...schemeWrites(page.scheme, schemeFromRows(scheme)),
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

  async finish(): Promise<void> {
    const unmark = statement(qb.delete(schemaMigrations).where(eq(schemaMigrations.version, COPY_MARK)));
    await this.#db.write([isMarked()], ([marked = []]) => ({
      writes: marked.length > 0 ? [touching(1, unmark)] : [],
      result: undefined,
    }));
  }
}

function isMarked() {
  return statement(
    qb
      .select({ version: schemaMigrations.version })
      .from(schemaMigrations)
      .where(eq(schemaMigrations.version, COPY_MARK)),
  );
}
