import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import type { Finding } from '../../domain/key-store.js';
import { safeText } from '../../domain/text.js';
import { errnoOf } from '../../files/errno.js';
import { lookFor } from '../../files/exists.js';
import { ASK, finding, integrityFindings, marksFinding, NOT_YET, schemaFinding, triggerFinding } from '../findings.js';
import type { Migration } from '../migrations.js';
import { OBJECTS_OF_SCHEMA, objectsMadeBy, tablesFinding } from '../schema-text.js';
import { MARKS_AHEAD } from '../statements.js';
import type { Engine } from './engines/engine.js';
import { leftCopies } from './left-copies.js';
import { isOnReadOnlyDisk } from './read-only-errors.js';
import { SUFFIXES } from './side-files.js';

type Query = (sql: string) => unknown[][];

/** False for a file that is there and cannot be written to. */
function mayWrite(file: string): boolean {
  try {
    accessSync(file, constants.W_OK);
    return true;
  } catch (error) {
    return errnoOf(error) === 'ENOENT'; // another process ended, and took its log away
  }
}

function permissions(file: string): Finding[] {
  if (process.platform === 'win32')
    return [
      {
        check: 'permissions',
        status: 'warning',
        detail: 'file modes are not enforced on Windows',
        hint: 'keep the store in a directory that only you can read',
      },
    ];
  const files = [file, ...SUFFIXES.map((suffix) => file + suffix)];
  const loose = files.filter((each) => ((lookFor(each)?.mode ?? 0) & 0o077) !== 0).map(safeText);
  const parent = path.dirname(file);
  const locked = [...files, parent].filter((each) => !mayWrite(each)).map(safeText);
  const parentMode = statSync(parent).mode & 0o777;
  return [
    finding(
      'file mode',
      loose.length === 0,
      loose.length === 0 ? 'only you can read the store' : `others can read ${loose.join(', ')}`,
      `chmod 600 ${loose.join(' ')}`,
      'warning',
    ),
    writableFinding(file, locked),
    finding(
      'directory mode',
      (parentMode & 0o022) === 0,
      `${safeText(parent)} has mode ${parentMode.toString(8).padStart(4, '0')}`,
      `chmod go-w ${safeText(parent)}`,
      'warning',
    ),
  ];
}

function writableFinding(file: string, locked: readonly string[]): Finding {
  if (isOnReadOnlyDisk(file))
    return finding(
      'writable',
      false,
      'the store is on a read-only file system: it can be read, not changed',
      'mount it writable to change keys',
      'warning',
    );
  return finding(
    'writable',
    locked.length === 0,
    locked.length === 0 ? 'you can write to the store' : `you cannot write to ${locked.join(', ')}`,
    `chmod u+w ${locked.join(' ')}`,
  );
}

/** The mount points of this process, as Linux tells them; none elsewhere. */
function mountPoints(): string[] {
  try {
    const lines = readFileSync('/proc/self/mountinfo', 'latin1').split('\n');
    const points = lines.map((line) => line.split(' ')[4] ?? '');
    return points.map((point) => point.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(parseInt(octal, 8))));
  } catch {
    return [];
  }
}

/** SQLite keeps the log beside the name by which it opened the file, so a file that is mounted by itself has a log on each side. */
function mountFinding(file: string): Finding[] {
  const name = Buffer.from(file).toString('latin1');
  if (!mountPoints().includes(name)) return [];
  return [
    finding(
      'mount',
      false,
      `${safeText(file)} is mounted by itself: its log stays on this side, and a program on the other side does not see it`,
      'mount the directory of the store instead',
      'warning',
    ),
  ];
}

/** Said only where there are some. */
function copiesFinding(file: string): Finding[] {
  const left = leftCopies(file).map(safeText);
  if (left.length === 0) return [];
  return [
    finding(
      'copies',
      false,
      `a restore was cut off, and left a copy of a store: ${left.join(', ')}`,
      `the next store restore removes it; or, unless one is running: rm ${left.join(' ')}`,
      'warning',
    ),
  ];
}

const RESTORE = 'put a backup in its place: unlockos-keys store restore FILE';

/**
 * The findings of `doctor` and `store check` for a local file. For a store of another schema version, the triggers are not checked.
 * `query` runs one statement.
 */
export function inspectLocal(file: string, engine: Engine, query: Query, migrations: readonly Migration[]): Finding[] {
  const version = query(ASK.tables)[0]?.[0] === 1 ? schemaFinding(query(ASK.applied), migrations) : NOT_YET;
  const problems = query(ASK.integrity);
  const orphans = problems[0]?.[0] === 'ok' ? query(ASK.references) : [];
  const findings: Finding[] = [
    finding('engine', true, `SQLite ${String(query(ASK.version)[0]?.[0])} (${engine.name})`),
    version,
    ...permissions(file),
    ...mountFinding(file),
    ...copiesFinding(file),
    ...integrityFindings(problems, orphans, RESTORE),
  ];
  if (version.status === 'ok')
    findings.push(
      triggerFinding(query(ASK.triggers), migrations),
      tablesFinding(query(OBJECTS_OF_SCHEMA), objectsMadeBy(migrations, engine)),
      marksFinding(query(MARKS_AHEAD)),
    );
  return findings;
}
