import { describe, expect, test } from 'vitest';
import type { Keyring } from '../../src/keyring/keyring.js';
import { make } from '../support/keyrings.js';
import { at, DAY, HOUR, overlap, scene, used, verdicts } from '../support/rotations.js';
import { ENGINES, type EngineName, RECORDED_ALWAYS, rawDatabase, START } from '../support/stores.js';

const OP = 'rotate-ci-4711';

async function recorded(keyring: Keyring, engine: EngineName): Promise<void> {
  await (await rawDatabase(keyring.location, engine)).exec(RECORDED_ALWAYS);
}

describe.each(ENGINES)('how far a rotation is, on %s', (engine) => {
  test('the old key is in use when it was used since the rotation', async () => {
    const { clock, keyring } = await scene(engine);
    const old = await make(keyring, 'ci');
    await used(keyring, old.key, at(HOUR));
    clock.now = at(2 * HOUR);
    const { key } = await keyring.rotate('ci', overlap(DAY));
    const told = async (ref: string) => {
      const [rotation, ...others] = await keyring.rotations(ref);
      expect(others).toEqual([]);
      return rotation;
    };
    expect(await told('ci')).toMatchObject({ old: { id: old.key.id }, usedSince: null, successorUsedAt: null });
    await recorded(keyring, engine);
    expect(await told('ci')).toMatchObject({ old: { id: old.key.id }, usedSince: false, rotatedAt: at(2 * HOUR) });
    await used(keyring, old.key, at(3 * HOUR));
    expect(await told(old.key.id)).toMatchObject({ successor: { id: key.id, lastUsedAt: null }, usedSince: true });
    clock.now = at(4 * HOUR);
    await keyring.edit(old.key.id, { description: 'goes soon' });
    await keyring.delete('ci');
    expect(await told(old.key.id)).toMatchObject({ successor: null, rotatedAt: at(2 * HOUR), usedSince: true });
    expect(await keyring.rotations((await make(keyring, 'new')).key.id)).toEqual([]);
  });

  test('of several in a row tells those that go on, and the last', async () => {
    const { keyring } = await scene(engine);
    const a = await make(keyring, 'ci');
    const b = await keyring.rotate('ci', overlap(DAY));
    const c = await keyring.rotate('ci', overlap(0));
    const d = await keyring.rotate('ci', overlap(0));
    const ids = async (ref: string) => (await keyring.rotations(ref)).map((each) => [each.old.id, each.successor?.id]);
    expect(await ids('ci')).toEqual([
      [a.key.id, d.key.id],
      [c.key.id, d.key.id],
    ]);
    expect(await ids(b.key.id)).toEqual([
      [a.key.id, d.key.id],
      [b.key.id, d.key.id],
    ]);
    expect(await ids(a.key.id)).toEqual([[a.key.id, d.key.id]]);
  });
});

describe.each(ENGINES)('finishing, on %s', (engine) => {
  test.each(['old', 'new'] as const)('by the %s key ends the overlap now, once', async (which) => {
    const { clock, keyring } = await scene(engine);
    const old = await make(keyring, 'ci');
    const { key, keyString } = await keyring.rotate('ci', overlap(DAY));
    clock.now = at(HOUR);
    const finish = () => keyring.finishRotation(which === 'old' ? old.key.id : key.id);
    const [why, and] = [
      /is still in use is not known: no server has recorded/,
      /may still be needed: .* was not used yet/,
    ];
    await expect(finish()).rejects.toMatchObject({ code: 'guarded', message: expect.stringMatching(why) });
    await recorded(keyring, engine);
    await expect(finish()).rejects.toMatchObject({ code: 'guarded', message: expect.stringMatching(and) });
    await used(keyring, key, at(HOUR - 1));
    const ref = which === 'old' ? old.key.id : key.id;
    expect(await keyring.finishRotation(ref, { operationId: OP })).toMatchObject({
      changed: true,
      key: { id: old.key.id, expiresAt: at(HOUR) },
    });
    expect(await verdicts(keyring, old.keyString, keyString)).toEqual(['expired', 'valid']);
    clock.now = at(2 * HOUR);
    const head = await keyring.auditHead();
    for (const operationId of [OP, undefined])
      expect(await keyring.finishRotation(ref, { operationId })).toMatchObject({
        changed: false,
        key: { id: old.key.id, expiresAt: at(HOUR) },
      });
    expect(await keyring.auditHead()).toEqual(head);
    expect((await keyring.list({ rotating: true })).keys).toEqual([]);
    expect((await keyring.auditVerify()).problems).toEqual([]);
  });

  test('is refused while the old key was used within the window', async () => {
    const { clock, keyring } = await scene(engine);
    const old = await make(keyring, 'ci');
    const { key } = await keyring.rotate('ci', overlap(DAY));
    await recorded(keyring, engine);
    for (const each of [old.key, key]) await used(keyring, each, at(HOUR));
    const head = await keyring.auditHead();
    for (const [now, quietForMs] of [
      [at(HOUR), undefined],
      [at(2 * HOUR - 1), undefined],
      [at(2 * HOUR), 2 * HOUR],
      [at(0), 1],
    ] as const) {
      clock.now = now;
      await expect(keyring.finishRotation('ci', { quietForMs })).rejects.toMatchObject({
        code: 'guarded',
        message: expect.stringContaining(`last used ${at(HOUR).toISOString()}`),
      });
    }
    expect(await keyring.auditHead()).toEqual(head);
    clock.now = at(2 * HOUR);
    expect(await keyring.finishRotation('ci')).toMatchObject({ changed: true });
  });

  test('of an overlap that is over changes nothing, however lately the old key was used', async () => {
    const { clock, keyring } = await scene(engine);
    const old = await make(keyring, 'ci');
    await used(keyring, old.key, START);
    await keyring.rotate('ci', overlap(0));
    clock.now = at(1);
    expect(await keyring.finishRotation('ci')).toMatchObject({ changed: false, key: { expiresAt: START } });
  });

  test('--force does not ask, and neither does a key that is disabled', async () => {
    const { clock, keyring } = await scene(engine);
    const one = await make(keyring, 'one');
    const two = await make(keyring, 'two');
    for (const { key } of [one, two]) {
      await keyring.rotate(key.name, overlap(DAY));
      await used(keyring, key, at(1));
    }
    clock.now = at(2);
    expect(await keyring.finishRotation('one', { force: true })).toMatchObject({ changed: true });
    await keyring.disable(two.key.id);
    expect(await keyring.finishRotation('two')).toMatchObject({ changed: true });
  });

  test('wants the old key named where several still work, and refuses a key in no rotation', async () => {
    const { keyring } = await scene(engine);
    const a = await make(keyring, 'ci');
    const b = await keyring.rotate('ci', overlap(DAY));
    const c = await keyring.rotate('ci', overlap(DAY));
    await recorded(keyring, engine);
    await used(keyring, c.key, START); // the last one counts for both
    await expect(keyring.finishRotation('ci')).rejects.toMatchObject({
      code: 'ambiguous',
      message: expect.stringMatching(new RegExp(`${a.key.id}[^]*${b.key.id}`)),
    });
    expect(await keyring.finishRotation(b.key.id)).toMatchObject({ changed: true, key: { id: b.key.id } });
    expect(await keyring.finishRotation('ci')).toMatchObject({ changed: true, key: { id: a.key.id } });
    await make(keyring, 'alone');
    await expect(keyring.finishRotation('alone')).rejects.toMatchObject({ code: 'conflict' });
  });
});
