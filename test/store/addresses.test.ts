import { describe, expect, test } from 'vitest';
import { readHashScheme } from '../../src/domain/secret-hash.js';
import { Verifier } from '../../src/verifier/verifier.js';
import { receiver } from '../support/keyrings.js';
import { atEnd } from '../support/lifetime.js';
import type { RawDatabase } from '../support/raw-database.js';
import {
  change,
  DEFAULT_ENGINE,
  ENGINES,
  freshLocation,
  freshStore,
  keyringOver,
  rawDatabase,
  START,
} from '../support/stores.js';

const NETWORKS = ['10.0.0.0/8', '2001:db8::/32'];
const INPUT = {
  name: 'kiosk',
  mode: 'test',
  scopes: ['plan:read'],
  allowFrom: ['2001:db8::/32', '10.0.0.0/8'],
} as const;

async function columnOf(db: RawDatabase): Promise<string> {
  const [row] = await db.all("select hash from api_keys where name_key = 'kiosk'");
  return String(Object.values(row as object)[0]);
}

describe.each(ENGINES)('the networks of a key, on %s', (engine) => {
  test('are stored in one form, changed, carried on, and under the log', async () => {
    const location = await freshLocation(engine);
    const keyring = keyringOver(await freshStore(engine, location));
    const [made] = await keyring.create([INPUT]);
    expect(made?.key.allowFrom).toEqual(NETWORKS);
    const db = await rawDatabase(location, engine);
    const column = await columnOf(db);
    expect(column).toMatch(/^\$from=10\.0\.0\.0\/8,2001:db8::\/32\$2b\$/);
    expect(readHashScheme(column)).toEqual({ scheme: 'unsupported' }); // so a version that knows of no networks refuses the key
    expect(await keyring.storeHash()).toMatchObject({ hashes: [{ keys: 1 }] });

    expect((await keyring.show('kiosk')).allowFrom).toEqual(NETWORKS);
    expect((await keyring.list()).keys[0]?.allowFrom).toEqual(NETWORKS);
    const [like] = await keyring.create([{ name: 'like', like: 'kiosk' }]);
    expect(like?.key.allowFrom).toEqual(NETWORKS);
    const rotated = await keyring.rotate('kiosk', { overlapMs: 60_000 });
    expect([rotated.key.allowFrom, rotated.retired.allowFrom]).toEqual([NETWORKS, NETWORKS]);

    const { key, changed } = await keyring.edit('kiosk', { allowFrom: ['192.0.2.7'] });
    expect([changed, key.allowFrom]).toEqual([true, ['192.0.2.7/32']]);
    expect((await keyring.edit('kiosk', { allowFrom: ['192.0.2.7/32'] })).changed).toBe(false);
    expect((await keyring.edit('kiosk', { name: 'Kiosk' })).key.allowFrom).toEqual(['192.0.2.7/32']);
    await keyring.delete('kiosk');
    expect((await keyring.restore('kiosk')).allowFrom).toEqual(['192.0.2.7/32']);
    const event = (await keyring.auditList({ action: 'key.edit' })).find(({ after }) => after && 'allowFrom' in after);
    expect(event).toMatchObject({ before: { allowFrom: NETWORKS }, after: { allowFrom: ['192.0.2.7/32'] } });

    await keyring.edit('kiosk', { allowFrom: [] });
    expect(await columnOf(db)).toMatch(/^\$2b\$/);
    expect((await keyring.auditVerify()).problems).toEqual([]);
    await keyring.edit('kiosk', { allowFrom: NETWORKS });
    await db.exec("update api_keys set hash = replace(hash, '10.0.0.0/8', '0.0.0.0/1') where name_key = 'kiosk'");
    expect((await keyring.auditVerify()).problems).toHaveLength(1);
  });

  test('decide after the scopes and before the limit, in every verifier', async () => {
    const store = await freshStore(engine);
    const keyring = keyringOver(store);
    const [made] = await keyring.create([{ ...INPUT, rateLimit: '1/d' }]);
    const keyString = made?.keyString as string;
    const verifier = new Verifier(store, { environment: 'test', now: () => START.getTime() });
    atEnd(() => verifier.close());
    const ask = async (address: string | undefined, scopes: string[] = ['plan:read']) => {
      const needs = { scopes, address };
      return [(await keyring.verify(keyString, needs)).verdict, (await verifier.verify(keyString, needs)).verdict];
    };
    expect(await ask('11.0.0.1', ['plan:create'])).toEqual(['missing_scope', 'missing_scope']);
    for (const address of ['11.0.0.1', undefined, '', '10.1', 'fe80::1%eth0', '::10.0.0.1'])
      expect(await ask(address)).toEqual(['wrong_address', 'wrong_address']);
    expect(await verifier.verify(keyString, { address: '::ffff:11.0.0.1' })).toMatchObject({ address: '11.0.0.1' });
    expect(await verifier.verify(keyString)).toMatchObject({ verdict: 'wrong_address', address: null });
    expect(await ask('::ffff:10.0.0.1')).toEqual(['valid', 'valid']); // the refusals used nothing of the limit
    expect(await ask('10.0.0.1')).toEqual(['valid', 'rate_limited']);
    await keyring.edit('kiosk', { allowFrom: ['192.0.2.7'] });
    expect(await ask('10.0.0.1')).toEqual(['wrong_address', 'wrong_address']);
    await expect(verifier.verify(keyString, { address: 7 as never })).rejects.toMatchObject({ code: 'usage' });
  });

  test('stay with the key when its hash moves, and in a copy', async () => {
    const store = await freshStore(engine);
    const keyring = keyringOver(store);
    await keyring.create([INPUT]);
    const [key] = (await keyring.list()).keys;
    const from = (await store.credential(key?.id ?? ''))?.hash ?? '';
    expect(from).toMatch(/^\$2b\$/);
    const to = from.replace(/.$/, (last) => (last === 'a' ? 'b' : 'a'));
    expect(await store.rehash([{ id: key?.id ?? '', from, to }], change())).toEqual([key?.id]);
    expect(await store.credential(key?.id ?? '')).toMatchObject({ hash: to, key: { allowFrom: NETWORKS } });
    const copy = await receiver(DEFAULT_ENGINE);
    await keyring.storeCopy(copy);
    expect((await copy.list()).keys[0]?.allowFrom).toEqual(NETWORKS);
    expect((await copy.auditVerify()).problems).toEqual([]);
  });

  test.each([
    '$from=$2b$',
    '$FROM=10.0.0.0/8$2b$',
    '$from=10.0.0.0 $2b$',
    '$from=10.0.0.0/8',
  ])('the database refuses %s', async (text) => {
    const location = await freshLocation(engine);
    const keyring = keyringOver(await freshStore(engine, location));
    await keyring.create([INPUT]);
    const db = await rawDatabase(location, engine);
    await expect(db.exec(`update api_keys set hash = '${text}'`)).rejects.toThrow(/unlk:unreadable/);
  });

  test('that cannot be read let nobody in, and can be replaced', async () => {
    const location = await freshLocation(engine);
    const keyring = keyringOver(await freshStore(engine, location));
    const [made] = await keyring.create([INPUT]);
    const db = await rawDatabase(location, engine);
    for (const damaged of ['10.0.0.0', '10.1.2.3/8', '0.0.0.0/0', '10.0.0.0/8,10.0.0.0/8', '10.0.0.0/8,']) {
      await db.exec(`update api_keys set hash = '$from=${damaged}' || substr(hash, instr(hash, '$2b$'))`);
      expect((await keyring.show('kiosk')).damaged).toEqual(['allowFrom']);
      expect(await keyring.verify(made?.keyString, { address: '10.0.0.1' })).toEqual({ verdict: 'invalid' });
    }
    await keyring.edit('kiosk', { allowFrom: ['192.0.2.7'] });
    expect(await keyring.verify(made?.keyString, { address: '192.0.2.7' })).toMatchObject({ verdict: 'valid' });
    expect((await keyring.auditVerify()).problems).toEqual([]);
  });
});
