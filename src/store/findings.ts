import { counted } from '../domain/counted.js';
import type { Finding } from '../domain/key-store.js';
import { safeText } from '../domain/text.js';
import type { Rows } from './database.js';
import type { Migration } from './migrations.js';

// The findings that are the same for every engine: schema, triggers, integrity.

/** A finding: `ok`, or of the given severity and with a hint. */
export function finding(
  check: string,
  ok: boolean,
  detail: string,
  hint: string | null = null,
  severity: 'warning' | 'failed' = 'failed',
): Finding {
  return { check, status: ok ? 'ok' : severity, detail, hint: ok ? null : hint };
}

/** The statements whose rows the functions below take. */
export const ASK = {
  tables: "SELECT count(*) FROM sqlite_master WHERE name = 'schema_migrations'",
  applied: 'SELECT version, tag, checksum FROM schema_migrations ORDER BY version',
  triggers: "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'",
  integrity: 'SELECT * FROM pragma_integrity_check LIMIT 20',
  references: 'SELECT * FROM pragma_foreign_key_check',
  version: 'SELECT sqlite_version() AS version',
};

/** `rows`: the answer to `MARKS_AHEAD`. */
export function marksFinding(rows: Rows): Finding {
  const ahead = Number(rows[0]?.[0]);
  return finding(
    'last-used times',
    ahead === 0,
    ahead === 0 ? 'none is in the future' : `${ahead} in the future: the clock of a server was wrong`,
    'check the clocks of your API servers; the next use of any key that a server records sets these times to now',
    'warning',
  );
}

/** `restore`: the hint for a damaged store. */
export function integrityFindings(problems: Rows, orphans: Rows, restore: string): Finding[] {
  const texts = problems.map(([text]) => safeText(String(text)));
  const sound = texts.length === 1 && texts[0] === 'ok';
  return [
    finding('integrity', sound, sound ? 'every page and index is sound' : texts.join('; '), restore),
    finding(
      'references',
      orphans.length === 0,
      orphans.length === 0
        ? 'no row refers to a missing row'
        : `${counted(orphans.length, 'row refers', 'rows refer')} to missing rows`,
      restore,
    ),
  ];
}

/** The triggers must match the migrations word for word: whoever dropped or altered one may have rewritten what it protects. */
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
    foreign.length > 0 ? `unknown: ${foreign.join(', ')}` : '',
  ]
    .filter(Boolean)
    .join('; ');
  return finding(
    'triggers',
    detail === '',
    detail || `all ${expected.size} triggers are in place`,
    'the store was tampered with: put a backup in its place (unlockos-keys store restore FILE) and compare its audit head',
  );
}

/** `damaged`: the keys with a field that cannot be read, as `id (fields)`. */
export function damageFinding(damaged: readonly string[]): Finding {
  const shown = damaged.slice(0, 20).map(safeText).join('; ');
  return finding(
    'keys',
    damaged.length === 0,
    damaged.length === 0
      ? 'every key can be read'
      : `${damaged.length} damaged: ${shown}${damaged.length > 20 ? '; …' : ''}`,
    'such a key is not valid; disable or delete it by its id, or give it a new value with edit',
  );
}

/** `damaged`: how many rows about the use of keys cannot be read. */
export function useFinding(damaged: number): Finding {
  return finding(
    'use of keys',
    damaged === 0,
    damaged === 0
      ? 'every count can be read'
      : `${counted(damaged, 'row cannot be read, and counts', 'rows cannot be read, and count')} for nothing`,
    'unlockos-keys prune and the start of a server remove them',
    'warning',
  );
}

/** Compares the migrations of a store with those of this version. */
export function schemaFinding(rows: Rows, migrations: readonly Migration[]): Finding {
  const applied = rows.filter(([version]) => version !== 0);
  const latest = Number(applied.at(-1)?.[0] ?? 0);
  const missing = Array.from({ length: latest }, (_, i) => i + 1).filter(
    (each) => !applied.some(([is]) => is === each),
  );
  if (applied.length < rows.length)
    return finding('schema', false, 'an unfinished copy of another store', 'run the same store copy again');
  if (latest === 0)
    return finding(
      'schema',
      false,
      'nothing says which version was made',
      'the store was tampered with: put a backup in its place (unlockos-keys store restore FILE)',
    );
  if (latest > migrations.length)
    return finding(
      'schema',
      false,
      `version ${latest} is too new: this version of unlockos-keys knows versions up to ${migrations.length}`,
      'upgrade unlockos-keys',
    );
  if (missing.length > 0)
    return finding(
      'schema',
      false,
      `version ${latest}, but nothing says that version ${missing.join(', ')} was made`,
      'the store was tampered with: put a backup in its place (unlockos-keys store restore FILE)',
    );
  if (latest < migrations.length)
    return finding(
      'schema',
      false,
      `version ${latest} is older than the current one (${migrations.length})`,
      'unlockos-keys store upgrade brings it up to date; so does any command that changes something',
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

/** The finding for an empty file or database. */
export const NOT_YET = finding('schema', false, 'not a store yet', 'unlockos-keys create makes one');
