import { describe, expect, test } from 'vitest';
import type { Keyring } from '../../src/keyring/keyring.js';
import { make } from '../support/keyrings.js';
import { refused } from '../support/manifests.js';
import { at, DAY, HOUR, overlap, scene, used, verdicts } from '../support/rotations.js';
import { DEFAULT_ENGINE, ENGINES, type EngineName, RECORDED_ALWAYS, rawDatabase, START } from '../support/stores.js';

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

describe('what is told of a rotation', () => {
  test('is the last use of any key that came after, and the last key that is still there', async () => {
    const { keyring } = await scene(DEFAULT_ENGINE);
    const { key: a } = await make(keyring, 'ci');
    const { key: b } = await keyring.rotate('ci', overlap(DAY));
    const { key: c } = await keyring.rotate('ci', overlap(DAY));
    const told = async () => {
      const { successor, successorUsedAt } = await keyring.rotationOf(await keyring.show(a.id));
      return [successor?.id, successorUsedAt];
    };
    expect(await told()).toEqual([c.id, null]);
    await used(keyring, c, at(1));
    expect(await told()).toEqual([c.id, at(1)]);
    await used(keyring, b, at(3));
    expect(await told()).toEqual([c.id, at(3)]);
    await used(keyring, c, at(2));
    expect(await told()).toEqual([c.id, at(3)]);
    await used(keyring, c, at(4));
    expect(await told()).toEqual([c.id, at(4)]);
    await keyring.delete(c.id);
    expect(await told()).toEqual([b.id, at(3)]);
    await keyring.delete(b.id);
    expect(await told()).toEqual([undefined, null]);
  });

  test('is that the old key is in use from the moment of the rotation on', async () => {
    const { clock, keyring } = await scene(DEFAULT_ENGINE);
    const { key } = await make(keyring, 'ci');
    clock.now = at(HOUR);
    await keyring.rotate('ci', overlap(DAY));
    await recorded(keyring, DEFAULT_ENGINE);
    const told = async () =>
      (await keyring.rotations(key.id)).map(({ usedSince, rotatedAt }) => [usedSince, rotatedAt]);
    await used(keyring, key, at(HOUR - 1));
    expect(await told()).toEqual([[false, at(HOUR)]]);
    await used(keyring, key, at(HOUR));
    expect(await told()).toEqual([[true, at(HOUR)]]);
  });
});

