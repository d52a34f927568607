import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { checksum } from '../../src/domain/key-string.js';
import { APPLICATION_ID } from '../../src/store/local/connection.js';
import { readMigrations } from '../../src/store/migrations.js';
import { openStore } from '../../src/store/open.js';
import { ENGINES, type EngineName, freshLocation, keyringOver, options, rawDatabase } from '../support/stores.js';

/** What a store of an earlier schema held, as its own tool wrote it. Key strings are put together here: none is committed whole. */
interface Golden {
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
  for (const [table, rows] of Object.entries(tables))
    for (const row of rows)
      await db.exec(
        `insert into ${table} (${Object.keys(row).join(', ')}) values (${Object.values(row).map(literal).join(', ')})`,
      );
  return location;
}

describe.each(ENGINES)('on %s', (engine) => {
  test.each(GOLDEN)('a store of schema $version opens, its keys verify, its audit log is sound', async (each) => {
    const location = await restore(each.golden, each.version, engine);
    const store = await openStore(location, options(engine, { create: false }));
    onTestFinished(() => store.close().catch(() => {}));
    const keyring = keyringOver(store, { now: new Date('2026-12-01T00:00:00Z') });
    expect((await keyring.auditVerify()).problems).toEqual([]);
    for (const { id, mode, secret } of each.golden.secrets) {
      const body = `unlk_${mode}_${id}_${secret}`;
      const { key } = (await keyring.verify(body + checksum(body))) as { key?: { id: string } };
      expect(key?.id).toBe(id);
    }
    const { keys } = await keyring.list({ sort: 'created' });
    expect(keys.map(({ name, status, labels }) => [name, status, labels])).toEqual([
      ['golden-test', 'active', {}],
      ['golden-live', 'inactive', {}],
    ]);
    await keyring.edit('golden-test', { description: 'edited by this one' });
    await keyring.create([{ name: 'new', mode: 'test', scopes: ['plan:read'] }]);
    expect((await keyring.auditVerify()).problems).toEqual([]);
    const findings = await keyring.storeCheck();
    expect(findings.filter(({ status }) => status === 'failed')).toEqual([]);
  });
});
