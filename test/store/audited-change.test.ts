import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { appendToChain, GENESIS } from '../../src/domain/audit.js';
import type { Change } from '../../src/domain/change.js';
import { KeysError } from '../../src/domain/errors.js';
import { AuditedChanges, unchangedKey, unchangedScope } from '../../src/store/audited-change.js';
import type { Database, ReadBack, Rows, Statement, WritePlan } from '../../src/store/database.js';
import type { Planned } from '../../src/store/planned.js';
import { head, rowsAfter } from '../../src/store/statements.js';
import { auditEvent } from '../support/audit-rows.js';
import { credentialWith, PLAIN_KEY } from '../support/key-rows.js';
import { refused } from '../support/manifests.js';
import { refusal } from '../support/refusal.js';
import { BY, change, DEFAULT_ENGINE, freshStore, newKey, openDatabase, rawDatabase, START } from '../support/stores.js';
import { unguarded } from '../support/unguarded.js';

const ID = '777777777777';
/** A deleted key that is past its time. */
const PAST =
  "insert into deleted_keys (seq, id, name_key, kept_until, record) values (9, 'zzzzzzzzzzzz', 'z', 1, '{}')";
const LATER = new Date(START.getTime() + 1000);

/** The database of a store with one key, a connection to it without rules, and changes that are made in it. */
async function scene(as: (database: Database) => Database = (database) => database) {
  const store = await freshStore(DEFAULT_ENGINE);
  await store.create([newKey('a', { id: ID })], change());
  const { location } = store;
  const database = await openDatabase(location, DEFAULT_ENGINE, { create: false });
  const raw = await rawDatabase(location, DEFAULT_ENGINE);
  const log = async () =>
    (await raw.rows('select seq, op, body from audit_events where seq > 2 order by seq')).map(([seq, op, body]) => ({
      seq,
      op,
      ...JSON.parse(String(body)),
    }));
  return { location, changes: new AuditedChanges(as(database)), database, raw, log };
}

type Write = <T>(reads: readonly Statement[], plan: (rows: Rows[]) => WritePlan<T>, options?: object) => Promise<T>;

