import { KeysError } from '../../domain/errors.js';
import { COPY_MARK } from '../copy-mark.js';
import type { Rows, Statement } from '../database.js';
import { unfinishedCopy } from '../errors.js';
import { type Migration, NOTE_MIN_READER } from '../migrations.js';
import { FIRST_TAG, SETTINGS_SINCE } from '../versions.js';

/** Reads the migrations that were applied. */
export const PROBE: Statement = {
  sql: 'SELECT version, tag FROM schema_migrations ORDER BY version',
  params: [],
  most: 64, // a schema has a row for each migration
};

/** Counts the objects of a database, and of them our table of migrations, which another client may just have created. */
export const OBJECTS: Statement = {
  sql:
    "SELECT count(*) AS objects, count(CASE name WHEN 'schema_migrations' THEN 1 END) AS made FROM sqlite_master " +
    "WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE 'libsql\\_%' ESCAPE '\\'",
  params: [],
};

/** The `store_foreign` for a database that is not ours. */
export function foreign(location: string): KeysError {
  return new KeysError(
    'store_foreign',
    `${location} belongs to another program`,
    'pass the address of an unlockos-keys store, or of an empty database',
  );
}

/**
 * The schema version in the rows of {@link PROBE}. `receive`: an unfinished copy is accepted. Throws `store_foreign` or
 * `store_incomplete`.
 */
export function assertOurs(applied: Rows, location: string, receive: boolean): number {
  const [first, ...others] = applied;
  if (first?.[0] === COPY_MARK) {
    if (!receive) throw unfinishedCopy(location);
    return assertOurs(others, location, receive);
  }
  const version = applied.at(-1)?.[0] as number;
  if (first?.[1] !== FIRST_TAG || !Number.isSafeInteger(version) || version < 1) throw foreign(location);
  return version;
}

const CHECK = 'SELECT CASE WHEN ';

/** A statement that ends its batch unless `condition` (SQL) is true. RAISE works only in triggers, so this fails by parsing empty JSON. */
export function checkThat(condition: string, params: readonly unknown[] = []): Statement {
  return { sql: `${CHECK}${condition} THEN 1 ELSE json('') END AS holds`, params };
}

/** True for a statement of {@link checkThat}. */
export function isCheck(statement: Statement | undefined): boolean {
  return statement?.sql.startsWith(CHECK) === true;
}

/** Fails unless the store is still at `version`: of two clients that upgrade at once, the second must see the work of the first. */
function stillAt(version: number): Statement {
  return version === 0
    ? checkThat("NOT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'schema_migrations')")
    : checkThat('(SELECT max(version) FROM schema_migrations) = ?', [version]);
}

/** The statements that upgrade a store from `version`, for one transaction, and `last`, which is its first audit row or the next one. */
export function migrationSteps(
  version: number,
  migrations: readonly Migration[],
  at: Date,
  last: Statement,
): Statement[] {
  const steps = migrations.slice(version).flatMap((migration): Statement[] => [
    ...migration.statements.map((sql) => ({ sql, params: [] })),
    {
      sql: 'INSERT INTO schema_migrations (version, tag, checksum, applied_at) VALUES (?, ?, ?, ?)',
      params: [migration.version, migration.tag, migration.checksum, at.getTime()],
    },
  ]);
  return [stillAt(version), ...steps, ...(migrations.length >= SETTINGS_SINCE ? [NOTE_MIN_READER] : []), last];
}
