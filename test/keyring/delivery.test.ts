import { getEventListeners } from 'node:events';
import { describe, expect, test } from 'vitest';
import { KeysError } from '../../src/domain/errors.js';
import type { Destination, NewKey } from '../../src/keyring/delivery.js';
import type { Keyring } from '../../src/keyring/keyring.js';
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

/** A destination whose delivery does this. */
const delivering = (deliver: Destination<readonly NewKey[]>['deliver']): Destination<readonly NewKey[]> => ({
  probe() {},
  deliver,
  abandon() {},
});

const fail = (error: unknown = Object.assign(new Error('no room'), { code: 'ENOSPC' })) => {
  throw error;
};

/** Makes keys that are marked until they are handed out. */
async function making(keyring: Keyring, ...names: string[]): Promise<readonly NewKey[]> {
  const plan = await keyring.plan(
    names.map((name) => ({ name, mode: 'test', scopes: ['plan:read'], labels: { team: 'x' } })),
  );
  return keyring.make(plan, { toDeliver: true });
}

const ids = (keys: readonly { id: string }[]) => keys.map(({ id }) => id).join(', ');

describe('keys that are marked until they are handed out', () => {
  test('are delivered without the mark, lose it afterwards, and the log says why', async () => {
    const keyring = await freshKeyring(ENGINE);
    let handed: readonly NewKey[] = [];
    const to = delivering((made) => {
      handed = made;
    });
    const made = await keyring.deliver(to, () => making(keyring, 'one', 'two'), { operationId: 'delivery-1' });
    for (const each of [handed, made]) {
      expect(each.map(({ key }) => key.labels)).toEqual([{ team: 'x' }, { team: 'x' }]);
      expect((await keyring.verify(each[0]?.keyString)).verdict).toBe('valid');
    }
    expect((await keyring.list({ undelivered: true })).keys).toEqual([]);
    expect((await keyring.list({ sort: 'created' })).keys).toEqual(made.map(({ key }) => key));
    const events = await keyring.auditList({ keyId: made[1]?.key.id ?? '' });
    expect(events.at(-1)).toMatchObject({
      action: 'key.edit',
      op: expect.stringMatching(/^delivery-1:delivered/),
      reason: 'the key string was delivered',
    });
  });

  test('are noted as handed out only where they were marked, and made', async () => {
    const keyring = await freshKeyring(ENGINE);
    const { to } = destination();
    const { seq } = await keyring.auditHead();
    await keyring.deliver(to, () => keyring.create(INPUTS));
    expect((await keyring.auditHead()).seq).toBe(seq + 2);
    const before = await keyring.make(await keyring.plan([{ name: 'three', mode: 'test', scopes: ['plan:read'] }]), {
      toDeliver: true,
    });
    const kept = before.map(({ key }) => ({ key, keyString: null }));
    expect(await keyring.deliver(to, async () => kept)).toEqual(kept);
    expect((await keyring.list({ undelivered: true })).keys).toHaveLength(1);
  });

  test.each([
    ['one', ['one'], 'run the command again: a new key takes the place of this one'],
    ['several', ['one', 'two'], 'run the command again: a new key takes the place of each'],
  ])('and were not, %s, give way to the next ones', async (_, names, hint) => {
    const keyring = await freshKeyring(ENGINE);
    const error = await refused(
      keyring.deliver(
        delivering(() => fail()),
        () => making(keyring, ...names),
      ),
    );
    expect(error).toMatchObject({ code: 'delivery_failed', hint });
    expect((await making(keyring, ...names)).map(({ keyString }) => keyString !== null)).toEqual(names.map(() => true));
  });

  test('and were not, beside one that was not marked, are to be deleted', async () => {
    const keyring = await freshKeyring(ENGINE);
    const make = async () => [...(await making(keyring, 'one')), ...(await keyring.create(INPUTS.slice(1)))];
    const error = await refused(
      keyring.deliver(
        delivering(() => fail()),
        make,
      ),
    );
    expect(error.hint).toMatch(/^delete and create again: unlockos-keys delete \w+ \w+$/);
  });

  test('and were deleted while they were handed out do not work, and the error says so', async () => {
    const keyring = await freshKeyring(ENGINE);
    const to = delivering(async ([made]) => {
      await keyring.delete(made?.key.id ?? '');
    });
    expect(await refused(keyring.deliver(to, () => making(keyring, 'one')))).toMatchObject({
      code: 'delivery_failed',
      message: expect.stringMatching(/^what was delivered does not work: .*another run of this command/),
      hint: expect.stringContaining('run the command again'),
      cause: expect.objectContaining({ code: 'conflict' }),
    });
  });

  test('and cannot be noted as handed out are named, with what notes it later', async () => {
    const keyring = await freshKeyring(ENGINE);
    let handed = '';
    const to = delivering(async (made) => {
      handed = ids(made.map(({ key }) => key));
      await keyring.close();
    });
    const error = await refused(keyring.deliver(to, () => making(keyring, 'one', 'two')));
    expect(error.code).toMatch(/^store_/);
    expect(error.message.startsWith(`${handed}: delivered and active`)).toBe(true);
    expect(error).toMatchObject({
      hint: expect.stringContaining(`unlockos-keys enable ${handed}`),
      cause: expect.any(KeysError),
    });
  });
});

