import { describe, expect, test } from 'vitest';
import { type AuditBody, appendToChain, GENESIS } from '../../src/domain/audit.js';
import { change, ENGINES, freshStore, keyringOver, newKey, rawDatabase } from '../support/stores.js';

const DROP = [
  'api_keys_immutable',
  'api_keys_insert',
  'audit_events_insert',
  'audit_events_update',
  'audit_events_delete',
].map((name) => `drop trigger ${name}`);

describe.each(ENGINES)('what somebody with the database and its triggers dropped cannot hide, on %s', (engine) => {
  async function attacked(...attack: string[]) {
    const store = await freshStore(engine);
    const keyring = keyringOver(store);
    await store.create([newKey('a'), newKey('b')], change());
    await store.addScope('plan:purge', null, change());
    expect((await keyring.auditVerify()).problems).toEqual([]);
    expect((await store.check()).filter(({ status }) => status === 'failed')).toEqual([]);
    const head = await keyring.auditHead();
    const db = await rawDatabase(store.location, engine);
    await db.exec(...DROP, ...attack);
    return { store, keyring, head, db };
  }

  test.each([
    [
      'more scopes',
      `update api_keys set scopes = '["plan:purge"]' where name = 'a'`,
      /changed behind the audit log: scopes/,
    ],
    [
      'a key enabled or renamed',
      "update api_keys set name = 'x', status = 'inactive' where name = 'a'",
      /changed behind the audit log: name, status/,
    ],
    [
      'a swapped hash',
      "update api_keys set hash = '$2b$04$' || hex(zeroblob(26)) || 'x' where name = 'a'",
      /changed behind the audit log: credential/,
    ],
    ['a swapped guard', "update api_keys set guard = '00000000' where name = 'a'", /credential/],
    [
      'a key put in',
      `insert into api_keys (id, name, name_key, mode, scopes, status, rate_limit, rate_window_seconds, created_at, updated_at, hash, guard, search_text) values ('zzzzzzzzzzzz', 'x', 'x', 'live', '["plan:read"]', 'active', 1, 1, 1, 1, 'h', 'g', 's')`,
      /zzzzzzzzzzzz is in the store but not in the audit log/,
    ],
    ['a key taken out', "delete from api_keys where name = 'a'", /is in the audit log but not in the store/],
    [
      'a retired scope opened',
      "update scopes set retired = 1 where scope = 'plan:purge'",
      /scope plan:purge is not in the catalogue as the audit log has it/,
    ],
    [
      'an audit row edited',
      "update audit_events set body = replace(body, 'ops', 'eve') where seq = 2",
      /row 2 was changed/,
    ],
    ['an audit row taken out', 'delete from audit_events where seq = 2', /row 2 is missing/],
    [
      'audit rows exchanged',
      [
        [2, 9],
        [3, 2],
        [9, 3],
      ].map(([from, to]) => `update audit_events set seq = ${to} where seq = ${from}`),
      /does not follow the row before it/,
    ],
    ['the log emptied', 'delete from audit_events', /the audit log is empty/],
  ])('%s', async (_, attack, problem) => {
    const { keyring, store } = await attacked(...[attack].flat());
    const check = await keyring.auditVerify();
    expect(check.sound).toBe(false);
    expect(check.problems.join('\n')).toMatch(problem);
    expect((await store.check()).find(({ check: name }) => name === 'triggers')).toMatchObject({ status: 'failed' });
  });

  test('a log rebuilt from its first row on, keys and triggers along with it, is found by a head noted before', async () => {
    const { keyring, db, head } = await attacked(
      'delete from audit_events where seq > 3',
      "delete from api_keys where name = 'b'",
    );
    const bodies = (await db.rows('select body from audit_events order by seq')).map(
      ([body]) => JSON.parse(String(body)) as AuditBody,
    );
    const rebuilt = appendToChain(GENESIS, 'rebuilt', bodies.slice(0, 2));
    await db.exec('drop trigger scopes_delete', 'delete from audit_events', 'delete from scopes where position > 7');
    for (const { seq, op, body, prev, hash } of rebuilt)
      await db.rows(
        'insert into audit_events (seq, op, body, prev, hash) values (?, ?, ?, ?, ?)',
        ...[seq, op, body, prev, hash],
      );
    expect((await keyring.auditVerify()).problems).toEqual([]); // in itself it is whole
    expect((await keyring.auditVerify(head)).problems).toEqual([expect.stringContaining('it was cut or rebuilt')]);
  });

  test('a log cut at its end, with all that the cut rows did, is found by a head noted before', async () => {
    const { keyring, db, head } = await attacked('drop trigger scopes_delete');
    await db.exec('delete from audit_events where seq = 4', "delete from scopes where scope = 'plan:purge'");
    expect((await keyring.auditVerify()).problems).toEqual([]); // in itself it is whole
    expect((await keyring.auditVerify(head)).problems).toEqual([expect.stringContaining('it was cut or rebuilt')]);
  });

  test('of many problems a hundred are told', async () => {
    const { keyring, store, db } = await attacked();
    await store.create(
      Array.from({ length: 150 }, (_, i) => newKey(`key ${i}`)),
      change(),
    );
    await db.exec('delete from api_keys');
    expect((await keyring.auditVerify()).problems).toHaveLength(100);
  });

  test('a head that is still in the log is an anchor, however far the log went on', async () => {
    const { keyring, store, head } = await attacked();
    await store.create([newKey('later')], change());
    expect((await keyring.auditVerify(head)).problems).toEqual([]);
    expect((await keyring.auditVerify({ ...head, hash: 'f'.repeat(64) })).sound).toBe(false);
    expect((await keyring.auditVerify({ ...head, seq: 99 })).sound).toBe(false);
  });

  test('an altered trigger, and one that is not ours, are named', async () => {
    const { store, db } = await attacked();
    await db.exec(
      'create trigger audit_events_update before update on audit_events begin select 1; end',
      'create trigger helper after insert on scopes begin select 1; end',
    );
    const finding = (await store.check()).find(({ check: name }) => name === 'triggers');
    expect(finding?.detail).toContain('audit_events_update');
    expect(finding?.detail).toContain('not ours: helper');
  });

  test('a log of several thousand rows is replayed to its end', async () => {
    const store = await freshStore(engine);
    const keyring = keyringOver(store);
    const rows = Array.from({ length: 4500 }, (_, i) => newKey(`key ${i}`));
    for (let from = 0; from < rows.length; from += 1500) await store.create(rows.slice(from, from + 1500), change());
    expect(await keyring.auditVerify()).toMatchObject({ sound: true, events: 4501 });
    const db = await rawDatabase(store.location, engine);
    await db.exec(...DROP, "update api_keys set status = 'inactive' where name in ('key 1999', 'key 4400')");
    expect((await keyring.auditVerify()).problems).toHaveLength(2);
  });
});
