import type { Authorship } from '../../domain/audit.js';
import { KeysError } from '../../domain/errors.js';
import { COPY_MARK, markUnfinished } from '../copy.js';
import type { Rows, Statement } from '../database.js';
import { unfinishedCopy } from '../errors.js';
import { birthRow, FIRST_TAG, type Migration } from '../migrations.js';
import { insertAudit } from '../statements.js';

/** Which migrations the store has seen. */
export const PROBE: Statement = { sql: 'SELECT version, tag FROM schema_migrations ORDER BY version', params: [] };

/** What there is in a database without our table of versions, and whether that table has come meanwhile. */
export const OBJECTS: Statement = {
  sql:
    "SELECT count(*) AS objects, count(CASE name WHEN 'schema_migrations' THEN 1 END) AS made FROM sqlite_master " +
    "WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE 'libsql\\_%' ESCAPE '\\'",
  params: [],
};

export function foreign(location: string): KeysError {
  return new KeysError(
    'store_foreign',
    `${location} is a database of another program`,
    'pass the address of an unlockos-keys store, or of an empty database',
  );
}

/** The version of a store of ours that this tool can use; `receive`: an unfinished copy will do. Throws `store_foreign`, `store_incomplete` or `store_newer`. */
export function assertOurs(applied: Rows, location: string, latest: number, receive: boolean): number {
  const [first, ...others] = applied;
  if (first?.[0] === COPY_MARK) {
    if (!receive) throw unfinishedCopy(location);
    return assertOurs(others, location, latest, receive);
  }
  const version = applied.at(-1)?.[0] as number;
  if (first?.[1] !== FIRST_TAG || !Number.isSafeInteger(version) || version < 1) throw foreign(location);
  if (version > latest)
    throw new KeysError(
      'store_newer',
      `the store ${location} has schema ${version}, this tool knows up to ${latest}`,
      'upgrade unlockos-keys; until then only doctor opens this store',
    );
  return version;
}

const CHECK = 'SELECT CASE WHEN ';

/** A statement that ends its batch unless a condition holds. RAISE is for triggers only, so it fails by parsing an empty JSON text. */
export function checkThat(condition: string, params: readonly unknown[] = []): Statement {
  return { sql: `${CHECK}${condition} THEN 1 ELSE json('') END AS holds`, params };
}

export function isCheck(statement: Statement | undefined): boolean {
  return statement?.sql.startsWith(CHECK) === true;
}

/** Fails unless the store is still at `version`, so that of two tools that start at once the second finds the first's work. */
function stillAt(version: number): Statement {
  return version === 0
    ? checkThat("NOT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'schema_migrations')")
    : checkThat('(SELECT max(version) FROM schema_migrations) = ?', [version]);
}

/** What brings a store from `version` up to date, for one transaction; with a new store's first audit row. */
export function migrationSteps(
  version: number,
  migrations: readonly Migration[],
  by: Authorship,
  at: Date,
  receive: boolean,
): Statement[] {
  const steps = migrations.slice(version).flatMap((migration): Statement[] => [
    ...migration.statements.map((sql) => ({ sql, params: [] })),
    {
      sql: 'INSERT INTO schema_migrations (version, tag, checksum, applied_at) VALUES (?, ?, ?, ?)',
      params: [migration.version, migration.tag, migration.checksum, at.getTime()],
    },
  ]);
  const first = receive ? markUnfinished() : insertAudit({ ...birthRow(by, at) });
  return [stillAt(version), ...steps, ...(version === 0 ? [first] : [])];
}