describe('a delivery that fails', () => {
  const one = (keyring: Keyring) => async () => {
    const [made] = await keyring.create(INPUTS.slice(0, 1));
    return made as NewKey;
  };

  test.each<[string, unknown, string]>([
    ['a KeysError', new KeysError('usage', 'no such vault'), 'no such vault'],
    ['an error of the system', Object.assign(new Error('secret detail'), { code: 'EPIPE' }), 'EPIPE'],
    ['any other error', new Error('secret detail'), 'unknown error'],
    ['nothing at all', undefined, 'unknown error'],
  ])('with %s is told by what is safe to tell', async (_, thrown, reason) => {
    const keyring = await freshKeyring(ENGINE);
    const to = { probe() {}, deliver: () => fail(thrown), abandon() {} };
    // fail() has a default, which undefined would choose
    const error = await refused(
      keyring.deliver(thrown === undefined ? { ...to, deliver: () => Promise.reject() } : to, one(keyring)),
    );
    const { id } = await keyring.show('one');
    expect(error).toMatchObject({
      code: 'delivery_failed',
      message: `the key string of "one" could not be delivered (${reason}), so the key was disabled: ${id}`,
      hint: `delete and create again: unlockos-keys delete ${id}`,
    });
    expect(error.cause).toBe(thrown);
    expect((await keyring.auditList({ keyId: id })).at(-1)).toMatchObject({
      action: 'key.disable',
      reason: 'the key string could not be delivered',
    });
  });

  test('and whose key cannot be taken back says so in capitals, and what to do', async () => {
    const keyring = await freshKeyring(ENGINE);
    for (const gone of [1, 2]) {
      const to = delivering(async (made) => {
        for (const { key } of made.slice(0, gone)) await keyring.delete(key.id);
        fail();
      });
      const error = await refused(keyring.deliver(to, () => keyring.create(INPUTS)));
      const left = (await keyring.deletions())
        .map(({ key }) => key)
        .reverse()
        .slice(-gone);
      expect(error).toMatchObject({
        code: 'delivery_failed',
        message: `2 key strings could not be delivered (ENOSPC), and ${gone === 1 ? 'this key' : 'these keys'} could NOT be disabled: ${ids(left)}`,
        hint: `run: unlockos-keys disable ${ids(left).replaceAll(',', '')}`,
        cause: { code: 'ENOSPC' },
      });
      for (const { id, status } of (await keyring.list()).keys) {
        expect(status).toBe('inactive');
        await keyring.delete(id);
      }
    }
  });

  test('and cannot be undone either is told with both', async () => {
    const keyring = await freshKeyring(ENGINE);
    const to = {
      ...delivering(() => fail()),
      abandon: () => fail(Object.assign(new Error('x'), { code: 'EROFS' })),
    };
    const error = await refused(keyring.deliver(to, () => keyring.create(INPUTS)));
    expect(error).toMatchObject({
      code: 'delivery_failed',
      message: expect.stringMatching(
        /\(ENOSPC\), so the keys were disabled: .*; what was written could not be undone \(EROFS\)$/,
      ),
      hint: expect.stringContaining('unlockos-keys delete'),
      cause: { code: 'ENOSPC' },
    });
    await expect(
      keyring.deliver(to, () => keyring.create([{ ...INPUTS[0], name: '-' } as never])),
    ).rejects.toMatchObject({
      code: 'usage',
      message: expect.not.stringContaining('undone'),
    });
  });

  test('takes back what was made, and not what was kept', async () => {
    const keyring = await freshKeyring(ENGINE);
    await keyring.create(INPUTS.slice(0, 1));
    const error = await refused(
      keyring.deliver(
        delivering(() => fail()),
        () => keyring.create(INPUTS, { ifExists: 'skip' }),
      ),
    );
    expect(error.message).toContain('the key string of "two" could not be delivered');
    expect((await keyring.list({ sort: 'name' })).keys.map(({ status }) => status)).toEqual(['active', 'inactive']);
  });
});

