import { nameKey } from '../domain/key-name.js';
import { safeText } from '../domain/text.js';
import type { Database, Rows, Statement } from './database.js';
import { searchText } from './key-fields.js';
import { ofOneStore } from './one-store.js';
import { readRows } from './read-rows.js';

const PAGE = 2000;

const plain = (sql: string): Statement => ({ sql, params: [] });

/** Differences between tables that triggers fill and the column that they are filled from; each row is the id of a key. */
const TABLES: readonly (readonly [what: string, query: Statement])[] = [
  [
    'key_scopes lacks a scope of key',
    plain(
      'SELECT id FROM (SELECT value AS scope, seq FROM api_keys, json_each(CASE WHEN json_valid(scopes) THEN scopes END) EXCEPT SELECT scope, key_seq FROM key_scopes) JOIN api_keys USING (seq) LIMIT 100',
    ),
  ],
  [
    'key_scopes has a scope too many of key',
    plain(
      "SELECT coalesce(id, 'no. ' || key_seq) FROM (SELECT scope, key_seq FROM key_scopes EXCEPT SELECT value, seq FROM api_keys, json_each(CASE WHEN json_valid(scopes) THEN scopes END)) LEFT JOIN api_keys ON seq = key_seq LIMIT 100",
    ),
  ],
  [
    'key_labels lacks a label of key',
    plain(
      "SELECT id FROM (SELECT key || '=' || value AS label, seq FROM api_keys, json_each(CASE WHEN json_valid(labels) THEN labels END) EXCEPT SELECT label, key_seq FROM key_labels) JOIN api_keys USING (seq) LIMIT 100",
    ),
  ],
  [
    'key_labels has a label too many of key',
    plain(
      "SELECT coalesce(id, 'no. ' || key_seq) FROM (SELECT label, key_seq FROM key_labels EXCEPT SELECT key || '=' || value, seq FROM api_keys, json_each(CASE WHEN json_valid(labels) THEN labels END)) LEFT JOIN api_keys ON seq = key_seq LIMIT 100",
    ),
  ],
  [
    'key_usage has no row for key',
    plain('SELECT id FROM api_keys WHERE seq NOT IN (SELECT key_seq FROM key_usage) LIMIT 100'),
  ],
  [
    'key_usage has a row for a key that is missing:',
    plain("SELECT 'no. ' || key_seq FROM key_usage WHERE key_seq NOT IN (SELECT seq FROM api_keys) LIMIT 100"),
  ],
  [
    'key_rates has a row for a key that is missing:',
    plain("SELECT 'no. ' || key_seq FROM key_rates WHERE key_seq NOT IN (SELECT seq FROM api_keys) LIMIT 100"),
  ],
];

/** Of a store that has the tables of use. */
const OF_USE: typeof TABLES = [
  [
    'key_days has a row for a key that is missing:',
    plain("SELECT DISTINCT 'no. ' || key_seq FROM key_days WHERE key_seq NOT IN (SELECT seq FROM api_keys) LIMIT 100"),
  ],
];

const COLUMNS =
  'SELECT seq, id, name, description, name_key, search_text FROM api_keys WHERE seq > ? ORDER BY seq LIMIT ?';

function wrongColumns(rows: Rows): string[] {
  return rows.flatMap(([, id, name, description, key, search]) => {
    if (typeof name !== 'string' || typeof id !== 'string') return []; // a damaged row, which is reported as such
    const text = typeof description === 'string' ? description : null;
    return [
      ...(key === nameKey(name) ? [] : [`the name_key of key ${safeText(id)} does not follow from its name`]),
      ...(search === searchText({ id, name, description: text })
        ? []
        : [`the search_text of key ${safeText(id)} does not follow from its name, description and id`]),
    ];
  });
}

/** See {@link KeyStore.derivedProblems}. `countsUse`: the store has the tables of use. */
export async function derivedProblems(db: Database, countsUse: boolean): Promise<string[]> {
  return ofOneStore(db, async () => {
    const problems: string[] = [];
    for (let seq = 0; ; ) {
      const rows = await readRows(db, { sql: COLUMNS, params: [seq, PAGE] });
      problems.push(...wrongColumns(rows));
      const last = rows.at(-1)?.[0];
      if (typeof last !== 'number' || last <= seq) break;
      seq = last;
    }
    const tables = countsUse ? [...TABLES, ...OF_USE] : TABLES;
    const found = await db.read(
      tables.map(([, query]) => query),
      { fresh: true },
    );
    for (const [i, rows] of found.entries())
      problems.push(...rows.map(([id]) => `${tables[i]?.[0]} ${safeText(String(id))}`));
    return problems;
  });
}
