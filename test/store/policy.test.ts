import { describe, expect, test } from 'vitest';
import { lastExpiry, policyFrom } from '../../src/domain/policy.js';
import { copyStore } from '../../src/keyring/copy.js';
import { Keyring } from '../../src/keyring/keyring.js';
import { input, receiver } from '../support/keyrings.js';
import {
  BY,
  change,
  ENGINES,
  freshStore,
  keyringOver,
  newKey,
  rawDatabase,
  START,
  storeOf,
} from '../support/stores.js';

const days = (n: number) => new Date(START.getTime() + n * 86_400_000);
const live = (name: string, more = {}) => input(name, { mode: 'live', ...more });

describe.each(ENGINES)('the policy of a store, on %s', (engine) => {
  test('limits the life of new keys, whoever makes them, and leaves those that exist', async () => {
    const store = await freshStore(engine);
    const keyring = keyringOver(store);
    expect(await keyring.storePolicy()).toEqual({ maxLifetime: { live: null, test: null }, keepDeleted: '7d' });
    await keyring.create([live('before'), live('ending', { expires: '400d' })]);
    const set = { maxLifetime: { live: '90d' } };
    expect(await keyring.setStorePolicy(set)).toMatchObject({
      changed: true,
      policy: { maxLifetime: { live: '90d' } },
    });
    expect((await keyring.setStorePolicy(set)).changed).toBe(false);

    const [made] = await keyring.create([live('after')]);
    expect(made?.key.expiresAt).toEqual(days(90));
    expect(
      (await keyring.create([input('free'), live('short', { expires: '10d' })])).map(({ key }) => key.expiresAt),
    ).toEqual([null, days(10)]);
    for (const wrong of [{ expires: '91d' }, { expires: 'never' }, { expiresAt: null }])
      await expect(keyring.create([live('x', wrong)])).rejects.toMatchObject({
        code: 'guarded',
        message: expect.stringContaining('90d at most'),
        hint: expect.stringContaining('--expires 90d'),
      });
    await expect(keyring.rotate('before', { overlapMs: 0, expires: '91d' })).rejects.toMatchObject({ code: 'guarded' });
    for (const name of ['before', 'ending'])
      expect((await keyring.rotate(name, { overlapMs: 0 })).key.expiresAt).toEqual(days(90));
    expect((await keyring.edit('after', { name: 'renamed' })).changed).toBe(true);
    expect(await keyring.auditList({ action: 'store.policy' })).toMatchObject([
      { before: { 'max-lifetime-live': null }, after: { 'max-lifetime-live': '90d' } },
    ]);
    expect((await keyring.auditVerify()).problems).toEqual([]);
    await keyring.setStorePolicy({ maxLifetime: { live: null } });
    expect((await keyring.create([live('again')]))[0]?.key.expiresAt).toBeNull();
  });

  test('is asked again under the lock: a plan of before does not lead around it', async () => {
    const store = await freshStore(engine);
    const keyring = keyringOver(store);
    const plan = await keyring.plan([input('planned')]);
    await keyring.create([input('old')]);
    const rotation = await keyring.planRotation('old', { overlapMs: 0 });
    await keyring.setStorePolicy({ maxLifetime: { test: '1h' } });
    await expect(keyring.make(plan)).rejects.toMatchObject({ code: 'guarded' });
    await expect(keyring.makeRotation(rotation)).rejects.toMatchObject({ code: 'guarded' });
    await expect(store.create([newKey('raw')], change())).rejects.toMatchObject({ code: 'guarded' });
    expect((await keyring.list()).keys.map(({ name }) => name)).toEqual(['old']);
  });

  test('comes along in a copy, and a change behind the log is found', async () => {
    const keyring = keyringOver(await freshStore(engine));
    await keyring.setStorePolicy({ maxLifetime: { live: '90d', test: '4w' } });
    const target = await receiver(engine);
    await copyStore(storeOf(keyring), storeOf(target));
    await keyring.setStorePolicy({ maxLifetime: { test: null } });
    await copyStore(storeOf(keyring), storeOf(target));
    expect(await target.storePolicy()).toEqual(await keyring.storePolicy());
    await (await rawDatabase(keyring.location, engine)).exec(
      "update store_settings set value = '900d' where name = 'max-lifetime-live'",
    );
    expect((await keyring.auditVerify()).problems).toEqual(['max-lifetime-live is 900d, but the audit log says 90d']);
  });

  test('a test-only keyring sets what holds for test keys, and nothing else', async () => {
    const store = await freshStore(engine);
    const keyring = new Keyring(store, { by: () => BY, now: () => START, testOnly: true });
    await keyring.setStorePolicy({ maxLifetime: { test: '90d' } });
    for (const input of [{ maxLifetime: { live: null } }, { keepDeleted: '0' }])
      await expect(keyring.setStorePolicy(input)).rejects.toMatchObject({ code: 'guarded' });
  });

  test.each([
    { maxLifetime: { live: '90' } },
    { maxLifetime: { test: '' } },
    { maxLifetime: '90d' },
    { maxLifetime: { both: '90d' } },
    { maxLifeTime: {} },
    { keepDeleted: '366d' },
    { keepDeleted: 'never' },
  ])('refuses %j', async (input) => {
    const keyring = keyringOver(await freshStore(engine));
    await expect(keyring.setStorePolicy(input as never)).rejects.toMatchObject({ code: 'usage' });
  });
});

test('a setting that is no duration is trouble, not the absence of a limit', () => {
  expect(() => policyFrom({ 'max-lifetime-live': 'long' })).toThrow('max-lifetime-live');
  const policy = policyFrom({ 'max-lifetime-live': '9999999w' });
  expect(lastExpiry(policy, 'live', START)?.toISOString()).toBe('9999-12-31T23:59:59.999Z');
});
