import { describe, expect, onTestFinished, test } from 'vitest';
import type { ApiKey } from '../../src/domain/api-key.js';
import { UNDELIVERED } from '../../src/domain/change.js';
import type { Keyring } from '../../src/keyring/keyring.js';
import { type RotateInput, retiredName } from '../../src/keyring/rotation.js';
import { Verifier } from '../../src/verifier/verifier.js';
import { another, make, receiver } from '../support/keyrings.js';
import { at, DAY, HOUR, overlap, scene, used, verdicts } from '../support/rotations.js';
import { type Clock, DEFAULT_ENGINE, ENGINES, rawDatabase, START, storeOf } from '../support/stores.js';
import { unguarded } from '../support/unguarded.js';

const OP = 'rotate-ci-4711';

describe('the name of a key that another took the name of', () => {
  const id = '7k2m9xw4abcd';
  test.each([
    ['ci', `ci (old ${id})`],
    ['x'.repeat(64), `${'x'.repeat(45)} (old ${id})`],
    [`${'x'.repeat(44)} yz`, `${'x'.repeat(44)} (old ${id})`],
    ['\u{1f9ed}'.repeat(64), `${'\u{1f9ed}'.repeat(45)} (old ${id})`],
  ])('%s', (name, expected) => {
    expect(retiredName({ name, id })).toBe(expected);
    expect(Array.from(expected).length).toBeLessThanOrEqual(64);
  });
});

