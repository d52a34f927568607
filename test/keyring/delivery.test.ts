import { describe, expect, test } from 'vitest';
import type { Destination, NewKey } from '../../src/keyring/delivery.js';
import { freshKeyring } from '../support/keyrings.js';
import { refused } from '../support/manifests.js';
import { DEFAULT_ENGINE } from '../support/stores.js';

const ENGINE = DEFAULT_ENGINE;
const INPUTS = ['one', 'two'].map((name) => ({ name, mode: 'test' as const, scopes: ['plan:read'] }));

/** A destination that notes what is asked of it, and fails where it is told. */
function destination(fails: 'probe' | 'deliver' | null = null) {
  const calls: string[] = [];
  const call = (name: string) => {
    calls.push(name);
    if (name === fails) throw Object.assign(new Error('no room'), { code: 'ENOSPC' });
  };
  const to: Destination<readonly NewKey[]> = {
    probe: () => call('probe'),
    deliver: () => call('deliver'),
    abandon: () => call('abandon'),
  };
  return { to, calls };
}

describe('keyring.deliver', () => {
  test('probes, makes, delivers, and answers what was made', async () => {
    const keyring = await freshKeyring(ENGINE);
    const { to, calls } = destination();
    const made = await keyring.deliver(to, async () => {
      calls.push('make');
      return keyring.create(INPUTS);
    });
    expect(calls).toEqual(['probe', 'make', 'deliver']);
    expect(made.map(({ key }) => [key.name, key.status])).toEqual([
      ['one', 'active'],
      ['two', 'active'],
    ]);
  });

  test('makes nothing when the probe fails', async () => {
    const keyring = await freshKeyring(ENGINE);
    const { to, calls } = destination('probe');
    await expect(keyring.deliver(to, () => keyring.create(INPUTS))).rejects.toThrow('no room');
    expect(calls).toEqual(['probe']);
    expect((await keyring.list()).keys).toEqual([]);
  });

  test('undoes the probe when no key can be made', async () => {
    const keyring = await freshKeyring(ENGINE);
    const { to, calls } = destination();
    await keyring.create([INPUTS[0] as (typeof INPUTS)[number]]);
    expect((await refused(keyring.deliver(to, () => keyring.create(INPUTS)))).code).toBe('name_taken');
    expect(calls).toEqual(['probe', 'abandon']);
  });

  test('disables every key when the delivery fails, under ids of the operation, and names them', async () => {
    const keyring = await freshKeyring(ENGINE);
    const { to, calls } = destination('deliver');
    const error = await refused(keyring.deliver(to, () => keyring.create(INPUTS), { operationId: 'delivery-1' }));
    const { keys } = await keyring.list({ sort: 'name' });
    const ids = keys.map(({ id }) => id);
    expect(calls).toEqual(['probe', 'deliver', 'abandon']);
    expect(keys.map(({ status }) => status)).toEqual(['inactive', 'inactive']);
    expect(error).toMatchObject({
      code: 'delivery_failed',
      message: `2 key strings could not be delivered (ENOSPC), so the keys were disabled: ${ids.join(', ')}`,
    });
    const events = await keyring.auditList({ action: 'key.disable' });
    expect(events.map(({ op }) => op)).toEqual(ids.map((id) => `delivery-1:${id}`));
  });

  test('leaves keys alone that were kept, not made', async () => {
    const keyring = await freshKeyring(ENGINE);
    await keyring.create(INPUTS);
    const { to } = destination('deliver');
    await refused(keyring.deliver(to, () => keyring.create(INPUTS, { ifExists: 'skip' })));
    expect((await keyring.list()).keys.map(({ status }) => status)).toEqual(['active', 'active']);
  });
});