describe('an aborted signal', () => {
  const reason = new Error('stopped');

  /** Aborts at a step; the steps that happened, the error, and what became of the keys. */
  async function aborting(at: 'before' | 'probe' | 'make' | 'deliver' | 'meanwhile' | 'never') {
    const keyring = await freshKeyring(ENGINE);
    const ending = new AbortController();
    const { signal } = ending;
    const steps: string[] = [];
    const step = (name: string) => {
      steps.push(name);
      if (name === at) ending.abort(reason);
    };
    step('before');
    const to: Destination<readonly NewKey[]> = {
      probe: () => step('probe'),
      deliver: (_, given) => {
        expect(given).toBe(signal);
        step('deliver');
        if (at === 'never') return;
        if (at === 'meanwhile') setImmediate(() => step('meanwhile'));
        return new Promise(() => {}); // nobody waits for it any more
      },
      abandon: () => step('abandon'),
    };
    const make = async () => {
      const made = await keyring.create(INPUTS);
      step('make');
      return made;
    };
    const error = await keyring.deliver(to, make, { signal }).then(
      () => null,
      (thrown: unknown) => thrown,
    );
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    return { steps, error, status: (await keyring.list()).keys.map(({ status }) => status) };
  }

  test('before or in the probe makes nothing', async () => {
    expect(await aborting('before')).toEqual({ steps: ['before'], error: reason, status: [] });
    expect(await aborting('probe')).toEqual({ steps: ['before', 'probe', 'abandon'], error: reason, status: [] });
  });

  test('later is a delivery that failed', async () => {
    const error = expect.objectContaining({ code: 'delivery_failed', cause: reason });
    const status = ['inactive', 'inactive'];
    const steps = ['before', 'probe', 'make'];
    expect(await aborting('make')).toEqual({ steps: [...steps, 'abandon'], error, status });
    expect(await aborting('deliver')).toEqual({ steps: [...steps, 'deliver', 'abandon'], error, status });
    const meanwhile = [...steps, 'deliver', 'meanwhile', 'abandon'];
    expect(await aborting('meanwhile')).toEqual({ steps: meanwhile, error, status });
  });

  test('that never comes changes nothing', async () => {
    expect(await aborting('never')).toEqual({
      steps: ['before', 'probe', 'make', 'deliver'],
      error: null,
      status: ['active', 'active'],
    });
  });
});
