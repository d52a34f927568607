import { createHash, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type AuditRow, type Authorship, appendToChain, GENESIS } from '../domain/audit.js';

/** The schema that this tool reads and writes: the number of migrations in `drizzle/` (a test holds the two together). */
export const SCHEMA_VERSION = 4;

/** The first migration's name: a table `schema_migrations` that begins otherwise is another program's. */
export const FIRST_TAG = '0000_tables';

export interface Migration {
  readonly version: number;
  readonly tag: string;
  readonly checksum: string;
  readonly statements: readonly string[];
}

/** The catalogue that a new store begins with, as `drizzle/` seeds it: the first row of the audit log names it. */
const FIRST_SCOPES = [
  'checkin:read',
  'checkin:create',
  'checkin:update',
  'plan:read',
  'plan:create',
  'plan:update',
  'facility:read',
];

/** The first row of an audit log: when and by whom the store was made, and the catalogue that it began with. */
export function birthRow(by: Authorship, at: Date): AuditRow {
  const [row] = appendToChain(GENESIS, randomUUID(), [
    {
      ...by,
      at: at.toISOString(),
      action: 'store.create',
      keyId: null,
      keyName: null,
      reason: null,
      before: null,
      after: { storeId: randomUUID(), scopes: FIRST_SCOPES },
    },
  ]);
  return row as AuditRow;
}

/** `src/store/`, `dist/store/` and `dist/bundle/` lie equally deep, so one relative path serves all three. */
const FOLDER = new URL('../../drizzle/', import.meta.url);

/** The shipped migrations, oldest first, as drizzle-kit wrote them. */
export function readMigrations(folder: string = fileURLToPath(FOLDER)): Migration[] {
  const journal = JSON.parse(readFileSync(`${folder}/meta/_journal.json`, 'utf8')) as { entries: { tag: string }[] };
  return journal.entries.map(({ tag }, index) => {
    const text = readFileSync(`${folder}/${tag}.sql`, 'utf8');
    return {
      version: index + 1,
      tag,
      checksum: createHash('sha256').update(text).digest('hex'),
      statements: text.split('--> statement-breakpoint').map((part) => part.trim()),
    };
  });
}