describe.each(ENGINES)('rotate, on %s', (engine) => {
  test('copies all but id, secret and times; both verify until the end of the overlap, by the verifier as well', async () => {
    const { clock, keyring } = await scene(engine);
    const old = await make(keyring, 'ci', {
      description: 'kiosk',
      scopes: ['plan:read', 'checkin:read'],
      rateLimit: { limit: 5, windowSeconds: 1 },
      labels: { team: 'a' },
      expiresAt: at(90 * DAY),
    });
    const store = storeOf(await another(keyring, engine, clock));
    const verifier = new Verifier(store, { environment: 'test', rateLimit: 'off', now: () => clock.now.getTime() });
    onTestFinished(() => verifier.close().catch(() => {}));
    const both = async (...keyStrings: string[]) => {
      const answers: string[] = [];
      for (const keyString of keyStrings) answers.push((await verifier.verify(keyString)).verdict);
      expect(await verdicts(keyring, ...keyStrings)).toEqual(answers);
      return answers;
    };
    expect(await both(old.keyString)).toEqual(['valid']);
    clock.now = at(80 * DAY);
    const { key, keyString, retired, undelivered } = await keyring.rotate('ci', overlap(DAY));
    expect(key).toEqual({
      ...old.key,
      id: key.id,
      createdAt: at(80 * DAY),
      updatedAt: at(80 * DAY),
      expiresAt: at(170 * DAY),
      rotatedFrom: old.key.id,
    });
    expect(retired).toMatchObject({
      id: old.key.id,
      expiresAt: at(81 * DAY),
      rotatedTo: key.id,
      labels: { team: 'a' },
    });
    expect(undelivered).toBeNull();
    expect(await both(old.keyString, keyString)).toEqual(['valid', 'valid']);
    clock.now = at(81 * DAY - 1);
    expect(await both(old.keyString, keyString)).toEqual(['valid', 'valid']);
    clock.now = at(81 * DAY);
    expect(await both(old.keyString, keyString)).toEqual(['expired', 'valid']);
    expect((await keyring.auditVerify()).problems).toEqual([]);
  });

  test.each([
    ['an old key that was to die in the overlap dies as it was to', 1 * HOUR, 1 * HOUR],
    ['an overlap of nothing ends it at once', 90 * DAY, 0],
    ['one without an end gets one', null, DAY],
  ])('%s', async (_, life, ends) => {
    const { keyring } = await scene(engine);
    const { keyString } = await make(keyring, 'ci', { expiresAt: life === null ? null : at(life) });
    const { key, retired } = await keyring.rotate('ci', overlap(ends === 0 ? 0 : DAY));
    expect(retired.expiresAt).toEqual(at(ends));
    expect(key.expiresAt).toEqual(life === null ? null : at(life));
    expect(await verdicts(keyring, keyString)).toEqual([ends === 0 ? 'expired' : 'valid']);
  });

  test('an expired key stays expired, and what replaces it lives', async () => {
    const { clock, keyring } = await scene(engine);
    const { keyString } = await make(keyring, 'ci', { expiresAt: at(DAY) });
    clock.now = at(10 * DAY);
    const rotated = await keyring.rotate('ci', overlap(DAY));
    expect(rotated.retired.expiresAt).toEqual(at(DAY));
    expect(rotated.key.expiresAt).toEqual(at(11 * DAY));
    expect(await verdicts(keyring, keyString, rotated.keyString)).toEqual(['expired', 'valid']);
  });

  test('a life that began a moment after it was asked for is not a moment shorter each time', async () => {
    const { keyring } = await scene(engine);
    await make(keyring, 'ci', { expiresAt: at(30 * DAY - 125) });
    expect((await keyring.rotate('ci', overlap(DAY))).key.expiresAt).toEqual(at(30 * DAY));
  });

  test('a life to the end of the calendar is not lengthened beyond it', async () => {
    const { clock, keyring } = await scene(engine);
    const expiresAt = new Date('9999-12-31T23:59:59.999Z');
    await make(keyring, 'ci', { expiresAt });
    clock.now = at(DAY);
    expect((await keyring.rotate('ci', overlap(DAY))).key.expiresAt).toEqual(expiresAt);
  });

  test('other scopes and another expiry are the new key\u2019s alone; a retired scope stays', async () => {
    const { keyring } = await scene(engine);
    const old = await make(keyring, 'ci', { scopes: ['checkin:read', 'plan:read'] });
    await keyring.retireScope('plan:read');
    const kept = await keyring.rotate('ci', overlap(DAY));
    expect(kept.key.scopes).toEqual(old.key.scopes);
    const other = await keyring.rotate('ci', overlap(DAY, { scopes: ['checkin:*'], expiresAt: at(HOUR) }));
    expect(other.key).toMatchObject({
      scopes: ['checkin:read', 'checkin:create', 'checkin:update'],
      expiresAt: at(HOUR),
    });
    expect((await keyring.show(old.key.id)).scopes).toEqual(old.key.scopes);
    expect((await keyring.show(kept.key.id)).scopes).toEqual(old.key.scopes);
  });

  test('is refused, and changes nothing', async () => {
    const { clock, keyring } = await scene(engine);
    const { key } = await make(keyring, 'ci');
    await make(keyring, 'off');
    await keyring.disable('off');
    await make(keyring, 'stillborn', { expiresAt: at(-1) });
    const done = await make(keyring, 'done');
    const { key: successor } = await keyring.rotate('done', overlap(DAY));
    const seen = await make(keyring, 'seen');
    clock.now = at(1);
    await keyring.disable('seen');
    await keyring.enable('seen');
    const head = await keyring.auditHead();
    for (const [code, says, ref, input] of [
      ['conflict', 'is inactive, and its successor would be active', 'off', overlap(DAY)],
      ['conflict', `was already rotated, to ${successor.id}`, done.key.id, overlap(DAY)],
      ['conflict', 'was changed meanwhile', seen.key, overlap(DAY)],
      ['usage', 'would have expired', 'stillborn', overlap(DAY)],
      ['usage', 'would have expired', 'ci', overlap(DAY, { expiresAt: at(0) })],
      ['usage', 'unknown scope', 'ci', overlap(DAY, { scopes: ['plan:purge'] })],
      ['missing_input', 'at least one scope', 'ci', overlap(DAY, { scopes: [] })],
      ['usage', 'the overlap must be a time', 'ci', overlap(-1)],
      ['usage', 'the overlap must be a time', 'ci', overlap(Number.NaN)],
      ['usage', 'the overlap must be a time', 'ci', overlap(366 * DAY)],
      ['not_found', 'no key', 'nobody', overlap(DAY)],
    ] as const)
      await expect(keyring.rotate(ref, input)).rejects.toMatchObject({ code, message: expect.stringContaining(says) });
    await expect(keyring.rotate(key, overlap(DAY), { operationId: 'x' })).rejects.toMatchObject({ code: 'usage' });
    expect(await keyring.auditHead()).toEqual(head);
  });

  test('two at once make one successor', async () => {
    const { keyring } = await scene(engine);
    const old = await make(keyring, 'ci');
    const other = await another(keyring, engine);
    const runs = await Promise.allSettled([keyring, other].map((each) => each.rotate(old.key.id, overlap(DAY))));
    expect(runs.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect((await keyring.list()).keys).toHaveLength(2);
  });

  test('a copy of the store has the links, and goes on from there', async () => {
    const { keyring } = await scene(engine);
    const old = await make(keyring, 'ci');
    const { key } = await keyring.rotate('ci', overlap(DAY));
    const target = await receiver(engine);
    await keyring.storeCopy(target);
    expect(await target.show(old.key.id)).toEqual(await keyring.show(old.key.id));
    expect((await target.rotations('ci')).map((each) => [each.old.id, each.successor?.id])).toEqual([
      [old.key.id, key.id],
    ]);
  });
});

describe.each(ENGINES)('a rotation that is run again, on %s', (engine) => {
  test('replaces the key that nobody was given, at once; the first old key keeps its end', async () => {
    const { clock, keyring } = await scene(engine);
    const old = await make(keyring, 'ci', { labels: { team: 'a' } });
    const lost = await keyring.rotate('ci', overlap(DAY), { operationId: OP });
    clock.now = at(HOUR);
    for (const ref of ['ci', old.key.id, lost.key.id]) {
      const before = (await keyring.show('ci')).id;
      const again = await (await another(keyring, engine, clock)).rotate(ref, overlap(DAY), { operationId: OP });
      expect(again.retired).toEqual(lost.retired);
      expect(again.undelivered).toMatchObject({ id: before, expiresAt: at(HOUR), rotatedTo: again.key.id });
      expect(again.key).toMatchObject({ name: 'ci', labels: { team: 'a' }, rotatedFrom: before });
      expect(await verdicts(keyring, old.keyString, lost.keyString, again.keyString)).toEqual([
        'valid',
        'expired',
        'valid',
      ]);
    }
    expect((await keyring.operation(OP)).map(({ op, action }) => `${op} ${action}`)).toEqual(
      ['', '.2', '.3', '.4'].flatMap((run) => [`${OP}${run} key.rotate`, `${OP}${run}/1 key.create`]),
    );
    expect((await keyring.rotations('ci')).map((each) => each.old.id)).toContain(old.key.id);
    expect((await keyring.auditVerify()).problems).toEqual([]);
  });

  test('also replaces one that was disabled because its key string could not be delivered', async () => {
    const { keyring } = await scene(engine);
    await make(keyring, 'ci');
    const lost = await keyring.rotate('ci', overlap(DAY), { operationId: OP });
    await keyring.disable('ci', { reason: UNDELIVERED });
    const again = await keyring.rotate('ci', overlap(DAY), { operationId: OP });
    expect(await verdicts(keyring, lost.keyString, again.keyString)).toEqual(['inactive', 'valid']);
  });

  test.each<
    [string, string, (scene: { clock: Clock; keyring: Keyring }, old: ApiKey, made: ApiKey) => unknown, object?]
  >([
    ['is in use', 'is in use', ({ keyring }, _, made) => used(keyring, made, at(1))],
    ['is a day old', 'more than a day old', ({ clock }) => (clock.now = at(DAY + 1))],
    [
      'was disabled by somebody',
      'has been disabled since',
      ({ keyring }) => keyring.disable('ci', { reason: 'leaked' }),
    ],
    ['was rotated', 'has been rotated since', ({ keyring }) => keyring.rotate('ci', overlap(DAY))],
    ['was renamed', 'has been renamed since', ({ keyring }) => keyring.edit('ci', { name: 'new' })],
    ['was asked for with other scopes', 'other scopes', () => {}, { scopes: ['plan:read'] }],
    ['took the place of one that is gone', 'has been deleted since', ({ keyring }, old) => keyring.delete(old.id)],
  ])('leaves a key alone that %s', async (_, says, happen, more) => {
    const all = await scene(engine);
    const { keyring } = all;
    const old = await make(keyring, 'ci');
    const { key } = await keyring.rotate('ci', overlap(DAY), { operationId: OP });
    await happen(all, old.key, key);
    const head = await keyring.auditHead();
    await expect(keyring.rotate(key.id, overlap(DAY, more), { operationId: OP })).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringMatching(new RegExp(`operation ${OP} was already carried out: .*${says}`)),
    });
    expect(await keyring.auditHead()).toEqual(head);
  });

  test('makes nothing in place of a key that was deleted since', async () => {
    const { keyring } = await scene(engine);
    const old = await make(keyring, 'ci');
    const { key } = await keyring.rotate('ci', overlap(DAY), { operationId: OP });
    await keyring.delete('ci');
    await expect(keyring.rotate(old.key.id, overlap(DAY), { operationId: OP })).rejects.toMatchObject({
      code: 'conflict',
      message: `operation ${OP} was already carried out: its key ${key.id} has been deleted since`,
    });
  });

  test('is no other request under the same id', async () => {
    const { keyring } = await scene(engine);
    const { key: ci } = await make(keyring, 'ci');
    const other = await make(keyring, 'other');
    await keyring.disable('other', { operationId: `${OP}-b` });
    await keyring.enable('other');
    await keyring.rotate('ci', overlap(DAY), { operationId: OP });
    await keyring.create([{ name: 'made', mode: 'test', scopes: ['plan:read'] }], { operationId: `${OP}-c` });
    for (const [op, says] of [
      [OP, `it rotated "${retiredName(ci)}", and this is another request`],
      [`${OP}-b`, 'it did key.disable'],
      [`${OP}-c`, 'it did key.create'],
    ] as const)
      await expect(keyring.rotate('other', overlap(DAY), { operationId: op })).rejects.toMatchObject({
        code: 'conflict',
        message: `operation ${op} was already carried out: ${says}`,
        hint: expect.stringContaining('leave --operation-id out'),
      });
    expect(await keyring.show('other')).toMatchObject({ id: other.key.id, rotatedTo: null });
  });

  test('by two at once ends with one key that works besides the old one', async () => {
    const { keyring } = await scene(engine);
    await make(keyring, 'ci');
    await keyring.rotate('ci', overlap(DAY), { operationId: OP });
    const other = await another(keyring, engine);
    const runs = await Promise.allSettled(
      [keyring, other].map((each) => each.rotate('ci', overlap(DAY), { operationId: OP })),
    );
    const keyStrings = runs.flatMap((run) => (run.status === 'fulfilled' ? [run.value.keyString] : []));
    const working = (await verdicts(keyring, ...keyStrings)).filter((verdict) => verdict === 'valid');
    expect(working).toHaveLength(1);
    expect((await keyring.list({ status: 'active' })).keys).toHaveLength(2);
  });
});

