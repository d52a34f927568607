import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { checksum } from '../../src/domain/key-parts.js';
import { Peppers } from '../../src/domain/peppers.js';
import type { Keyring } from '../../src/keyring/keyring.js';
import { APPLICATION_ID } from '../../src/store/local/connection.js';
import { readMigrations } from '../../src/store/migrations.js';
import { openStore } from '../../src/store/open.js';
import { READABLE_FROM, SCHEMA_VERSION } from '../../src/store/versions.js';
import { receiver } from '../support/keyrings.js';
import {
  ENGINES,
  type EngineName,
  freshLocation,
  keyringOver,
  markUsed,
  options,
  rawDatabase,
} from '../support/stores.js';
import { unguarded } from '../support/unguarded.js';

/**
 * What a store of an earlier schema held, as its own tool wrote it: keys of both modes, used, refused, disabled, rotated and deleted, hashes
 * of both schemes, scopes and settings. Key strings are put together here: none is committed whole.
 */
interface Golden {
  /** A line of a pepper file. */
  readonly pepper?: string;
  readonly secrets: readonly { readonly id: string; readonly mode: string; readonly secret: string }[];
  readonly tables: Readonly<Record<string, readonly Readonly<Record<string, string | number | null>>[]>>;
}

const FOLDER = path.join(import.meta.dirname, '../golden');
const GOLDEN = readdirSync(FOLDER).map((file) => ({
  version: Number(/\d+/.exec(file)?.[0]),
  golden: JSON.parse(readFileSync(path.join(FOLDER, file), 'utf8')) as Golden,
}));

const literal = (value: string | number | null) =>
  typeof value === 'string' ? `'${value.replaceAll("'", "''")}'` : String(value);

async function restore({ tables }: Golden, version: number, engine: EngineName): Promise<string> {
  const location = await freshLocation(engine);
  const db = await rawDatabase(location, engine);
  if (engine !== 'sqld') await db.exec(`pragma application_id = ${APPLICATION_ID}`, 'pragma journal_mode = wal');
  for (const migration of readMigrations().slice(0, version)) await db.exec(...migration.statements);
  const inserts = Object.entries(tables).flatMap(([table, rows]) =>
    rows.map(
      (row) =>
        `insert or replace into ${table} (${Object.keys(row).join(', ')}) values (${Object.values(row).map(literal).join(', ')})`,
    ),
  );
  if (tables.key_scopes)
    await unguarded(db, engine, ...inserts); // all tables are here, also those that triggers fill
  else await db.exec(...inserts);
  return location;
}

const peppersOf = ({ pepper }: Golden) => (pepper === undefined ? Peppers.none : Peppers.parse(pepper, 'golden'));
const NOW = new Date('2026-12-01T00:00:00Z');
const rowsOf = ({ tables }: Golden, table: string) => tables[table] ?? [];

async function allVerdicts(keyring: Keyring, { secrets }: Golden): Promise<string[]> {
  const verdicts: string[] = [];
  for (const { id, mode, secret } of secrets) {
    const body = `unlk_${mode}_${id}_${secret}`;
    verdicts.push(`${id} ${(await keyring.verify(body + checksum(body))).verdict}`);
  }
  return verdicts;
}

/** Every row and every table, to compare before and after. */
async function everything(location: string, engine: EngineName): Promise<unknown> {
  const db = await rawDatabase(location, engine);
  const tables = await db.rows("select name, sql from sqlite_master where type = 'table' and name not like 'sqlite_%'");
  return Promise.all(tables.map(async ([name, sql]) => [sql, await db.rows(`select * from ${name} order by 1, 2`)]));
}

/** What the keys of its rows must be answered, whatever reads them. */
function expectedVerdicts(golden: Golden): string[] {
  return golden.secrets.map(({ id }) => {
    const row = rowsOf(golden, 'api_keys').find((each) => each.id === id);
    return `${id} ${row === undefined ? 'invalid' : row.status === 'active' ? 'valid' : 'inactive'}`;
  });
}

