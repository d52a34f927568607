import { createHash, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type AuditHead, type AuditRow, type Authorship, appendToChain, GENESIS } from '../domain/audit.js';
import { KeysError } from '../domain/errors.js';
import { assetUrl } from '../files/asset.js';
import { MIN_READER } from './versions.js';

/** One file of `drizzle/`. */
export interface Migration {
  readonly version: number;
  readonly tag: string;
  readonly checksum: string;
  readonly statements: readonly string[];
}

/** The catalogue of a new store, as `drizzle/` seeds it; the first audit row records it. */
const FIRST_SCOPES = [
  'checkin:read',
  'checkin:create',
  'checkin:update',
  'plan:read',
  'plan:create',
  'plan:update',
  'facility:read',
];

/** The first row of an audit log: when and by whom the store was created, its id, and its catalogue. */
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

/** The audit row of an upgrade. */
export function upgradeRow(head: AuditHead, by: Authorship, at: Date, from: number, to: number): AuditRow {
  const [row] = appendToChain(head, randomUUID(), [
    {
      ...by,
      at: at.toISOString(),
      action: 'store.upgrade',
      keyId: null,
      keyName: null,
      reason: null,
      before: { schema: from },
      after: { schema: to },
    },
  ]);
  return row as AuditRow;
}

/** Notes in the store which versions of this package may read it; for schemas from `SETTINGS_SINCE`. */
export const NOTE_MIN_READER = {
  sql: "INSERT INTO store_settings (name, value) VALUES ('min_reader', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
  params: [String(MIN_READER)],
};

/** Reads what {@link NOTE_MIN_READER} noted. */
export const READ_MIN_READER = { sql: "SELECT value FROM store_settings WHERE name = 'min_reader'", params: [] };

/** The `store_newer` for a store of a schema that `latest` does not know. `store`: its path or URL, safe to print. */
export function newerSchema(store: string, version: number, latest: number): KeysError {
  return new KeysError(
    'store_newer',
    `the store ${store} has schema ${version}; this version of unlockos-keys knows schemas up to ${latest}`,
    'upgrade unlockos-keys; until then doctor opens this store, and what reads it may as well',
  );
}

/** The `store_older` for a schema that lacks what is read. */
export function olderSchema(store: string, version: number): KeysError {
  return new KeysError(
    'store_older',
    `the store ${store} has schema ${version}, which this version of unlockos-keys can only upgrade`,
    'unlockos-keys store upgrade; servers of older versions must then be upgraded as well',
  );
}

/** The `store_corrupt` for a store whose tables are not of the version that it names, so that no upgrade fits. `restore`: the way out. */
export function otherTables(store: string, version: number, restore: string, cause: unknown): KeysError {
  return new KeysError(
    'store_corrupt',
    `the store ${store} says that its schema has version ${version}, but its tables are not of that version`,
    `nothing was changed; ${restore}`,
    { cause },
  );
}

/** Whether a store of a newer schema says that a tool that knows `latest` may read it. `noted`: the rows of {@link READ_MIN_READER}. */
export function mayRead(noted: readonly (readonly unknown[])[], latest: number): boolean {
  const least = Number(noted[0]?.[0]);
  return Number.isSafeInteger(least) && least > 0 && least <= latest;
}

/** The shipped migrations, oldest first, as drizzle-kit wrote them. */
export function readMigrations(folder: string = fileURLToPath(assetUrl('drizzle/'))): Migration[] {
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
