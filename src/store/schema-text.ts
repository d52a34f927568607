import type { Finding } from '../domain/key-store.js';
import { safeText } from '../domain/text.js';
import type { Rows } from './database.js';
import { finding } from './findings.js';
import type { Engine } from './local/engines/engine.js';
import type { Migration } from './migrations.js';

/** Reads tables, indexes and views. SQLite and libSQL keep some of their own, whose names nobody else may use. */
export const OBJECTS_OF_SCHEMA =
  "SELECT type, name, sql FROM sqlite_master WHERE type <> 'trigger' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' " +
  "AND name NOT LIKE 'libsql\\_%' ESCAPE '\\'";

/** What {@link OBJECTS_OF_SCHEMA} reads in a store that these migrations made, found out by making one in memory. */
export function objectsMadeBy(migrations: readonly Migration[], engine: Engine): Rows {
  const db = engine.open(':memory:');
  try {
    for (const text of migrations.flatMap(({ statements }) => statements)) db.exec(text);
    return db.prepare(OBJECTS_OF_SCHEMA).all();
  } finally {
    db.close();
  }
}

function byName(rows: Rows): Map<string, string> {
  return new Map(rows.map(([type, name, sql]) => [`${String(type)} ${String(name)}`, String(sql)]));
}

/** Tables and indexes must be as the migrations make them: without a unique index two keys could have one name, and a view can hide rows. */
export function tablesFinding(actual: Rows, expected: Rows): Finding {
  const [is, should] = [byName(actual), byName(expected)];
  const wrong = [...should].filter(([name, sql]) => is.get(name) !== sql).map(([name]) => name);
  const unknown = [...is.keys()].filter((name) => !should.has(name)).map(safeText);
  const parts = [
    wrong.length > 0 ? `missing or altered: ${wrong.join(', ')}` : '',
    unknown.length > 0 ? `unknown: ${unknown.join(', ')}` : '',
  ].filter(Boolean);
  return finding(
    'tables',
    parts.length === 0,
    parts.join('; ') || `all ${should.size} tables and indexes are as they were made`,
    'the store was tampered with: restore a backup, and compare its audit head',
  );
}
