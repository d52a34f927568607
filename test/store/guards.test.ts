import { describe, expect, test } from 'vitest';
import { sharedBy } from '../support/lifetime.js';
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
  const untouched = sharedBy(() => twoKeys(engine));

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
    ['half a request', 'update api_keys set rate_limit = 0.5'],
    ['a limit in words', "update api_keys set rate_limit = 'many'"],
    ['a limit beyond 2^53', 'update api_keys set rate_limit = 9007199254740993'],
    ['half a second', 'update api_keys set rate_window_seconds = 1.5'],
    ['a name that is a blob', "update api_keys set name = x'00' where name = 'a'"],
    ['no name', "update api_keys set name = '' where name = 'a'"],
    ['a description that is a blob', "update api_keys set description = x'00'"],
    ['an expiry in words', "update api_keys set expires_at = 'never'"],
    ['an expiry that no Date holds', 'update api_keys set expires_at = 8640000000000001'],
    ['an infinite expiry', 'update api_keys set expires_at = 9e999'],
    ['a change at no time', "update api_keys set updated_at = ''"],
    ['a hash that is a blob', "update api_keys set hash = x'00'"],
    ['labels that are a list', "update api_keys set labels = '[]'"],
    ['a label that is a number', `update api_keys set labels = '{"a":1}'`],
    ['labels that are not JSON', "update api_keys set labels = 'x'"],
    ['a successor that is not an id', "update api_keys set rotated_to = 'next'"],
    ['a use in words', "update key_usage set last_used_at = 'now'"],
    ['a use that no Date holds', 'update key_usage set last_used_at = 9000000000000000'],
    ['a hash scheme that nothing reads', "insert into store_settings values ('hash', 'hmac-sha256')"],
    [
      'a row with half a request',
      `insert into api_keys ${COLUMNS} values ${row('9', ID, 'x').replace("'active', 1,", "'active', 0.5,")}`,
    ],
    ['a row with a scope that is a number', `insert into api_keys ${COLUMNS} values ${row('9', ID, 'x', '[7]')}`],
    ['a row with an id of another form', `insert into api_keys ${COLUMNS} values ${row('9', 'ILOU', 'x')}`],
    [
      'a row of the year 300000',
      `insert into api_keys ${COLUMNS} values ${row('9', ID, 'x').replace("1, 1, 'h'", "9e15, 1, 'h'")}`,
    ],
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
    const { db } = untouched();
    const before = await snapshot(db);
    await expect(db.exec(attack)).rejects.toThrow(/unlk:[a-z-]+|CHECK constraint failed/);
    expect(await snapshot(db)).toEqual(before);
  });

  test('an audit row that follows the last one must still bring a new operation', async () => {
    const { store, db } = await twoKeys(engine);
    const { seq, hash } = await store.audit.head();
    const [op = []] = await db.rows('select op from audit_events where seq = 2');
    const append = `insert into audit_events ${AUDIT} values (?, ?, json_object('op', ?), ?, ?)`;
    await expect(db.rows(append, seq + 1, op[0], op[0], hash, 'f'.repeat(64))).rejects.toThrow('unlk:op-taken');
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
