import { copyFileSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { KeysError } from '../../src/domain/errors.js';
import { LocalDatabase } from '../../src/store/local/local-database.js';
import { readMigrations } from '../../src/store/migrations.js';
import { openStore } from '../../src/store/open.js';
import { SCHEMA_VERSION } from '../../src/store/versions.js';
import {
  change,
  ENGINES,
  freshLocation,
  freshStore,
  keyringOver,
  LOCAL_ENGINES,
  markUsed,
  newKey,
  openDatabase,
  options,
  rawDatabase,
  realKey,
  START,
  scratch,
  snapshot,
} from '../support/stores.js';

/** The migrations of the next version. */
const next = () => [
  ...readMigrations(),
  { version: SCHEMA_VERSION + 1, tag: 'next', checksum: 'x', statements: ['create table later (x)'] },
];

test('the schema version is the number of shipped migrations', () => {
  expect(readMigrations().map(({ version }) => version)).toEqual(
    Array.from({ length: SCHEMA_VERSION }, (_, i) => i + 1),
  );
});

describe.each(LOCAL_ENGINES)('opening a file, on %s', (binding) => {
  const open = (file: string, more: Parameters<typeof options>[1] = {}) => openStore(file, options(binding, more));

  test('every connection has its settings, whatever the binding was compiled with', async () => {
    const local = await LocalDatabase.open(path.join(scratch(), 'keys.db'), options(binding, { timeoutMs: 1234 }));
    const settings = {
      journal_mode: 'wal',
      synchronous: 2,
      busy_timeout: 1234,
      foreign_keys: 1,
      trusted_schema: 0,
      recursive_triggers: 1,
      secure_delete: 1,
      cell_size_check: 1,
      application_id: 0x554b4559,
    };
    const again = await LocalDatabase.open(local.location, options(binding, { timeoutMs: 1234, create: false }));
    for (const database of [local, again]) {
      const rows = await database.read(Object.keys(settings).map((name) => ({ sql: `pragma ${name}`, params: [] })));
      expect(rows.map(([first]) => first?.[0])).toEqual(Object.values(settings));
      await database.close();
    }
  });

  test.each<[string, (file: string) => void]>([
    ['unlinked', (file) => rmSync(file)],
    ['moved', (file) => renameSync(file, `${file}.moved`)],
    [
      'replaced',
      (file) => {
        copyFileSync(file, `${file}.copy`);
        renameSync(`${file}.copy`, file);
      },
    ],
  ])('a store that was %s while it was open hands out no key', async (_, happen) => {
    const store = await freshStore(binding);
    await store.create([newKey('a')], change());
    happen(store.location);
    await expect(store.create([newKey('b')], change())).rejects.toMatchObject({ code: 'store_unavailable' });
  });

  test('the hash of a key that was deleted for good is not left in the file', async () => {
    const store = await freshStore(binding);
    const { row } = await realKey('a');
    await store.create([row], change());
    await store.delete(row.id, change());
    await store.deleted.purge(row.id, change());
    await store.close();
    expect(readFileSync(store.location).includes(row.hash)).toBe(false);
    const log = `${store.location}-wal`;
    expect(existsSync(log) ? statSync(log).size : 0).toBe(0);
  });

  test('a lock held by another process is waited for, then named, and nothing is changed', async () => {
    const store = await freshStore(binding);
    const impatient = await open(store.location, { timeoutMs: 50 });
    const other = await rawDatabase(store.location, binding);
    await other.exec('begin immediate');
    await expect(impatient.create([newKey('a')], change())).rejects.toMatchObject({ code: 'store_busy' });
    await other.exec('rollback');
    expect((await impatient.list({ now: START })).keys).toEqual([]);
    await impatient.create([newKey('a')], change());
    await impatient.close();
  });

  test('a process that answers for long goes on answering while it waits for a lock, and waits no longer than others', async () => {
    const store = await freshStore(binding);
    const [server, impatient] = [
      await open(store.location, { follow: true, timeoutMs: 20_000 }),
      await open(store.location, { follow: true, timeoutMs: 50 }),
    ];
    const other = await rawDatabase(store.location, binding);
    await other.exec('begin immediate');
    const waits = server.create([newKey('a')], change());
    expect((await server.list({ now: START })).keys).toEqual([]);
    await expect(impatient.create([newKey('b')], change())).rejects.toMatchObject({ code: 'store_busy' });
    await other.exec('rollback');
    await waits;
    expect((await store.list({ now: START })).keys.map(({ name }) => name)).toEqual(['a']);
    for (const each of [server, impatient]) await each.close();
  });

  test('an older store is copied (0600) before a change brings it up to date', async () => {
    const store = await freshStore(binding);
    await store.create([newKey('kept')], change());
    await store.close();
    const said: unknown[] = [];
    const upgrading = await open(store.location, { migrations: next(), onUpgrade: (upgrade) => said.push(upgrade) });
    expect((await upgrading.list({ now: START })).keys.map(({ name }) => name)).toEqual(['kept']);
    expect([await upgrading.schema(), said]).toEqual([{ version: SCHEMA_VERSION, latest: SCHEMA_VERSION + 1 }, []]);
    await upgrading.create([newKey('more')], change());
    await upgrading.close();
    const [copy, ...others] = readdirSync(path.dirname(store.location)).filter((name) => name.includes('before-v'));
    expect(others).toEqual([]);
    const copied = path.join(path.dirname(store.location), copy ?? '');
    expect(said).toEqual([{ from: SCHEMA_VERSION, to: SCHEMA_VERSION + 1, copy: copied }]);
    expect(statSync(copied).mode & 0o777).toBe(0o600);
    const before = await open(copied);
    expect(await before.schema()).toEqual({ version: SCHEMA_VERSION, latest: SCHEMA_VERSION });
    await before.close();
  });
});

describe.each(ENGINES)('the database below a store, on %s', (engine) => {
  const notThere = new KeysError('store_unavailable', 'not there');

  test('what was written is read back as committed, and where that fails, so does the write', async () => {
    const { location } = await freshStore(engine);
    const database = await openDatabase(location, engine);
    const writes = [{ sql: "update scopes set category_label = 'x' where position = ?", params: [1], rows: 1 }];
    const statements = [{ sql: 'select category_label from scopes where position = ?', params: [1] }];
    const found: unknown[] = [];
    const writing = (check: (rows: unknown[]) => void) =>
      database.write([], () => ({ writes, result: 'done', readBack: { statements, check } }));
    expect(await writing((rows) => found.push(...rows))).toBe('done');
    expect(found).toEqual([[['x']]]);
    const refused = writing(() => {
      throw notThere;
    });
    await expect(refused).rejects.toBe(notThere);
  });
});

describe.each(ENGINES)('versions, on %s', (engine) => {
  /** Opened and asked something: a remote store is only looked at then. */
  async function open(location: string, more: Parameters<typeof options>[1] = {}) {
    const store = await openStore(location, options(engine, more));
    onTestFinished(() => store.close().catch(() => {}));
    if (!more.inspect) await store.audit.head();
    return store;
  }

  test('a newer store that asks for newer readers is opened for looking only', async () => {
    const store = await freshStore(engine);
    await (await rawDatabase(store.location, engine)).exec(
      "insert into schema_migrations values (99, 'future', 'x', 0)",
      "update store_settings set value = '99' where name = 'min_reader'",
    );
    await expect(open(store.location)).rejects.toMatchObject({ code: 'store_newer' });
    const looking = await open(store.location, { inspect: true, create: false });
    expect((await looking.check()).find(({ check }) => check === 'schema')).toMatchObject({ status: 'failed' });
    await looking.close();
  });

  test('a store that a newer version upgraded is read by this one, marks included, and changed by none but that', async () => {
    const store = await freshStore(engine);
    const row = newKey('a');
    await store.create([row], change());
    const newer = await open(store.location, { migrations: next() });
    expect(await newer.upgrade()).toMatchObject({ from: SCHEMA_VERSION, to: SCHEMA_VERSION + 1 });
    expect(await newer.upgrade()).toBeNull();
    expect((await newer.audit.events({})).at(-1)).toMatchObject({
      action: 'store.upgrade',
      before: { schema: SCHEMA_VERSION },
      after: { schema: SCHEMA_VERSION + 1 },
    });
    expect((await keyringOver(newer).auditVerify()).problems).toEqual([]);
    const older = await open(store.location, { create: false });
    expect((await older.list({ now: START })).keys.map(({ name }) => name)).toEqual(['a']);
    await markUsed(older, [{ id: row.id, at: START }]);
    expect((await older.credential(row.id))?.key.lastUsedAt).toEqual(START);
    await expect(older.setStatus(row.id, 'inactive', change())).rejects.toMatchObject({ code: 'store_newer' });
    await expect(older.upgrade()).rejects.toMatchObject({ code: 'store_newer' });
    expect((await store.credential(row.id))?.key.status).toBe('active');
  });

  test('of many that upgrade at once, one does it', async () => {
    const store = await freshStore(engine);
    const many = await Promise.all(Array.from({ length: 5 }, () => open(store.location, { migrations: next() })));
    await Promise.all(many.map((each, i) => each.create([newKey(`k${i}`)], change())));
    const actions = (await store.audit.events({})).map(({ action }) => action);
    expect(actions.filter((action) => action === 'store.upgrade')).toHaveLength(1);
    expect(actions).toHaveLength(7);
  });

  test('a migration that fails in its middle leaves nothing, and the next attempt completes', async () => {
    const file = await freshLocation(engine);
    const migrations = readMigrations();
    const broken = migrations.map((each, i) =>
      i === 1 ? { ...each, statements: [...each.statements.slice(0, 3), 'create nonsense'] } : each,
    );
    await expect(open(file, { migrations: broken })).rejects.toThrow();
    expect(await (await rawDatabase(file, engine)).rows('select count(*) from sqlite_master')).toEqual([[0]]);
    const store = await open(file);
    expect(store.created).toBe(true);
    expect((await keyringOver(store).auditVerify()).problems).toEqual([]);
    await store.close();
  });

  test('a store made by other migrations is reported', async () => {
    const store = await freshStore(engine);
    await (await rawDatabase(store.location, engine)).exec(
      "update schema_migrations set checksum = 'x' where version = 1",
    );
    expect((await store.check()).find(({ check }) => check === 'schema')).toMatchObject({
      status: 'failed',
      detail: expect.stringContaining('0000_tables'),
    });
  });

  test('a store that names another version than that of its tables is left as it is, and the way out is named', async () => {
    const store = await freshStore(engine);
    await store.create([newKey('kept')], change());
    await store.close();
    const db = await rawDatabase(store.location, engine);
    await db.exec(`delete from schema_migrations where version = ${SCHEMA_VERSION}`);
    const held = await snapshot(db);
    const wrong = await open(store.location);
    await expect(wrong.create([newKey('a')], change())).rejects.toMatchObject({
      code: 'store_corrupt',
      message: expect.stringContaining(
        `says that its schema has version ${SCHEMA_VERSION - 1}, but its tables are not`,
      ),
      hint: expect.stringContaining(engine === 'sqld' ? 'a backup' : 'unlockos-keys store restore FILE'),
    });
    expect(await snapshot(db)).toEqual(held);
    if (engine === 'sqld') return;
    expect(readdirSync(path.dirname(store.location)).filter((name) => name.includes('before-v'))).toEqual([]);
    await db.exec('delete from schema_migrations');
    await expect(open(store.location)).rejects.toMatchObject({
      code: 'store_corrupt',
      hint: expect.stringContaining('unlockos-keys store restore FILE'),
    });
    const looking = await open(store.location, { inspect: true, create: false });
    expect((await looking.check()).find(({ check }) => check === 'schema')).toMatchObject({
      status: 'failed',
      hint: expect.stringContaining('unlockos-keys store restore FILE'),
    });
  });

  test('an upgrade that fails in its middle leaves the older store as it was, and the next attempt completes', async () => {
    const store = await freshStore(engine);
    await store.create([newKey('kept')], change());
    await store.close();
    const step = (statements: string[]) => [
      ...readMigrations(),
      { version: SCHEMA_VERSION + 1, tag: 'next', checksum: 'x', statements },
    ];
    const db = await rawDatabase(store.location, engine);
    const schema = () => db.rows('select type, name, sql from sqlite_master order by name');
    const [held, before] = [await snapshot(db), await schema()];
    const broken = step(['create table later (x)', "delete from key_scopes where 'half done'", 'create nonsense']);
    const breaking = await open(store.location, { migrations: broken });
    await expect(breaking.upgrade()).rejects.toThrow();
    expect([await snapshot(db), await schema()]).toEqual([held, before]);
    const upgraded = await open(store.location, { migrations: step(['create table later (x)']) });
    await upgraded.upgrade();
    expect((await upgraded.check()).find(({ check }) => check === 'schema')).toMatchObject({
      status: 'ok',
      detail: `version ${SCHEMA_VERSION + 1}`,
    });
    await upgraded.close();
  });
});
