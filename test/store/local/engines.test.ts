import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Connection } from '../../../src/store/local/engines/engine.js';
import { loadEngine, workingEngines } from '../../../src/store/local/engines/load.js';
import { writeSnapshot } from '../../../src/store/local/snapshot.js';
import { LOCAL_ENGINES, scratch } from '../../support/stores.js';

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
const hasNodeSqlite = major > 22 || (major === 22 && minor >= 16);

test('which engines work follows from Node, and what could abort is not among them', async () => {
  const working = await workingEngines();
  expect(working.includes('node:sqlite')).toBe(hasNodeSqlite);
  expect(working).toContain('libsql');
  if (major >= 24) expect(working).not.toContain('better-sqlite3');
  if (major === 20 && process.env.CI) expect(working).toContain('better-sqlite3'); // compiled by scripts/prepare.mjs
  expect((await loadEngine()).name).toBe(working[0]);
});

test('an engine that is asked for and does not work is refused, with the Node that would do', async () => {
  const missing = hasNodeSqlite ? 'better-sqlite3' : 'node:sqlite';
  if ((await workingEngines()).includes(missing)) return; // Node 22 has both
  await expect(loadEngine(missing)).rejects.toMatchObject({
    code: 'store_unavailable',
    message: expect.stringContaining(missing),
    hint: expect.stringContaining('Node 22.16'),
  });
});