describe('what a rotation is planned to be', () => {
  test('is told before: the new key, and what becomes of the old one', async () => {
    const { keyring } = await scene(DEFAULT_ENGINE);
    const { key } = await make(keyring, 'ci', { expiresAt: at(30 * DAY) });
    const { successor, retirement, retired, undelivered, operation } = await keyring.planRotation('ci', overlap(DAY));
    expect({ undelivered, operation }).toEqual({ undelivered: null, operation: null });
    expect(successor).toMatchObject({ name: 'ci', rotatedFrom: key.id, scopeChange: null });
    expect(retirement).toEqual({ name: retiredName(key), expiresAt: at(DAY), seen: key });
    expect(retired).toEqual({ ...key, name: retiredName(key), expiresAt: at(DAY) });
    expect((await keyring.planRotation('ci', overlap(365 * DAY))).retired.expiresAt).toEqual(at(30 * DAY));
  });

  test('takes from the old key what is not given, and nothing that is', async () => {
    const { keyring } = await scene(DEFAULT_ENGINE);
    const old = { description: 'kiosk', rateLimit: '5/s', labels: { team: 'a' }, allowFrom: ['10.0.0.0/8'] } as const;
    const { key } = await make(keyring, 'ci', old);
    const planned = async (more: Partial<RotateInput>) =>
      (await keyring.planRotation('ci', overlap(DAY, more))).successor;
    const kept = { ...old, rateLimit: { limit: 5, windowSeconds: 1 } };
    expect(await planned({})).toMatchObject(kept);
    for (const [given, expected] of [
      [{ description: ' other ' }, { description: 'other' }],
      [{ description: '' }, { description: null }],
      [{ description: null }, { description: null }],
      [{ rateLimit: '6/s' }, { rateLimit: { limit: 6, windowSeconds: 1 } }],
      [{ labels: {} }, { labels: {} }],
      [{ allowFrom: [] }, { allowFrom: [] }],
      [{ allowFrom: ['192.0.2.7'] }, { allowFrom: ['192.0.2.7/32'] }],
      [{ scopes: ['plan:read'] }, { scopeChange: { from: key.id, added: ['plan:read'], dropped: ['checkin:read'] } }],
    ] as const)
      expect(await planned(given)).toMatchObject({ ...kept, ...expected });
  });

  test('lives no longer than the store allows', async () => {
    const { keyring } = await scene(DEFAULT_ENGINE);
    await make(keyring, 'ci', { expiresAt: at(90 * DAY) });
    await make(keyring, 'live', { mode: 'live', expiresAt: at(90 * DAY) });
    await keyring.setStorePolicy({ maxLifetime: { test: '30d' } });
    const ends = async (name: string, more = {}) =>
      (await keyring.planRotation(name, overlap(DAY, more))).successor.expiresAt;
    expect([await ends('ci'), await ends('live')]).toEqual([at(30 * DAY), at(90 * DAY)]);
    expect(await ends('ci', { expires: '30d' })).toEqual(at(30 * DAY));
    for (const given of [{ expires: '31d' }, { expiresAt: null }])
      await expect(ends('ci', given)).rejects.toMatchObject({
        code: 'guarded',
        message: expect.stringMatching(/^the key "ci" .* new test keys live 30d at most/),
      });
  });

  test('is refused for a damaged key, of which nobody knows what the new one would be', async () => {
    const { keyring } = await scene(DEFAULT_ENGINE);
    const { key } = await make(keyring, 'ci');
    const db = await rawDatabase(keyring.location, DEFAULT_ENGINE);
    await unguarded(db, DEFAULT_ENGINE, "update api_keys set created_at = 'x', rate_limit = 'x'");
    await expect(keyring.rotate(key.id, overlap(DAY))).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringMatching(
        new RegExp(`^key "ci" \\(${key.id}\\) is damaged: its \\w+, \\w+ cannot be read$`),
      ),
      hint: expect.stringContaining(`unlockos-keys delete ${key.id}`),
    });
  });

  test('run again may name the same scopes in another order', async () => {
    const { keyring } = await scene(DEFAULT_ENGINE);
    await make(keyring, 'ci', { scopes: ['plan:read', 'checkin:read'] });
    const scopes = ['plan:read', 'checkin:read'];
    const lost = await keyring.rotate('ci', overlap(DAY, { scopes }), { operationId: OP });
    const again = overlap(DAY, { scopes: [...scopes].reverse() });
    expect((await keyring.rotate('ci', again, { operationId: OP })).undelivered?.id).toBe(lost.key.id);
  });
});

