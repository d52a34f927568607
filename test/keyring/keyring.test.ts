import { describe, expect, test } from 'vitest';
import { checkAudit } from '../../src/keyring/audit-check.js';
import { Keyring } from '../../src/keyring/keyring.js';
import { freshKeyring, make } from '../support/keyrings.js';
import { BY, change, ENGINES, freshStore, newKey, START, storeOf } from '../support/stores.js';

/** A store, or a part of one. Before each answer, `step` happens: another process does something. */
function precededBy<T extends object>(part: T, step: () => Promise<unknown>): T {
  return new Proxy(part, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value === 'object' && value !== null) return precededBy(value, step);
      if (typeof value !== 'function') return value;
      return async (...args: unknown[]) => {
        await step();
        return value.apply(target, args);
      };
    },
  });
}

describe.each(ENGINES)('a keyring, on %s', (engine) => {
  test('a retired scope cannot be taken, and stays with those that hold it', async () => {
    const keyring = await freshKeyring(engine);
    await keyring.addScope('plan:purge');
    const { keyString } = await make(keyring, 'a', { scopes: ['plan:*'] });
    await keyring.retireScope('plan:purge');
    await expect(make(keyring, 'b', { scopes: ['plan:purge'] })).rejects.toMatchObject({ code: 'usage' });
    expect((await make(keyring, 'c', { scopes: ['plan:*'] })).key.scopes).not.toContain('plan:purge');
    expect((await keyring.verify(keyString, { scopes: ['plan:purge'] })).verdict).toBe('valid');
    await expect(keyring.addScope('plan:*')).rejects.toMatchObject({ code: 'usage' });
  });

  test('the log of a deleted key is found by its id', async () => {
    const keyring = await freshKeyring(engine);
    const { key } = await make(keyring, 'a');
    await keyring.delete(key.id);
    expect(await keyring.auditKeyId(key.id.toUpperCase())).toBe(key.id);
    await expect(keyring.auditKeyId('gone')).rejects.toMatchObject({ code: 'not_found' });
  });

  test('edit changes what is given, as it reads, and nothing else; the same again is no change', async () => {
    const clock = { now: START };
    const keyring = await freshKeyring(engine, clock);
    const { key } = await make(keyring, 'a', { description: 'kiosk' });
    clock.now = new Date(START.getTime() + 1);
    const renamed = { changed: true, key: { ...key, name: 'Caf\u00e9', updatedAt: clock.now } };
    expect(await keyring.edit('a', { name: 'Cafe\u0301' })).toEqual(renamed);
    expect(await keyring.edit(key.id, { name: 'Caf\u00e9' })).toEqual({ ...renamed, changed: false });
    expect(await keyring.edit(key.id, {})).toEqual({ ...renamed, changed: false });
    const rateLimit = { limit: 5, windowSeconds: 1 };
    expect((await keyring.edit(key.id, { rateLimit, description: ' two ' })).key).toEqual({
      ...renamed.key,
      rateLimit,
      description: 'two',
    });
    for (const description of ['', null])
      expect((await keyring.edit(key.id, { description })).key.description).toBeNull();
  });

  test.each([
    ['a bad name', { name: '-x' }, 'usage'],
    ['an invisible name', { name: 'a\u200bb' }, 'usage'],
    ['no name', { name: '' }, 'usage'],
    ['a name that exists', { name: 'OTHER' }, 'name_taken'],
    ['a bad description', { description: 'a\nb' }, 'usage'],
    ['a good and a bad field', { description: 'good', name: ' ' }, 'usage'],
  ])('an edit with %s changes nothing', async (_, change, code) => {
    const keyring = await freshKeyring(engine);
    const { key } = await make(keyring, 'a');
    await make(keyring, 'other');
    const head = await keyring.auditHead();
    await expect(keyring.edit(key.id, change)).rejects.toMatchObject({ code });
    expect([await keyring.show(key.id), await keyring.auditHead()]).toEqual([key, head]);
  });

  test('enable and disable may be said again; a reason is kept in the log as it reads', async () => {
    const keyring = await freshKeyring(engine);
    const { key, keyString } = await make(keyring, 'a');
    await expect(keyring.disable('a', { reason: `leaked: ${keyString}` })).rejects.toMatchObject({ code: 'usage' });
    expect(await keyring.enable('a')).toEqual({ changed: false, key });
    expect(await keyring.disable('a', { reason: ' leaked Cafe\u0301 ' })).toMatchObject({
      changed: true,
      key: { status: 'inactive' },
    });
    expect(await keyring.disable('a', { reason: 'again' })).toMatchObject({ changed: false });
    expect((await keyring.auditList({ keyId: key.id })).map(({ action, reason }) => [action, reason])).toEqual([
      ['key.create', null],
      ['key.disable', 'leaked Caf\u00e9'],
    ]);
  });

  test('a name is free again once its key is deleted, and the new key is another', async () => {
    const keyring = await freshKeyring(engine);
    const old = await make(keyring, 'a');
    expect(await keyring.delete('A')).toMatchObject(old.key);
    await expect(keyring.delete('a')).rejects.toMatchObject({ code: 'not_found' });
    const young = await make(keyring, 'a');
    expect(young.key.id).not.toBe(old.key.id);
    expect((await keyring.verify(old.keyString)).verdict).toBe('invalid');
    expect((await keyring.auditVerify()).problems).toEqual([]);
  });

  test('who changes something is asked for each change', async () => {
    const store = await freshStore(engine);
    let actor = 'alice';
    const keyring = new Keyring(store, { by: () => ({ ...BY, actor }), now: () => START, hashCost: 4 });
    await make(keyring, 'a');
    actor = 'bob';
    await keyring.disable('a');
    expect((await keyring.auditList()).map((event) => [event.action, event.actor])).toEqual([
      ['store.create', null],
      ['key.create', 'alice'],
      ['key.disable', 'bob'],
    ]);
  });

  test('a store that grows at every read is checked all the same, up to a row that it had', async () => {
    const keyring = await freshKeyring(engine);
    let growths = 0;
    const store = storeOf(keyring);
    const growing = precededBy(store, () => store.create([newKey(`grown ${growths++}`)], change()));
    const { sound, problems, events } = await checkAudit(growing, null);
    expect({ sound, problems }).toEqual({ sound: true, problems: [] });
    expect(events).toBeGreaterThan(1);
    expect(events).toBeLessThanOrEqual(1 + growths);
  });
});