describe.each(LOCAL_ENGINES)('the engine %s', (name) => {
  async function open(file = path.join(scratch(), 'a.db')): Promise<Connection> {
    const connection = (await loadEngine(name)).open(file);
    onTestFinished(() => connection.close());
    return connection;
  }

  test('reads rows as lists, also where two columns have one name', async () => {
    const db = await open();
    expect(db.prepare('SELECT 1 AS a, ? AS a, NULL AS b').all('x')).toEqual([[1, 'x', null]]);
    expect(db.prepare('SELECT 1 WHERE 0').all()).toEqual([]);
    expect(db.prepare('SELECT 7, 8').value()).toBe(7);
    expect(db.prepare('SELECT 7 WHERE 0').value()).toBeUndefined();
  });

  test('reads a file with a write-ahead log as it is, and makes nothing beside it', async () => {
    const dir = scratch();
    const file = path.join(dir, 'a #%?.db');
    const db = (await loadEngine(name)).open(file);
    db.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (a); INSERT INTO t VALUES (7); PRAGMA wal_checkpoint(TRUNCATE)');
    const still = (await loadEngine(name)).openStill(file);
    onTestFinished(() => still.close());
    const before = readdirSync(dir);
    expect(still.prepare('SELECT a FROM t').all()).toEqual([[7]]);
    expect(readdirSync(dir)).toEqual(before);
    db.close();
  });

  test('copies a file that it only reads', async () => {
    const dir = scratch();
    const [file, copy] = [path.join(dir, 'a.db'), path.join(dir, 'copy.db')] as [string, string];
    const engine = await loadEngine(name);
    const db = engine.open(file);
    db.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (a, b AS (a + 1)); INSERT INTO t (a) VALUES (7)');
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    const still = engine.openStill(file);
    onTestFinished(() => still.close());
    writeSnapshot(still, engine, copy);
    expect((await open(copy)).prepare('SELECT a, b FROM t').all()).toEqual([[7, 8]]);
    db.close();
  });

  test('counts the rows that a statement changed, and not those of its triggers', async () => {
    const db = await open();
    db.exec('CREATE TABLE t (a); CREATE TABLE log (a); INSERT INTO t VALUES (1), (2)');
    db.exec('CREATE TRIGGER tr AFTER UPDATE ON t BEGIN INSERT INTO log VALUES (1); END');
    expect(db.prepare('UPDATE t SET a = a + 1').run()).toBe(2);
    expect(db.prepare('UPDATE t SET a = 9 WHERE a = ?').run(99)).toBe(0);
  });

  test('hands an integer beyond 2^53 on as a number, and goes on working', async () => {
    const db = await open();
    const statement = db.prepare('SELECT ? + 0, CAST(? AS INTEGER)');
    expect(statement.all(1, '9223372036854775807')).toEqual([[1, 2 ** 63]]);
    expect(statement.all(1, '5')).toEqual([[1, 5]]);
  });

  test('names the result code of each error that this project tells apart', async () => {
    const file = path.join(scratch(), 'a.db');
    const db = await open(file);
    db.exec('CREATE TABLE t (a NOT NULL, b UNIQUE, c CHECK (c < 5)); PRAGMA foreign_keys = ON');
    db.exec("CREATE TRIGGER no BEFORE DELETE ON t BEGIN SELECT RAISE(ABORT, 'unlk:append-only'); END");
    db.exec('INSERT INTO t VALUES (1, 1, 1)');
    const codeOf = (sql: string) => {
      try {
        db.prepare(sql).run();
      } catch (error) {
        return (error as { code?: string }).code;
      }
      return null;
    };
    expect(codeOf('INSERT INTO t VALUES (NULL, 2, 1)')).toBe('SQLITE_CONSTRAINT_NOTNULL');
    expect(codeOf('INSERT INTO t VALUES (1, 1, 1)')).toBe('SQLITE_CONSTRAINT_UNIQUE');
    expect(codeOf('INSERT INTO t VALUES (1, 3, 9)')).toBe('SQLITE_CONSTRAINT_CHECK');
    expect(codeOf('DELETE FROM t')).toBe('SQLITE_CONSTRAINT_TRIGGER');
    expect(() => db.prepare('DELETE FROM t').run()).toThrow('unlk:append-only');
    const other = await open(file);
    other.exec('PRAGMA busy_timeout = 0; BEGIN IMMEDIATE');
    db.exec('PRAGMA busy_timeout = 0');
    expect(() => db.exec('BEGIN IMMEDIATE')).toThrow(expect.objectContaining({ code: 'SQLITE_BUSY' }));
    other.exec('ROLLBACK');
    expect(() => db.prepare('SELECT nothing FROM nowhere')).toThrow(expect.objectContaining({ code: 'SQLITE_ERROR' }));
  });

  test.each([
    'select 1 as a, TEXT as a',
    'with x (b) as (select TEXT) select 1, b from x',
    'select 1, a from (select TEXT as a union all select 7) order by a desc limit 1',
  ])('%s: text that is not UTF-8 is handed on as bytes, all other text as it is', async (sql) => {
    const db = await open();
    const query = db.prepare(sql.replace('TEXT', 'cast(unhex(?) as text)'));
    expect(query.all('62ff41')).toEqual([[1, expect.any(Uint8Array)]]);
    for (const text of ['', 'plain', 'naïve \u{1f511}', '\ufffd', '\ufeffa\n'])
      expect(query.all(Buffer.from(text).toString('hex'))).toEqual([[1, text]]);
    expect(query.all('eda080')).toEqual([[1, expect.any(Uint8Array)]]);
  });

  test('reads a table of which the name of a type is not UTF-8', async () => {
    const file = path.join(scratch(), 'a.db');
    const before = (await loadEngine(name)).open(file);
    before.exec("CREATE TABLE t (a some_type); INSERT INTO t VALUES ('x')");
    before.close();
    writeFileSync(file, readFileSync(file, 'latin1').replace('some_type', 'some\xfftype'), 'latin1');
    const db = await open(file);
    expect(db.prepare('SELECT a FROM t').all()).toEqual([['x']]);
  });

  test('knows whether a transaction is open', async () => {
    const db = await open();
    expect(db.inTransaction).toBe(false);
    db.exec('BEGIN');
    expect(db.inTransaction).toBe(true);
    db.exec('ROLLBACK');
    expect(db.inTransaction).toBe(false);
  });
});
