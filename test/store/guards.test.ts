import { describe, expect, test } from 'vitest';
import {
  change,
  ENGINES,
  type EngineName,
  freshStore,
  newKey,
  rawDatabase,
  START,
  snapshot,
} from '../support/stores.js';

async function twoKeys(engine: EngineName) {
  const store = await freshStore(engine);
  const [a, b] = (await store.create([newKey('a'), newKey('b')], change())).map(({ key }) => key);
  const db = await rawDatabase(store.location, engine);
  return { store, db, a: a?.id ?? '', b: b?.id ?? '' };
}

const COLUMNS =
  '(seq, id, name, name_key, mode, scopes, status, rate_limit, rate_window_seconds, created_at, updated_at, hash, guard, search_text)';
const row = (seq: string, id: string, name: string, scopes = '["plan:read"]') =>
  `(${seq}, '${id}', '${name}', '${name}', 'live', '${scopes}', 'active', 1, 1, 1, 1, 'h', 'g', 's')`;
const AUDIT = '(seq, op, body, prev, hash)';
const event = (seq: string, op = 'x') => `(${seq}, '${op}', '{}', '${'0'.repeat(64)}', '${'0'.repeat(64)}')`;
const ID = 'zzzzzzzzzzzz';

describe.each(ENGINES)('what the database itself refuses, on %s', (engine) => {
  test.each([
    ['another id', `update api_keys set id = '${ID}' where name = 'a'`],
    ['another mode', "update api_keys set mode = 'live'"],
    ['more scopes', `update api_keys set scopes = '["plan:read","plan:create"]'`],
    ['another creation time', 'update api_keys set created_at = 0'],
    ['another guard', "update api_keys set guard = 'x'"],
    ['another row id', 'update api_keys set seq = 99 where seq = 1'],
    ['another row id by its alias', 'update api_keys set rowid = 99 where rowid = 1'],
    ['another row id of a scope, by its alias', 'update scopes set rowid = 99 where rowid = 1'],
    ['scopes, ignoring conflicts', `update or ignore api_keys set scopes = '["plan:create"]'`],
    ['scopes, replacing conflicts', `update or replace api_keys set scopes = '["plan:create"]'`],
    ['a name that another has, replacing it', "update or replace api_keys set name_key = 'b' where name_key = 'a'"],
    ['a replaced name', `replace into api_keys ${COLUMNS} values ${row('7', ID, 'a')}`],
    ['a replaced row id', `insert or replace into api_keys ${COLUMNS} values ${row('1', ID, 'c')}`],
    ['a replaced name, ignoring case', `insert or replace into api_keys ${COLUMNS} values ${row('null', ID, 'b')}`],
    [
      'a key put over another, ignoring conflicts',
      `insert or ignore into api_keys ${COLUMNS} values ${row('1', ID, 'c')}`,
    ],
    [
      'an upsert of scopes',
      `insert into api_keys ${COLUMNS} values ${row('1', ID, 'c')} on conflict do update set scopes = '["plan:create"]'`,
    ],
    ['another key of a scope, by its columns', "update api_keys set (mode, scopes) = ('live', '[\"plan:create\"]')"],
    ['a wildcard', `insert into api_keys ${COLUMNS} values ${row('7', ID, 'c', '["plan:*"]')}`],
    ['no scope', `insert into api_keys ${COLUMNS} values ${row('7', ID, 'c', '[]')}`],
    ['an unknown status', "update api_keys set status = 'Active '"],
    ['a rate limit of nothing', 'update api_keys set rate_limit = 0'],
    ['a renamed scope', "update scopes set scope = 'plan:all' where scope = 'plan:read'"],
    ['a replaced scope', "replace into scopes values (4, 'plan:all', 'plan', 'Plan', 'all', 0)"],
    ['a deleted scope', "delete from scopes where scope = 'plan:read'"],
    ['an edited audit row', "update audit_events set body = '{}'"],
    ['an edited audit row, ignoring conflicts', "update or ignore audit_events set body = '{}'"],
    ['an edited audit row, replacing conflicts', 'update or replace audit_events set seq = 1 where seq = 2'],
    ['a moved audit row', 'update audit_events set rowid = 99 where rowid = 1'],
    ['a deleted audit row', 'delete from audit_events where seq = 1'],
    ['an emptied log', 'delete from audit_events'],
    ['a replaced audit row', `replace into audit_events ${AUDIT} values ${event('1')}`],
    ['a replaced last row', `insert or replace into audit_events ${AUDIT} values ${event('3')}`],
    [
      'an audit row over another, ignoring conflicts',
      `insert or ignore into audit_events ${AUDIT} values ${event('1')}`,
    ],
    [
      'an upsert of an audit row',
      `insert into audit_events ${AUDIT} values ${event('1')} on conflict do update set body = '{}'`,
    ],
    ['a row after a gap', `insert into audit_events ${AUDIT} values ${event('9')}`],
    ['a row without a number', `insert into audit_events ${AUDIT} values ${event('null')}`],
    ['a row that follows nothing', `insert into audit_events ${AUDIT} values ${event('4')}`],
  ])('%s', async (_, attack) => {
    const { db } = await twoKeys(engine);
    const before = await snapshot(db);
    await expect(db.exec(attack)).rejects.toThrow(/unlk:[a-z-]+|CHECK constraint failed/);
    expect(await snapshot(db)).toEqual(before);
  });

  test('an audit row that follows the last one must still bring a new operation', async () => {
    const { store, db } = await twoKeys(engine);
    const { seq, hash } = await store.auditHead();
    const [op = []] = await db.rows('select op from audit_events where seq = 2');
    const append = `insert into audit_events ${AUDIT} values (?, ?, '{}', ?, ?)`;
    await expect(db.rows(append, seq + 1, op[0], hash, 'f'.repeat(64))).rejects.toThrow('unlk:op-taken');
  });

  test('the id of a deleted key is never used again', async () => {
    const { store, db, a, b } = await twoKeys(engine);
    await expect(store.create([newKey('twin', { id: b })], change())).rejects.toMatchObject({ code: 'conflict' });
    const put = (how: string, id: string) => db.exec(`${how} into api_keys ${COLUMNS} values ${row('null', id, 'c')}`);
    await expect(put('insert or ignore', b)).rejects.toThrow('unlk:id-taken');
    await store.delete(a, change());
    await expect(store.create([newKey('again', { id: a })], change())).rejects.toMatchObject({ code: 'conflict' });
    await expect(put('insert', a)).rejects.toThrow('unlk:id-taken');
  });

  test('last-used marks only move forward', async () => {
    const { store, db } = await twoKeys(engine);
    await db.exec('update key_usage set last_used_at = 2000 where key_seq = 1');
    await db.exec('update key_usage set last_used_at = 1000 where key_seq = 1');
    expect(
      (await store.list({ now: START, sort: 'created' })).keys.map((key) => key.lastUsedAt?.getTime() ?? null),
    ).toEqual([2000, null]);
  });
});