describe.each(ENGINES)('on %s', (engine) => {
  async function open({ golden, version }: (typeof GOLDEN)[number], location?: string, knows?: number) {
    const place = location ?? (await restore(golden, version, engine));
    const migrations = knows === undefined ? {} : { migrations: readMigrations().slice(0, knows) };
    const store = await openStore(place, options(engine, { create: false, ...migrations }));
    onTestFinished(() => store.close().catch(() => {}));
    return { store, place, keyring: keyringOver(store, { now: NOW }, peppersOf(golden)) };
  }

  test.each(GOLDEN)('a store of schema $version is read as it is, and upgraded by store upgrade', async (each) => {
    const { keyring, place, store } = await open(each);
    const names = rowsOf(each.golden, 'api_keys').map(({ name }) => name);
    const before = await everything(place, engine);
    if (each.version < READABLE_FROM) await expect(keyring.list()).rejects.toMatchObject({ code: 'store_older' });
    else {
      expect((await keyring.list({ sort: 'created' })).keys.map(({ name }) => name)).toEqual(names);
      expect(await allVerdicts(keyring, each.golden)).toEqual(expectedVerdicts(each.golden));
      expect((await keyring.auditVerify()).problems).toEqual([]);
      await keyring.usage();
      await keyring.deletions();
      const ids = rowsOf(each.golden, 'api_keys').map(({ id }) => String(id));
      expect([...(await store.watch.credentials(ids)).keys()].sort()).toEqual(ids.sort());
      const [first] = rowsOf(each.golden, 'audit_events');
      const steps = await store.watch.since(`${first?.seq}:${first?.hash}`);
      const actions = rowsOf(each.golden, 'audit_events').map(({ body }) => JSON.parse(String(body)).action);
      expect(steps?.map(({ keyId }) => keyId !== null)).toEqual(actions.map((action) => /^key\./.test(action)));
      expect(await everything(place, engine)).toEqual(before);
    }
    expect(await keyring.storeSchema()).toMatchObject({ version: each.version });
    expect(await keyring.storeUpgrade()).toMatchObject({ from: each.version, to: SCHEMA_VERSION });
    const [upgraded] = await keyring.auditList({ action: 'store.upgrade' });
    expect(upgraded).toMatchObject({ before: { schema: each.version }, after: { schema: SCHEMA_VERSION } });
    expect((await keyring.auditVerify()).problems).toEqual([]);
    expect((await keyring.list({ sort: 'created' })).keys.map(({ name }) => name)).toEqual(names);
    expect(await allVerdicts(keyring, each.golden)).toEqual(expectedVerdicts(each.golden));
    expect((await keyring.storeCheck()).filter(({ status }) => status === 'failed')).toEqual([]);
    const target = await receiver(engine);
    await keyring.storeCopy(target);
    expect((await target.list()).keys).toHaveLength(names.length);
  });

  test.each(
    GOLDEN,
  )('a change upgrades a store of schema $version first; who knows that schema goes on reading', async (each) => {
    const { keyring, place } = await open(each);
    if (each.version < READABLE_FROM) await keyring.storeUpgrade();
    const { key } = await keyring.edit('golden-live', { description: 'edited by this one' });
    expect(key.description).toBe('edited by this one');
    await keyring.create([{ name: 'new', mode: 'test', scopes: ['plan:read'] }]);
    expect((await keyring.auditList({ action: 'store.upgrade' })).length).toBe(1);
    expect((await keyring.auditVerify()).problems).toEqual([]);
    if (each.version < READABLE_FROM) return;
    const older = await open(each, place, each.version);
    expect((await older.keyring.list()).keys.map(({ name }) => name)).toContain('new');
    expect(await allVerdicts(older.keyring, each.golden)).toEqual(expectedVerdicts(each.golden));
    await markUsed(older.store, [{ id: key.id, at: NOW }]);
    await expect(older.keyring.disable('new')).rejects.toMatchObject({ code: 'store_newer' });
    expect((await keyring.auditVerify()).problems).toEqual([]);
  });
});