describe('a key that was made and never handed out', () => {
  /** A rotation that was cut off before its key string was handed out. */
  const cutOff = async (keyring: Keyring, name: string) =>
    keyring.makeRotation(await keyring.planRotation(name, overlap(DAY)), { toDeliver: true });

  test('gives way at once to the next rotation, and the key before it keeps its end', async () => {
    const { clock, keyring } = await scene(DEFAULT_ENGINE);
    const old = await make(keyring, 'ci', { scopes: ['checkin:read'] });
    const lost = await cutOff(keyring, 'ci');
    clock.now = at(HOUR);
    const { operation } = await keyring.planRotation('ci', overlap(DAY), { operationId: OP });
    expect(operation).toBe(OP);
    const again = await keyring.rotate('ci', overlap(7 * DAY, { addScopes: ['plan:read'] }));
    expect(again.retired).toEqual(lost.retired);
    expect(again.undelivered).toMatchObject({ id: lost.key.id, expiresAt: at(HOUR), rotatedTo: again.key.id });
    expect(again.key).toMatchObject({ name: 'ci', labels: {}, rotatedFrom: lost.key.id });
    expect(again.scopeChange).toEqual({ from: old.key.id, added: ['plan:read'], dropped: [] });
    expect(await verdicts(keyring, old.keyString, lost.keyString, again.keyString)).toEqual([
      'valid',
      'expired',
      'valid',
    ]);
  });

  test('gives way also where it replaced none, or one that is gone', async () => {
    const { keyring } = await scene(DEFAULT_ENGINE);
    const [made] = await keyring.make(await keyring.plan([{ name: 'new', mode: 'test', scopes: ['plan:read'] }]), {
      toDeliver: true,
    });
    const { key: old } = await make(keyring, 'ci');
    const lost = await cutOff(keyring, 'ci');
    await keyring.delete(old.id);
    for (const { key } of [lost, ...(made ? [made] : [])]) {
      const plan = await keyring.planRotation(key.id, overlap(DAY));
      expect(plan).toMatchObject({ undelivered: key, operation: null });
      expect(plan.retired).toEqual({ ...key, name: retiredName(key), expiresAt: START });
      const again = await keyring.makeRotation(plan);
      expect(again.undelivered).toMatchObject({ id: key.id, expiresAt: START });
      expect(again.scopeChange).toBeNull();
    }
  });
});
