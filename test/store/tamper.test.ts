import { describe, expect, test } from 'vitest';
import { type AuditBody, appendToChain, GENESIS } from '../../src/domain/audit.js';
import { change, ENGINES, freshStore, keyringOver, newKey, rawDatabase } from '../support/stores.js';

const DROP = [
  'api_keys_immutable',
  'api_keys_insert',
  'audit_events_insert',
  'audit_events_update',
  'audit_events_delete',
  'scopes_new_values',
].map((name) => `drop trigger ${name}`);

describe.each(ENGINES)('what somebody with the database and its triggers dropped cannot hide, on %s', (engine) => {
  async function attacked(...attack: string[]) {
    const store = await freshStore(engine);
    const keyring = keyringOver(store);
    await store.create([newKey('a'), newKey('b')], change());
    await store.settings.addScope('plan:purge', null, change());
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
      /changed without an audit row: scopes/,
    ],
    [
      'a key enabled or renamed',
      "update api_keys set name = 'x', status = 'inactive' where name = 'a'",
      /changed without an audit row: name, status/,
    ],
    [
      'a swapped hash',
      "update api_keys set hash = '$2b$04$' || hex(zeroblob(26)) || 'x' where name = 'a'",
      /changed without an audit row: credential/,
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
      /scope plan:purge differs between the catalogue and the audit log/,
    ],
    [
      'an audit row edited',
      "update audit_events set body = replace(body, 'ops', 'eve') where seq = 2",
      /row 2 was changed/,
    ],
    [
      'an operation id exchanged',
      "update audit_events set op = 'other' where seq = 3",
      /row 3 was changed: its operation id is not the one in its text/,
    ],
    ['an operation id that is no text', "update audit_events set op = x'00' where seq = 3", /row 3 is damaged: its op/],
    [
      'a scope of no form',
      "update scopes set category_label = x'00ff' where position = 2",
      /row 2 of the catalogue is/,
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

  test('the last row, chained anew without its operation id as if an older version had written it', async () => {
    const { keyring, db } = await attacked();
    const [[prev, text] = []] = await db.rows('select prev, body from audit_events where seq = 4');
    const { op: _, ...body } = JSON.parse(String(text));
    const [row] = appendToChain({ seq: 3, hash: String(prev) }, 'forged', [body], { bare: true });
    await db.rows("update audit_events set op = 'forged', body = ?, hash = ? where seq = 4", row?.body, row?.hash);
    expect((await keyring.auditVerify()).problems).toEqual([
      expect.stringContaining('row 4 does not hold its operation'),
    ]);
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
    expect(finding?.detail).toContain('unknown: helper');
  });

  test('a log of more rows than one page is replayed to its end', async () => {
    const store = await freshStore(engine);
    const keyring = keyringOver(store);
    const rows = Array.from({ length: 2100 }, (_, i) => newKey(`key ${i}`));
    for (let from = 0; from < rows.length; from += 1050) await store.create(rows.slice(from, from + 1050), change());
    expect(await keyring.auditVerify()).toMatchObject({ sound: true, events: 2101 });
    const db = await rawDatabase(store.location, engine);
    await db.exec(...DROP, "update api_keys set status = 'inactive' where name in ('key 1', 'key 2090')");
    expect((await keyring.auditVerify()).problems).toHaveLength(2);
  });
});

describe.each(ENGINES)('what follows from the keys and does not, on %s', (engine) => {
  async function scene(...attack: string[]) {
    const store = await freshStore(engine);
    const keyring = keyringOver(store);
    await store.create([newKey('a', { labels: { team: 'x' } }), newKey('b')], change());
    expect((await keyring.auditVerify()).problems).toEqual([]);
    const db = await rawDatabase(store.location, engine);
    await db.exec('drop trigger api_keys_rename', ...attack);
    return { store, keyring };
  }
  const SWAP = [
    "update api_keys set name_key = '~' where name = 'a'",
    "update api_keys set name_key = 'a' where name = 'b'",
    "update api_keys set name_key = 'b' where name = 'a'",
  ];

  test.each<[string, RegExp, string[]]>([
    ['names exchanged', /the name_key of key \w+ does not follow from its name/, SWAP],
    ['a search text', /the search_text of key/, ["update api_keys set search_text = 'x' where name = 'a'"]],
    ['a scope taken out', /key_scopes lacks a scope of key/, ['delete from key_scopes']],
    ['a scope put in', /key_scopes has a scope too many/, ["insert into key_scopes values ('plan:read', 1)"]],
    ['a label taken out', /key_labels lacks a label of key/, ['delete from key_labels']],
    ['a label put in', /key_labels has a label too many/, ["insert into key_labels values ('team=y', 2)"]],
    ['a key without its usage', /key_usage has no row for key/, ['delete from key_usage where key_seq = 1']],
  ])('%s: audit verify finds it', async (_, problem, attack) => {
    const { keyring } = await scene(...attack);
    const { sound, problems } = await keyring.auditVerify();
    expect({ sound, problems }).toEqual({
      sound: false,
      problems: expect.arrayContaining([expect.stringMatching(problem)]),
    });
  });

  test.each<[string, RegExp, string[]]>([
    ['an index that is gone', /missing or altered: index api_keys_name/, ['drop index api_keys_name']],
    ['an index put in', /unknown: index later/, ['create index later on api_keys (hash)']],
    ['a view', /unknown: view shadow/, ['create view shadow as select * from api_keys']],
    ['a column', /missing or altered: table api_keys/, ['alter table api_keys add column more text']],
    [
      'a unique index made anew without being unique',
      /missing or altered: index api_keys_name/,
      ['drop index api_keys_name', 'create index api_keys_name on api_keys (name_key)'],
    ],
  ])('%s: store check finds it', async (_, detail, attack) => {
    const { store } = await scene(...attack);
    expect((await store.check()).find(({ check }) => check === 'tables')).toMatchObject({
      status: 'failed',
      detail: expect.stringMatching(detail),
    });
  });

  test('a key that is filed under the name of another is not taken for that', async () => {
    const { keyring } = await scene(...SWAP);
    for (const act of [
      () => keyring.delete('a'),
      () => keyring.disable('b'),
      () => keyring.show('a'),
      () => keyring.create([{ name: 'a', mode: 'test', scopes: ['plan:read'] }], { ifExists: 'replace' }),
      () => keyring.edit('b', { name: 'a' }),
    ])
      await expect(act()).rejects.toMatchObject({ code: 'store_corrupt' });
    expect((await keyring.list()).keys).toHaveLength(2);
  });

  test.each<[string, string, (keyring: ReturnType<typeof keyringOver>) => Promise<unknown>]>([
    [
      'disable',
      "update of status on api_keys when new.status <> 'active' begin update api_keys set status = 'active' where id = new.id; end",
      (k) => k.disable('a'),
    ],
    [
      'edit',
      "update of description on api_keys when new.description <> 'x' begin update api_keys set description = 'x' where id = new.id; end",
      (k) => k.edit('a', { description: 'mine' }),
    ],
  ])('a %s that a trigger undoes is not answered as done', async (_, trigger, act) => {
    const { keyring } = await scene(`create trigger undo after ${trigger}`);
    await expect(act(keyring)).rejects.toMatchObject({ code: 'store_corrupt' });
  });
});
