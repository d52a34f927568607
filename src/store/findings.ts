import type { Finding } from '../domain/key-store.js';
import { safeText } from '../domain/text.js';
import type { Rows } from './database.js';
import type { Migration } from './migrations.js';

// What can be said of a store's schema from what any engine answers.

export function finding(
  check: string,
  ok: boolean,
  detail: string,
  hint: string | null = null,
  severity: 'warning' | 'failed' = 'failed',
): Finding {
  return { check, status: ok ? 'ok' : severity, detail, hint: ok ? null : hint };
}

/** The questions behind the findings below. */
export const ASK = {
  tables: "SELECT count(*) FROM sqlite_master WHERE name = 'schema_migrations'",
  applied: 'SELECT version, tag, checksum FROM schema_migrations ORDER BY version',
  triggers: "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'",
  integrity: 'PRAGMA integrity_check(20)',
  references: 'PRAGMA foreign_key_check',
  version: 'SELECT sqlite_version() AS version',
};

/** `restore`: how to get a sound store back. */
export function integrityFindings(problems: Rows, orphans: Rows, restore: string): Finding[] {
  const texts = problems.map(([text]) => safeText(String(text)));
  const sound = texts.length === 1 && texts[0] === 'ok';
  return [
    finding('integrity', sound, sound ? 'every page and index is sound' : texts.join('; '), restore),
    finding(
      'references',
      orphans.length === 0,
      orphans.length === 0 ? 'no row refers to a missing row' : `${orphans.length} rows refer to missing rows`,
      restore,
    ),
  ];
}

/** The triggers must be there word for word: a dropped or altered one means that somebody could have rewritten what they guard. */
export function triggerFinding(triggers: Rows, migrations: readonly Migration[]): Finding {
  const expected = new Map<string, string>();
  for (const text of migrations.flatMap((migration) => migration.statements)) {
    const match = /CREATE TRIGGER `(\w+)`[\s\S]*/.exec(text);
    if (match?.[1]) expected.set(match[1], match[0].replace(/;\s*$/, ''));
  }
  const actual = new Map(triggers.map(([name, sql]) => [String(name), String(sql)]));
  const wrong = [...expected].filter(([name, sql]) => actual.get(name) !== sql).map(([name]) => name);
  const foreign = [...actual.keys()].filter((name) => !expected.has(name)).map(safeText);
  const detail = [
    wrong.length > 0 ? `missing or altered: ${wrong.join(', ')}` : '',
    foreign.length > 0 ? `not ours: ${foreign.join(', ')}` : '',
  ]
    .filter(Boolean)
    .join('; ');
  return finding(
    'triggers',
    detail === '',
    detail || `${expected.size} guards in place`,
    'the store was tampered with: restore a copy, and compare audit heads',
  );
}

/** Which migrations a store has seen, against those that this tool knows. */
export function schemaFinding(rows: Rows, migrations: readonly Migration[]): Finding {
  const applied = rows.filter(([version]) => version !== 0);
  const latest = applied.length;
  if (applied.length < rows.length)
    return finding('schema', false, 'an unfinished copy of another store', 'run the same store copy again');
  if (latest > migrations.length)
    return finding(
      'schema',
      false,
      `version ${latest} is newer than this tool (${migrations.length})`,
      'upgrade unlockos-keys',
    );
  if (latest < migrations.length)
    return finding(
      'schema',
      false,
      `version ${latest}, this tool knows ${migrations.length}`,
      'any command but doctor brings it up to date',
      'warning',
    );
  const altered = migrations
    .filter((migration, i) => applied[i]?.[2] !== migration.checksum)
    .map((migration) => migration.tag);
  return finding(
    'schema',
    altered.length === 0,
    altered.length === 0 ? `version ${latest}` : `made by other migrations: ${altered.join(', ')}`,
    'this store was made by a changed copy of unlockos-keys',
  );
}

export const NOT_YET = finding('schema', false, 'not a store yet', 'unlockos-keys create makes one');