/** The same database with something else in place of some of it. */
function but(database: Database, other: { readonly write?: Write; readonly maxStatements?: number }): Database {
  return new Proxy(database, {
    get: (target, name) => {
      const value: unknown = Reflect.get(name in other ? other : target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** The same database, which reads a change back from the one that `then` answers, once the change is written. */
function readingBackFrom(database: Database, then: () => Promise<Database>): Database {
  return but(database, {
    async write(reads, plan, options) {
      const all: ReadBack[] = [];
      const result = await database.write(
        reads,
        (rows) => {
          const { readBack, ...planned } = plan(rows);
          if (readBack) all.push(readBack);
          return planned;
        },
        options,
      );
      const other = await then();
      for (const { statements, check } of all) check(await other.read(statements));
      return result;
    },
  });
}

const draft = { action: 'key.edit', keyId: ID, keyName: 'a', before: null, after: { description: 'x' } } as const;
const describing = (text: string) => ({
  sql: `update api_keys set description = '${text}' where id = '${ID}'`,
  params: [],
  rows: 1,
});

function edit(text: string, more: Partial<Planned<string>> = {}): Planned<string> {
  return { writes: [describing(text)], drafts: [draft], result: text, ...more };
}

const changing = (more: Partial<Change> = {}): Change => ({ by: BY, at: LATER, op: randomUUID(), ...more });

describe('a change', () => {
  test('is written with its audit rows: who, when, why, and the operation', async () => {
    const { changes, log, raw } = await scene();
    const by = { ...BY, actor: 'alice' };
    const own = { ...draft, action: 'key.disable', reason: 'its own' } as const;
    const result = await changes.make({
      change: changing({ by, op: 'operation-1', reason: 'left' }),
      reads: [],
      plan: () => edit('x', { drafts: [draft, own] }),
    });
    expect(result).toBe('x');
    expect(await log()).toEqual([
      { seq: 3, op: 'operation-1', ...draft, ...by, at: LATER.toISOString(), reason: 'left' },
      { seq: 4, op: 'operation-1/1', ...own, ...by, at: LATER.toISOString() },
    ]);
    await changes.make({ change: changing({ op: 'operation-2' }), reads: [], plan: () => edit('y') });
    expect((await log())[2]).toMatchObject({ op: 'operation-2', reason: null });
    expect(await raw.rows('select description from api_keys')).toEqual([['y']]);
  });

  test('is counted, and leaves where the log ended before the first and after the last one', async () => {
    const { changes, raw } = await scene();
    expect([changes.count, changes.last]).toEqual([0, null]);
    const heads = async () =>
      (await raw.rows('select seq, hash from audit_events order by seq')).map(([seq, hash]) => ({ seq, hash }));
    const make = (plan: () => Planned<string>) => changes.make({ change: changing(), reads: [], plan });
    await make(() => ({ writes: [], drafts: [], result: 'nothing' }));
    expect([changes.count, changes.last]).toEqual([1, null]);
    await make(() => edit('x'));
    await make(() => edit('y'));
    const all = await heads();
    expect(changes.count).toBe(3);
    expect(changes.last).toEqual({ birth: all[0]?.hash, before: all[1], head: all[3] });
    await expect(
      make(() => {
        throw new Error('no plan');
      }),
    ).rejects.toThrow('no plan');
    expect([changes.count, changes.last?.head]).toEqual([4, all[3]]);
  });

  test('plans with the rows that it asked for, and no others', async () => {
    const { changes } = await scene();
    const read = { sql: 'select name from api_keys', params: [] };
    const rows = await changes.make({
      change: changing(),
      reads: [read, read],
      plan: (all) => ({ writes: [], drafts: [], result: all }),
    });
    expect(rows).toEqual([[['a']], [['a']]]);
  });

  test('is undone whole where a statement changes another number of rows', async () => {
    const { changes, log, raw } = await scene();
    const wrong = { ...describing('y'), rows: 2 };
    await expect(
      changes.make({ change: changing(), reads: [], plan: () => edit('x', { writes: [describing('x'), wrong] }) }),
    ).rejects.toMatchObject({ code: 'conflict' });
    expect([await log(), await raw.rows('select description from api_keys')]).toEqual([[], [[null]]]);
  });

  test('drops deleted keys that are past their time, and housekeeping does not', async () => {
    const { changes, raw } = await scene();
    const past = async () => Number((await raw.rows('select count(*) from deleted_keys'))[0]?.[0]);
    await raw.exec(PAST);
    await changes.make({ change: changing(), reads: [], plan: () => edit('x'), wait: false });
    await changes.make({ change: changing(), reads: [], plan: () => ({ writes: [], drafts: [], result: null }) });
    expect(await past()).toBe(1);
    await changes.make({ change: changing(), reads: [], plan: () => edit('x') });
    expect(await past()).toBe(0);
  });

  test('drops none where its write would have more statements than the engine takes', async () => {
    for (const [most, left] of [
      [2, 1],
      [3, 0],
    ] as const) {
      const small = (database: Database) => but(database, { maxStatements: most });
      const { changes, raw } = await scene(small);
      await raw.exec(PAST);
      await changes.make({ change: changing(), reads: [], plan: () => edit('x') });
      expect(await raw.rows('select count(*) from deleted_keys')).toEqual([[left]]);
    }
  });
});

describe('an operation id that was used before', () => {
  const done = (changes: AuditedChanges) =>
    changes.make({ change: changing({ op: 'operation-1' }), reads: [], plan: () => edit('x') });

  test('is a conflict that says what was done', async () => {
    const { changes, log } = await scene();
    await done(changes);
    expect(await refused(done(changes))).toMatchObject({
      code: 'conflict',
      message: `operation operation-1 was already carried out: key.edit of ${ID}`,
      hint: expect.stringContaining('omit --operation-id'),
    });
    const scope = { ...draft, action: 'scope.add', keyId: null, keyName: null } as const;
    const adding = () =>
      changes.make({ change: changing({ op: 'operation-2' }), reads: [], plan: () => edit('y', { drafts: [scope] }) });
    await adding();
    expect((await refused(adding())).message).toBe('operation operation-2 was already carried out: scope.add');
    expect(await log()).toHaveLength(2);
  });

  test('is answered with what was done and the rows, where the change says how', async () => {
    const { changes, log } = await scene();
    await done(changes);
    const answer = await changes.make<unknown>({
      change: changing({ op: 'operation-1' }),
      reads: [{ sql: 'select description from api_keys', params: [] }],
      plan: () => edit('y'),
      repeated: ({ action, op, keyId }, rows) => ({ action, op, keyId, rows }),
    });
    expect(answer).toEqual({ action: 'key.edit', op: 'operation-1', keyId: ID, rows: [[['x']]] });
    expect(await log()).toHaveLength(1);
  });

  test('is not asked about where the same call is planned again, as after a reply that was lost', async () => {
    const again = (database: Database) =>
      but(database, {
        async write(reads, plan, options) {
          await database.write(reads, plan, options);
          return database.write(reads, plan, options);
        },
      });
    const { changes, log, raw } = await scene(again);
    let planned = 0;
    const plan = () => edit(`x${planned++}`);
    expect(await changes.make({ change: changing(), reads: [], plan })).toBe('x0');
    expect([await log(), await raw.rows('select description from api_keys')]).toMatchObject([[{ seq: 3 }], [['x0']]]);
    await expect(
      changes.make({ change: changing(), reads: [], plan: () => ({ writes: [], drafts: [], result: 'nothing' }) }),
    ).resolves.toBe('nothing');
  });
});

describe('a change that is read back', () => {
  const reading = (check: ReadBack['check']): ReadBack => ({
    statements: [{ sql: 'select description from api_keys', params: [] }, head({})],
    check,
  });

  test('is compared with what was planned, by another connection', async () => {
    const { changes } = await scene();
    const seen: unknown[] = [];
    const readBack = reading(([texts, end]) => seen.push(texts, end?.[0]?.[0]));
    await changes.make({ change: changing(), reads: [], plan: () => edit('x', { readBack }) });
    expect(seen).toEqual([[['x']], 3]);
    const failing = reading(() => {
      throw new KeysError('store_corrupt', 'not as planned');
    });
    await expect(
      changes.make({ change: changing(), reads: [], plan: () => edit('x', { readBack: failing }) }),
    ).rejects.toMatchObject({ code: 'store_corrupt' });
  });

  test('also where nothing is logged', async () => {
    const { changes } = await scene();
    const failing = reading(() => {
      throw new KeysError('store_corrupt', 'not as planned');
    });
    const nothing = { writes: [], drafts: [], result: null, readBack: failing };
    await expect(changes.make({ change: changing(), reads: [], plan: () => nothing })).rejects.toMatchObject({
      code: 'store_corrupt',
    });
    await changes.make({ change: changing(), reads: [], plan: () => nothing, wait: false }); // housekeeping is not
  });

  test('is not compared once somebody else has changed something', async () => {
    const { database } = await scene();
    const others = new AuditedChanges(database);
    const mine = new AuditedChanges(
      readingBackFrom(database, async () => {
        await others.make({ change: changing(), reads: [], plan: () => edit('theirs') });
        return database;
      }),
    );
    const asked: string[] = [];
    const readBack = reading(() => asked.push('compared'));
    await mine.make({ change: changing(), reads: [], plan: () => edit('x', { readBack }) });
    expect(asked).toEqual([]);
    expect([mine.last?.head.seq, others.last?.head.seq]).toEqual([3, 4]);
  });

  test('is not done where the log that its path leads to does not have it', async () => {
    const { database } = await scene();
    const { database: another, changes: others } = await scene();
    await others.make({ change: changing(), reads: [], plan: () => edit('theirs') }); // a row in the same place
    const { database: shorter } = await scene();
    for (const other of [another, shorter]) {
      const mine = new AuditedChanges(readingBackFrom(database, async () => other));
      expect(await refused(mine.make({ change: changing(), reads: [], plan: () => edit('x') }))).toMatchObject({
        code: 'store_unavailable',
        message: 'the change was written, but the audit log does not contain it',
        hint: expect.stringContaining('no key string was handed out'),
      });
      expect(mine.last).toBeNull();
    }
  });
});

describe('housekeeping', () => {
  test('is logged in the form that the log has, so that older servers can go on', async () => {
    const { changes, raw, log } = await scene();
    const body = { ...BY, at: START.toISOString(), reason: null, ...draft };
    const [old] = appendToChain(GENESIS, 'old', [body], { bare: true });
    await unguarded(raw, DEFAULT_ENGINE, 'delete from audit_events');
    await raw.rows(
      'insert into audit_events (seq, op, body, prev, hash) values (?, ?, ?, ?, ?)',
      ...[old?.seq, old?.op, old?.body, old?.prev, old?.hash],
    );
    const make = (wait: boolean) => changes.make({ change: changing(), reads: [], plan: () => edit('x'), wait });
    await make(false);
    await make(true);
    await make(false);
    const bodies = (await raw.rows('select body from audit_events order by seq')).map(([text]) =>
      JSON.parse(String(text)),
    );
    expect(bodies.map((each) => 'op' in each)).toEqual([false, false, true, true]);
    expect(await log()).toHaveLength(2);
  });

  test('throws where another process holds the lock, and is not waited for', async () => {
    const { changes, location } = await scene();
    const other = await rawDatabase(location, DEFAULT_ENGINE);
    await other.exec('begin immediate');
    await expect(
      changes.make({ change: changing(), reads: [], plan: () => edit('x'), wait: false }),
    ).rejects.toMatchObject({ code: 'store_busy' });
    expect(changes.last).toBeNull();
    await other.exec('rollback');
    await changes.make({ change: changing(), reads: [], plan: () => edit('x'), wait: false });
    expect(changes.last).toBeNull(); // it is no change that anybody asked for
  });
});

test('a change waits for the lock and upgrades an older store, and housekeeping does neither', async () => {
  const asked: unknown[] = [];
  const noting = (database: Database) =>
    but(database, {
      write(reads, plan, options) {
        asked.push(options);
        return database.write(reads, plan, options);
      },
    });
  const { changes } = await scene(noting);
  for (const wait of [undefined, true, false])
    await changes.make({ change: changing(), reads: [], plan: () => edit('x'), ...(wait !== undefined && { wait }) });
  await changes.makeOfKey({ id: ID, change: changing(), plan: () => edit('x') });
  const waiting = { wait: true, change: true };
  expect(asked).toEqual([waiting, waiting, { wait: false, change: false }, waiting]);
});

describe('a change of one key', () => {
  test('is planned with the key, its place, and the other rows', async () => {
    const { changes } = await scene();
    const answer = await changes.makeOfKey<unknown>({
      id: ID,
      change: changing(),
      reads: [rowsAfter({ seq: 1, limit: 1 })],
      plan: ({ key }, [rows], seq) => ({
        writes: [],
        drafts: [],
        result: [key.id, key.name, rows?.length, seq],
      }),
    });
    expect(answer).toEqual([ID, 'a', 1, 1]);
  });

  test('is refused for a key that is gone', async () => {
    const { changes } = await scene();
    const gone = changes.makeOfKey({ id: 'zzzzzzzzzzzz', change: changing(), plan: () => edit('x') });
    expect(await refused(gone)).toMatchObject({
      code: 'not_found',
      message: 'key zzzzzzzzzzzz no longer exists',
      hint: 'unlockos-keys list shows the keys that do',
    });
  });

  test('that was made before is answered with the key as it is now, or is a conflict', async () => {
    const { changes } = await scene();
    const make = (repeated?: (done: { action: string }, found: { key: { description: string | null } }) => string) =>
      changes.makeOfKey<string>({
        id: ID,
        change: changing({ op: 'operation-1' }),
        plan: () => edit('x'),
        ...(repeated && { repeated }),
      });
    await make();
    expect(await make(({ action }, { key }) => `${action} ${key.description}`)).toBe('key.edit x');
    expect(await refused(make())).toMatchObject({ code: 'conflict' });
  });
});

describe('a change of which nobody knows the outcome', () => {
  test.each([
    ['operation-1', 'operation-1'],
    ['operation-1:777777777777', 'operation-1'],
  ])('under %s is to be run again as %s', async (op, again) => {
    const cause = new Error('the line is cut');
    const lost = (database: Database) =>
      but(database, {
        async write(...args) {
          await database.write(...args);
          throw new KeysError('outcome_unknown', 'no reply', undefined, { cause });
        },
      });
    const { changes, log } = await scene(lost);
    const error = await refused(changes.make({ change: changing({ op }), reads: [], plan: () => edit('x') }));
    expect(error).toMatchObject({
      code: 'outcome_unknown',
      message: `no reply; the change may or may not have been made (operation ${again})`,
      hint: expect.stringContaining(`--operation-id ${again}:`),
      cause,
    });
    expect(await log()).toHaveLength(1);
  });
});

describe('the answer to a change that was made before', () => {
  const done = { ...auditEvent({ action: 'key.disable', keyId: ID }), seq: 3, op: 'operation-1' };
  const carriedOut = expect.objectContaining({
    code: 'conflict',
    message: expect.stringContaining('operation operation-1 was already carried out'),
  });

  test('is the key as it is now, for the same change of the same key', () => {
    const found = credentialWith({ ...PLAIN_KEY, id: ID });
    expect(unchangedKey('key.disable', ID)(done, found)).toEqual({ key: found.key, changed: false });
    expect(refusal(() => unchangedKey('key.enable', ID)(done, found))).toEqual(carriedOut);
    expect(refusal(() => unchangedKey('key.disable', 'zzzzzzzzzzzz')(done, found))).toEqual(carriedOut);
  });

  test('is the scope as it is now, for the same change of the same scope', () => {
    const rows = [
      ['plan:read', 'plan', 'Plans', 'read', 0, 1],
      ['report:read', 'report', 'Reports', 'read', 1, 2],
    ];
    const retired = { ...done, action: 'scope.retire', keyId: null, after: { scope: 'report:read' } } as const;
    expect(unchangedScope('scope.retire', 'report:read', retired, rows)).toMatchObject({
      scope: 'report:read',
      retired: true,
    });
    for (const [action, scope, event, found] of [
      ['scope.add', 'report:read', retired, rows],
      ['scope.retire', 'plan:read', retired, rows],
      ['scope.retire', 'report:read', retired, rows.slice(0, 1)],
      ['scope.retire', 'report:read', { ...retired, after: null }, rows],
    ] as const)
      expect(refusal(() => unchangedScope(action, scope, event, found))).toEqual(carriedOut);
  });
});
