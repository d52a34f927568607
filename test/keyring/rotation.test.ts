import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { ApiKey } from '../../src/domain/api-key.js';
import { UNDELIVERED } from '../../src/domain/change.js';
import { isKeysError } from '../../src/domain/errors.js';
import type { Keyring } from '../../src/keyring/keyring.js';
import { type RotateInput, retiredName } from '../../src/keyring/rotation.js';
import { openStore } from '../../src/store/open.js';
import { Verifier } from '../../src/verifier/verifier.js';
import { faultyProxy } from '../support/faulty-proxy.js';
import { another, freshKeyring, make, receiver } from '../support/keyrings.js';
import {
  type Clock,
  ENGINES,
  keyringOver,
  markUsed,
  options,
  RECORDED_ALWAYS,
  rawDatabase,
  START,
  storeOf,
} from '../support/stores.js';

const OP = 'rotate-ci-4711';
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const at = (ms: number) => new Date(START.getTime() + ms);
const overlap = (ms: number, more: Partial<RotateInput> = {}): RotateInput => ({ overlapMs: ms, ...more });

async function scene(engine: (typeof ENGINES)[number]) {
  const clock: Clock = { now: START };
  return { clock, keyring: await freshKeyring(engine, clock) };
}

async function used(keyring: Keyring, { id }: ApiKey, when: Date): Promise<void> {
  await markUsed(storeOf(keyring), [{ id, at: when }]);
}

async function recorded(keyring: Keyring, engine: (typeof ENGINES)[number]): Promise<void> {
  await (await rawDatabase(keyring.location, engine)).exec(RECORDED_ALWAYS);
}

const verdicts = async (keyring: Keyring, ...keyStrings: string[]) => {
  const all: string[] = [];
  for (const keyString of keyStrings) all.push((await keyring.verify(keyString)).verdict);
  return all;
};

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
    await make(keyring, 'ci');
    const other = await make(keyring, 'other');
    await keyring.disable('other', { operationId: `${OP}-b` });
    await keyring.enable('other');
    await keyring.rotate('ci', overlap(DAY), { operationId: OP });
    for (const op of [OP, `${OP}-b`])
      await expect(keyring.rotate('other', overlap(DAY), { operationId: op })).rejects.toMatchObject({
        code: 'conflict',
        message: expect.stringContaining('already carried out'),
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

describe('through a bad network', () => {
  /** Long enough for a busy machine to answer in, short enough to be waited for where nobody answers. */
  const PATIENCE_MS = 3000;
  /** The four requests of a rotation: the key, what there is, what the change is based on, the change. */
  const REQUESTS = [1, 2, 3, 4];

  async function keyringAt(url: string): Promise<Keyring> {
    const store = await openStore(url, options('sqld', { timeoutMs: PATIENCE_MS }));
    onTestFinished(() => store.close().catch(() => {}));
    return keyringOver(store);
  }

  async function badNetwork() {
    const truth = await freshKeyring('sqld');
    const old = await make(truth, 'ci');
    const proxy = await faultyProxy(truth.location);
    const keyring = await keyringAt(proxy.url);
    await keyring.list({ limit: 1 }); // the schema is known from here on
    return { truth, old, proxy, keyring };
  }

  test.each(
    REQUESTS.flatMap((nth) =>
      (['drop', 'cut-before-reply', 'cut-reply'] as const).map((fault) => [nth, fault] as const),
    ),
  )('whose request %i meets with %s, it is made once', async (nth, fault) => {
    const { truth, old, proxy, keyring } = await badNetwork();
    proxy.at(nth, fault);
    const { keyString } = await keyring.rotate('ci', overlap(DAY), { operationId: OP });
    expect(await verdicts(truth, old.keyString, keyString)).toEqual(['valid', 'valid']);
    expect((await truth.operation(OP)).map(({ action }) => action)).toEqual(['key.rotate', 'key.create']);
    expect((await truth.auditVerify()).problems).toEqual([]);
  });

  test.each([
    ['swallow', 0],
    ['cut-before-reply', 1],
  ] as const)('that hears nothing more from its change on (%s) it has an unknown outcome; run again, it is finished', async (fault, lost) => {
    const { truth, old, proxy, keyring } = await badNetwork();
    proxy.at(4, fault).at(5, 'swallow');
    await expect(keyring.rotate('ci', overlap(DAY), { operationId: OP })).rejects.toMatchObject({
      code: 'outcome_unknown',
      hint: expect.stringContaining(`--operation-id ${OP}`),
    });
    const { keyString, retired } = await keyring.rotate('ci', overlap(DAY), { operationId: OP });
    expect(retired.id).toBe(old.key.id);
    expect(await verdicts(truth, old.keyString, keyString)).toEqual(['valid', 'valid']);
    expect((await truth.list({ status: 'active' })).keys).toHaveLength(2);
    expect((await truth.list({ status: 'expired' })).keys).toHaveLength(lost);
    expect((await truth.auditVerify()).problems).toEqual([]);
  });
});

type Verb = 'create' | 'rotate' | 'finish' | 'disable' | 'enable' | 'delete' | 'again';
const VERBS: readonly Verb[] = ['create', 'rotate', 'rotate', 'finish', 'disable', 'enable', 'delete', 'again'];
const NAMES = ['a', 'b'];
const steps = fc.array(
  fc.record({
    verb: fc.constantFrom(...VERBS),
    name: fc.constantFrom(...NAMES),
    hours: fc.integer({ min: 0, max: 30 }),
    life: fc.option(fc.integer({ min: 1, max: 60 }), { nil: null }),
  }),
  { minLength: 6, maxLength: 20 },
);

describe.each(ENGINES)('after any history, on %s', (engine) => {
  test('the audit log verifies, no end was ever moved away, and the links go both ways', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (history) => {
        const { clock, keyring } = await scene(engine);
        const ends = new Map<string, number>();
        let changes = 0;
        for (const [i, { verb, name, hours, life }] of history.entries()) {
          clock.now = new Date(clock.now.getTime() + hours * HOUR);
          const before = await keyring.auditHead();
          try {
            if (verb === 'create')
              await make(keyring, name, {
                expiresAt: life === null ? null : new Date(clock.now.getTime() + life * HOUR),
              });
            else if (verb === 'rotate')
              await keyring.rotate(name, overlap(hours * HOUR), { operationId: `operation-${i}` });
            else if (verb === 'again')
              await keyring.rotate(name, overlap(hours * HOUR), { operationId: `operation-${i - 1}` });
            else if (verb === 'finish') await keyring.finishRotation(name, { force: true });
            else await keyring[verb](name);
          } catch (error) {
            if (!isKeysError(error, 'not_found', 'conflict', 'name_taken', 'ambiguous')) throw error;
            expect(await keyring.auditHead()).toEqual(before);
          }
          const { keys } = await keyring.list();
          for (const { id, expiresAt } of keys) {
            const end = expiresAt?.getTime() ?? Number.POSITIVE_INFINITY;
            expect(end).toBeLessThanOrEqual(ends.get(id) ?? end);
            ends.set(id, end);
          }
          for (const { id, rotatedTo } of keys) {
            const successor = keys.find((key) => key.id === rotatedTo);
            if (successor) expect(successor.rotatedFrom).toBe(id);
          }
          changes += (await keyring.auditHead()).seq - before.seq;
        }
        expect((await keyring.auditVerify()).problems).toEqual([]);
        expect((await keyring.auditHead()).seq).toBe(changes + 1);
      }),
      { numRuns: engine === 'sqld' ? 5 : 20, seed: 20261123 },
    );
  });
});
