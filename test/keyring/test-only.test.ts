import { describe, expect, test } from 'vitest';
import { Keyring } from '../../src/keyring/keyring.js';
import { input, make, receiver } from '../support/keyrings.js';
import { BY, DEFAULT_ENGINE, ENGINES, freshStore, keyringOver, START } from '../support/stores.js';

const GUARDED = { code: 'guarded', message: expect.stringContaining('for test keys only') };
const TEST_ONLY = { by: () => BY, now: () => START, hashCost: 4, testOnly: true };

/** A keyring for test keys only, over a store that holds a live key as well; and a keyring that may do everything. */
async function freshTestOnly(engine: (typeof ENGINES)[number]) {
  const store = await freshStore(engine);
  const full = keyringOver(store);
  const { key: live } = await make(full, 'live', { mode: 'live' });
  return { keyring: new Keyring(store, TEST_ONLY), full, live };
}

test('a keyring offers no way round itself: what it stands on is no property of it', async () => {
  const { keyring } = await freshTestOnly(DEFAULT_ENGINE);
  for (let on: object | null = keyring; on && on !== Object.prototype; on = Object.getPrototypeOf(on))
    expect(Object.getOwnPropertyNames(on)).not.toContain('store');
  expect(Reflect.ownKeys(keyring)).toEqual([]);
});

describe.each(ENGINES)('%s: a keyring for test keys only', (engine) => {
  test('refuses every change of a live key, however the key is named', async () => {
    const { keyring, full, live } = await freshTestOnly(engine);
    for (const ref of ['live', live.id, live, { ...live, mode: 'test' as const }]) {
      await expect(keyring.delete(ref)).rejects.toMatchObject(GUARDED);
      await expect(keyring.delete(ref, { asSeen: true })).rejects.toMatchObject(GUARDED);
      await expect(keyring.disable(ref)).rejects.toMatchObject(GUARDED);
      await expect(keyring.enable(ref)).rejects.toMatchObject(GUARDED);
      await expect(keyring.edit(ref, { description: 'x' })).rejects.toMatchObject(GUARDED);
      await expect(keyring.rotate(ref, { overlapMs: 0 })).rejects.toMatchObject(GUARDED);
      await expect(keyring.finishRotation(ref)).rejects.toMatchObject(GUARDED);
    }
    expect(await full.show('live')).toEqual(live);
  });

  test('carries out no plan that would delete, rotate or make one', async () => {
    const { keyring, full, live } = await freshTestOnly(engine);
    const planned = await full.plan([input('live', { mode: 'live' })], { ifExists: 'replace' });
    const [wanted] = planned.inputs;
    if (!wanted) throw new Error('nothing is planned');
    const disguised = { ...live, mode: 'test' as const };
    await expect(keyring.make(planned)).rejects.toMatchObject(GUARDED);
    for (const part of ['replaced', 'unfinished'] as const) {
      const forged = { ...planned, inputs: [{ ...wanted, mode: 'test' as const }], replaced: [], [part]: [disguised] };
      await expect(keyring.make(forged)).rejects.toMatchObject(GUARDED);
    }
    const rotation = await full.planRotation('live', { overlapMs: 0 });
    await expect(keyring.makeRotation(rotation)).rejects.toMatchObject(GUARDED);
    const successor = { ...rotation.successor, mode: 'test' as const };
    const retirement = { ...rotation.retirement, seen: disguised };
    await expect(keyring.makeRotation({ ...rotation, successor, retirement })).rejects.toMatchObject(GUARDED);
    expect((await full.list()).keys).toEqual([live]);
  });

  test('plans nothing in the place of one, and names the key that is live', async () => {
    const { keyring, full, live } = await freshTestOnly(engine);
    const named = (name: string) => ({ code: 'guarded', message: expect.stringContaining(`key "${name}"`) });
    const replacing = keyring.plan([input('live')], { ifExists: 'replace' });
    await expect(replacing).rejects.toMatchObject(named('live'));
    await full.make(await full.plan([input('left', { mode: 'live' })]), { toDeliver: true });
    await expect(keyring.plan([input('left')])).rejects.toMatchObject(named('left'));
    const planned = await full.plan([input('new', { mode: 'live' })]);
    await expect(keyring.make(planned)).rejects.toMatchObject(named('new'));
    const rotation = await full.planRotation('live', { overlapMs: 0 });
    await expect(keyring.makeRotation(rotation)).rejects.toMatchObject(named('live'));
    await full.delete('live', { purge: true });
    await expect(keyring.disable(live)).rejects.toMatchObject({ code: 'not_found' });
  });

  test('is no target for a copy while either store holds a live key', async () => {
    const { keyring, full } = await freshTestOnly(engine);
    const target = await receiver(engine);
    await expect(full.storeCopy(new Keyring(await freshStore(engine), TEST_ONLY))).rejects.toMatchObject(GUARDED);
    await expect(target.storeCopy(keyring)).rejects.toMatchObject(GUARDED);
    await expect(keyring.storeCopy(target)).resolves.toMatchObject({ keys: 1 });
  });

  test('does everything to a test key', async () => {
    const { keyring } = await freshTestOnly(engine);
    const { key } = await make(keyring, 'mine');
    const { key: successor } = await keyring.rotate(key, { overlapMs: 0 });
    expect(await keyring.delete(successor, { asSeen: true })).toMatchObject(successor);
    expect(await keyring.delete(key)).toMatchObject({ id: key.id });
  });
});