describe('an overlap that is not to be ended', () => {
  async function rotating(quiet = true) {
    const all = await scene(DEFAULT_ENGINE);
    const old = await make(all.keyring, 'ci');
    const { key, retired } = await all.keyring.rotate('ci', overlap(DAY));
    if (quiet) await recorded(all.keyring, DEFAULT_ENGINE);
    const told = async (options = {}) => {
      const { code, message, hint } = await refused(all.keyring.planFinish('ci', options));
      expect(code).toBe('guarded');
      return [message, hint];
    };
    const anyway = `end the overlap anyway: unlockos-keys rotate --finish ${old.key.id} --force`;
    return { ...all, key, retired, title: `key "${retired.name}" (${retired.id})`, told, anyway };
  }

  test('because the old key is in use says since when, and how long it must not be', async () => {
    const { clock, keyring, retired, key, title, told, anyway } = await rotating();
    for (const each of [retired, key]) await used(keyring, each, at(HOUR));
    for (const [now, options, ago, window] of [
      [HOUR + 119_999, {}, 1, 60],
      [HOUR + 120_000, { quietForMs: 600_000 }, 2, 10],
      [0, {}, 0, 60], // a clock that is behind
    ] as const) {
      clock.now = at(now);
      expect(await told(options)).toEqual([
        `${title} is still in use: last used ${at(HOUR).toISOString()}, ${ago} min ago, and it must be unused for ${window} min`,
        `find out who uses it, or ${anyway}`,
      ]);
    }
    clock.now = at(2 * HOUR);
    expect(await keyring.planFinish('ci')).toMatchObject({ over: false, rotation: { old: { id: retired.id } } });
  });

  test('because nobody has the new key says which, or that it is gone', async () => {
    const { keyring, key, title, told, anyway } = await rotating();
    const hint = `make sure that every program has the new key, or ${anyway}`;
    expect(await told()).toEqual([`${title} may still be needed: key "ci" (${key.id}) was not used yet`, hint]);
    await keyring.delete('ci');
    const gone = await refused(keyring.planFinish(key.rotatedFrom ?? ''));
    expect([gone.message, gone.hint]).toEqual([
      `${title} may still be needed: the key that replaced it was deleted`,
      hint,
    ]);
  });

  test('because nobody recorded use since the rotation, or in the time asked for', async () => {
    const { clock, keyring, key, title, told, anyway } = await rotating(false);
    await used(keyring, key, START);
    const db = await rawDatabase(keyring.location, DEFAULT_ENGINE);
    const from = async (ms: number) => {
      await db.exec('delete from recorder_spans');
      await db.exec(`insert into recorder_spans values (1, ${at(ms).getTime()}, ${at(DAY).getTime()})`);
    };
    clock.now = at(10 * HOUR);
    await from(5 * HOUR);
    expect(await told({ quietForMs: 8 * HOUR })).toEqual([
      expect.stringContaining(`whether ${title} is still in use is not known`),
      `wait, or ${anyway}`,
    ]);
    await keyring.planFinish('ci', { quietForMs: 5 * HOUR });
    clock.now = at(HOUR);
    await from(0);
    await keyring.planFinish('ci', { quietForMs: 8 * HOUR }); // the rotation was not so long ago
  });
});

describe('the rotation that is meant', () => {
  test('is the one whose overlap goes on, by either of its keys; else the last', async () => {
    const { clock, keyring } = await scene(DEFAULT_ENGINE);
    const { key: a } = await make(keyring, 'ci');
    const { key: b } = await keyring.rotate('ci', overlap(9 * DAY));
    const { key: c } = await keyring.rotate('ci', overlap(0));
    const { key: d } = await keyring.rotate('ci', overlap(0));
    const meant = async (ref: string) => {
      const { rotation, over } = await keyring.planFinish(ref, { force: true });
      return [rotation.old.id, over];
    };
    for (const ref of [a.id, b.id, 'ci']) expect(await meant(ref)).toEqual([a.id, false]);
    clock.now = at(9 * DAY);
    expect(await meant(a.id)).toEqual([a.id, true]);
    expect(await meant(b.id)).toEqual([b.id, true]);
    expect(await meant(d.id)).toEqual([c.id, true]);
    expect((await keyring.rotations(d.id)).map(({ old }) => old.id)).toEqual([c.id]);
  });

  test('is asked for where several go on, and there is none for a key that was not rotated', async () => {
    const { keyring } = await scene(DEFAULT_ENGINE);
    const { key: a } = await make(keyring, 'ci');
    const { key: b } = await keyring.rotate('ci', overlap(DAY));
    const { key: c } = await keyring.rotate('ci', overlap(DAY));
    expect(await refused(keyring.planFinish('ci', { force: true }))).toMatchObject({
      code: 'ambiguous',
      message: `key "ci" (${c.id}) replaced 2 keys that still work:\n${[a, b].map(({ id }) => `  ${id}  "ci (old ${id})"`).join('\n')}`,
      hint: 'name the key to end by its id',
    });
    for (const { id } of [a, b]) expect((await keyring.planFinish(id, { force: true })).rotation.old.id).toBe(id);
    const { key: alone } = await make(keyring, 'alone');
    expect(await refused(keyring.planFinish('alone'))).toMatchObject({
      code: 'conflict',
      message: `key "alone" (${alone.id}) was not rotated: there is no overlap to end`,
      hint: expect.stringContaining('list --rotating'),
    });
  });
});
