import { accessSync, constants, existsSync, statSync } from 'node:fs';
import path from 'node:path';
import type { Finding } from '../../domain/key-store.js';
import { safeText } from '../../domain/text.js';
import type { Migration } from '../migrations.js';

type Query = (sql: string) => unknown[][];

function finding(
  check: string,
  ok: boolean,
  detail: string,
  hint: string | null = null,
  severity: 'warning' | 'failed' = 'failed',
): Finding {
  return { check, status: ok ? 'ok' : severity, detail, hint: ok ? null : hint };
}

function writable(file: string): boolean {
  try {
    accessSync(file, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function permissions(file: string): Finding[] {
  if (process.platform === 'win32')
    return [
      {
        check: 'permissions',
        status: 'warning',
        detail: 'file modes are not enforced on Windows',
        hint: 'keep the store in a folder that only you can read',
      },
    ];
  const loose = [file, `${file}-wal`, `${file}-shm`]
    .filter((each) => existsSync(each) && (statSync(each).mode & 0o077) !== 0)
    .map(safeText);
  const parent = path.dirname(file);
  const locked = [file, `${file}-wal`, `${file}-shm`, parent]
    .filter((each) => existsSync(each) && !writable(each))
    .map(safeText);
  const parentMode = statSync(parent).mode & 0o777;
  return [
    finding(
      'file mode',
      loose.length === 0,
      loose.length === 0 ? 'only you can read the store' : `others can read ${loose.join(', ')}`,
      `chmod 600 ${loose.join(' ')}`,
      'warning',
    ),
    finding(
      'writable',
      locked.length === 0,
      locked.length === 0 ? 'you can write to the store' : `you cannot write to ${locked.join(', ')}`,
      `chmod u+w ${locked.join(' ')}`,
    ),
    finding(
      'directory mode',
      (parentMode & 0o022) === 0,
      `${safeText(parent)} has mode ${parentMode.toString(8).padStart(4, '0')}`,
      `chmod go-w ${safeText(parent)}`,
      'warning',
    ),
  ];
}

function integrity(query: Query): Finding[] {
  const problems = query('PRAGMA integrity_check(20)').map(([text]) => safeText(String(text)));
  const sound = problems.length === 1 && problems[0] === 'ok';
  const orphans = sound ? query('PRAGMA foreign_key_check').length : 0;
  return [
    finding(
      'integrity',
      sound,
      sound ? 'every page and index is sound' : problems.join('; '),
      'restore a copy made by: unlockos-keys store backup FILE',
    ),
    finding(
      'references',
      orphans === 0,
      orphans === 0 ? 'no row refers to a missing row' : `${orphans} rows refer to missing rows`,
      'restore a copy made by: unlockos-keys store backup FILE',
    ),
  ];
}

/** The triggers must be there word for word: a dropped or altered one means that somebody could have rewritten what they guard. */
function triggers(query: Query, migrations: readonly Migration[]): Finding {
  const expected = new Map<string, string>();
  for (const text of migrations.flatMap((migration) => migration.statements)) {
    const match = /CREATE TRIGGER `(\w+)`[\s\S]*/.exec(text);
    if (match?.[1]) expected.set(match[1], match[0].replace(/;\s*$/, ''));
  }
  const actual = new Map(
    query("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").map(([name, sql]) => [
      String(name),
      String(sql),
    ]),
  );
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

function schema(query: Query, migrations: readonly Migration[]): Finding {
  const applied = query('SELECT version, tag, checksum FROM schema_migrations ORDER BY version');
  const latest = applied.length;
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

/** What `doctor` and `store check` say of a local file. A newer schema is reported, and what only this tool's schema has is left out. */
export function inspectLocal(file: string, engine: string, query: Query, migrations: readonly Migration[]): Finding[] {
  const version =
    query("SELECT count(*) FROM sqlite_master WHERE name = 'schema_migrations'")[0]?.[0] === 1
      ? schema(query, migrations)
      : finding('schema', false, 'not a store yet', 'unlockos-keys create makes one');
  const findings: Finding[] = [
    {
      check: 'engine',
      status: 'ok',
      detail: `SQLite ${String(query('SELECT sqlite_version()')[0]?.[0])} (${engine})`,
      hint: null,
    },
    version,
    ...permissions(file),
    ...integrity(query),
  ];
  if (version.status === 'ok') findings.push(triggers(query, migrations));
  return findings;
}
