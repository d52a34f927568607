import { accessSync, constants, existsSync, statSync } from 'node:fs';
import path from 'node:path';
import type { Finding } from '../../domain/key-store.js';
import { safeText } from '../../domain/text.js';
import { ASK, finding, integrityFindings, NOT_YET, schemaFinding, triggerFinding } from '../findings.js';
import type { Migration } from '../migrations.js';

type Query = (sql: string) => unknown[][];

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

const RESTORE = 'restore a copy made by: unlockos-keys store backup FILE';

/** What `doctor` and `store check` say of a local file. A newer schema is reported, and what only this tool's schema has is left out. */
export function inspectLocal(file: string, engine: string, query: Query, migrations: readonly Migration[]): Finding[] {
  const version = query(ASK.tables)[0]?.[0] === 1 ? schemaFinding(query(ASK.applied), migrations) : NOT_YET;
  const problems = query(ASK.integrity);
  const orphans = problems[0]?.[0] === 'ok' ? query(ASK.references) : [];
  const findings: Finding[] = [
    finding('engine', true, `SQLite ${String(query(ASK.version)[0]?.[0])} (${engine})`),
    version,
    ...permissions(file),
    ...integrityFindings(problems, orphans, RESTORE),
  ];
  if (version.status === 'ok') findings.push(triggerFinding(query(ASK.triggers), migrations));
  return findings;
}
