import { describe, expect, test } from 'vitest';
import type { ApiKey } from '../../src/domain/api-key.js';
import { UNDELIVERED } from '../../src/domain/change.js';
import { EarlierRun } from '../../src/keyring/earlier-run.js';
import type { Keyring } from '../../src/keyring/keyring.js';
import { auditEvent } from '../support/audit-rows.js';
import { PLAIN_KEY } from '../support/key-rows.js';
import { another, freshKeyring, input, make } from '../support/keyrings.js';
import { refused } from '../support/manifests.js';
import { DEFAULT_ENGINE, ENGINES, freshStore, START } from '../support/stores.js';

const OP = 'provision-ci-4711';
const DAY_MS = 86_400_000;

async function actions(keyring: Keyring, op = OP): Promise<string[]> {
  return (await keyring.operation(op)).map((event) => `${event.op} ${event.action}`);
}

describe.each(ENGINES)('a run that is repeated, on %s', (engine) => {
  test('a create finishes what the first run made and did not hand out: one key, whose key string is known', async () => {
    const keyring = await freshKeyring(engine);
    const [lost] = await keyring.create([input('ci')], { operationId: OP });
    const [made] = await (await another(keyring, engine)).create([input('ci')], { operationId: OP });
    expect(made?.replaced?.id).toBe(lost?.key.id);
    expect((await keyring.list()).keys.map(({ id }) => id)).toEqual([made?.key.id]);
    expect((await keyring.verify(made?.keyString)).verdict).toBe('valid');
    expect((await keyring.verify(lost?.keyString)).verdict).toBe('invalid');
    expect(await actions(keyring)).toEqual([`${OP} key.create`, `${OP}.2 key.delete`, `${OP}.2/1 key.create`]);
    await keyring.create([input('ci')], { operationId: OP });
    expect((await keyring.list()).keys).toHaveLength(1);
    expect((await actions(keyring)).slice(3)).toEqual([`${OP}.3 key.delete`, `${OP}.3/1 key.create`]);
    expect((await keyring.auditVerify()).problems).toEqual([]);
  });

  test('a create replaces a key that was disabled because it could not be handed out', async () => {
    const keyring = await freshKeyring(engine);
    const [lost] = await keyring.create([input('ci')], { operationId: OP });
    await keyring.disable('ci', { reason: UNDELIVERED });
    const [made] = await keyring.create([input('ci')], { operationId: OP });
    expect(made?.replaced?.id).toBe(lost?.key.id);
    expect((await keyring.verify(made?.keyString)).verdict).toBe('valid');
  });

  test('of several keys likewise, whatever their order', async () => {
    const keyring = await freshKeyring(engine);
    await make(keyring, 'other');
    const [a, b] = [input('a', { scopes: ['plan:read'] }), input('b')];
    const first = await keyring.create([a, b], { operationId: OP });
    const second = await keyring.create([b, a], { operationId: OP });
    expect(second.map(({ key }) => key.name)).toEqual(['b', 'a']);
    expect(second.map(({ replaced }) => replaced?.id)).toEqual([first[1]?.key.id, first[0]?.key.id]);
    expect((await keyring.list()).keys.map(({ name }) => name).sort()).toEqual(['a', 'b', 'other']);
  });

  test.each<
    [string, string, (keyring: Keyring, clock: { now: Date }) => Promise<unknown>, Parameters<typeof input>[1]?]
  >([
    ['is a day old', 'more than a day old', async (_, clock) => (clock.now = new Date(START.getTime() + DAY_MS + 1))],
    ['was deleted since', 'deleted or renamed since', (keyring) => keyring.delete('ci')],
    ['was renamed since', 'deleted or renamed since', (keyring) => keyring.edit('ci', { name: 'renamed' })],
    ['was disabled by somebody', 'has been disabled', (keyring) => keyring.disable('ci', { reason: 'leaked' })],
    ['was asked for with other scopes', 'created "ci"', async () => {}, { scopes: ['plan:read'] }],
    ['was asked for in another mode', 'created "ci"', async () => {}, { mode: 'live' }],
  ])('a key that %s is not replaced, and nothing is made', async (_, says, happen, more) => {
    const clock = { now: START };
    const keyring = await freshKeyring(engine, clock);
    const [made] = await keyring.create([input('ci')], { operationId: OP });
    await happen(keyring, clock);
    const head = await keyring.auditHead();
    await expect(keyring.create([input('ci', more)], { operationId: OP })).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringMatching(new RegExp(`operation ${OP} was already carried out: .*${says}`)),
      hint: expect.stringContaining('leave --operation-id out'),
    });
    expect(await keyring.auditHead()).toEqual(head);
    expect((await keyring.verify(made?.keyString)).verdict).not.toBe('wrong_environment');
  });

  test('two runs of one operation at once end with one key, whose key string somebody has', async () => {
    const keyring = await freshKeyring(engine);
    const other = await another(keyring, engine);
    const runs = await Promise.allSettled(
      [keyring, other].map((each) => each.create([input('ci')], { operationId: OP })),
    );
    const [key, ...more] = (await keyring.list()).keys;
    expect(more).toEqual([]);
    const keyStrings = runs.flatMap((run) => (run.status === 'fulfilled' ? [run.value[0]?.keyString] : []));
    const verdicts = await Promise.all(keyStrings.map((each) => keyring.verify(each)));
    expect(verdicts.filter(({ verdict }) => verdict === 'valid')).toEqual([{ verdict: 'valid', key }]);
  });

  test.each<[string, (keyring: Keyring) => Promise<unknown>, (keyring: Keyring) => Promise<unknown>]>([
    ['disable', (k) => k.disable('ci', { operationId: OP }), (k) => k.enable('ci')],
    ['enable', (k) => k.enable('off', { operationId: OP }), (k) => k.disable('off')],
    [
      'edit',
      (k) => k.edit('ci', { description: 'mine' }, { operationId: OP }),
      (k) => k.edit('ci', { description: 'theirs' }),
    ],
  ])('%s is not done a second time, over what somebody did since', async (_, change, undo) => {
    const keyring = await freshKeyring(engine);
    await make(keyring, 'ci');
    await make(keyring, 'off');
    await keyring.disable('off');
    expect(await change(keyring)).toMatchObject({ changed: true });
    await undo(keyring);
    const { keys } = await keyring.list();
    expect(await change(keyring)).toMatchObject({ changed: false });
    expect((await keyring.list()).keys).toEqual(keys);
  });

  test('a change of the catalogue likewise', async () => {
    const keyring = await freshKeyring(engine);
    const added = await keyring.addScope('report:read', 'Reports', { operationId: OP });
    expect(await keyring.addScope('report:read', 'Reports', { operationId: OP })).toEqual(added);
    await keyring.retireScope('report:read', { operationId: `${OP}-b` });
    expect(await keyring.retireScope('report:read', { operationId: `${OP}-b` })).toMatchObject({ changed: false });
    await expect(keyring.addScope('report:list', 'Reports', { operationId: OP })).rejects.toMatchObject({
      code: 'conflict',
    });
  });

  test('one operation id for two different changes is a conflict', async () => {
    const keyring = await freshKeyring(engine);
    await make(keyring, 'a');
    await make(keyring, 'b');
    await keyring.disable('a', { operationId: OP });
    const head = await keyring.auditHead();
    for (const change of [
      () => keyring.disable('b', { operationId: OP }),
      () => keyring.enable('a', { operationId: OP }),
      () => keyring.edit('a', { name: 'x' }, { operationId: OP }),
      () => keyring.delete('a', { operationId: OP }),
      () => keyring.create([input('c')], { operationId: OP }),
      () => keyring.addScope('report:read', undefined, { operationId: OP }),
    ])
      await expect(change()).rejects.toMatchObject({ code: 'conflict' });
    expect(await keyring.auditHead()).toEqual(head);
  });

  test('a malformed operation id is refused before anything is done', async () => {
    const keyring = await freshKeyring(engine);
    await make(keyring, 'a');
    await expect(keyring.disable('a', { operationId: 'x' })).rejects.toMatchObject({ code: 'usage' });
    await expect(keyring.create([input('b')], { operationId: 'a b c d e f' })).rejects.toMatchObject({ code: 'usage' });
  });
});

describe.each(ENGINES)('a name that exists, on %s', (engine) => {
  test('fail is the default', async () => {
    const keyring = await freshKeyring(engine);
    await make(keyring, 'ci');
    await expect(keyring.create([input('CI')])).rejects.toMatchObject({ code: 'name_taken' });
  });

  test('skip keeps it, makes the others, and hands out no key string for it', async () => {
    const keyring = await freshKeyring(engine);
    const { key } = await make(keyring, 'ci');
    const made = await keyring.create([input('new'), input('CI')], { ifExists: 'skip' });
    expect(made.map((each) => [each.key.name, each.keyString === null])).toEqual([
      ['new', false],
      ['ci', true],
    ]);
    expect(await keyring.show('ci')).toEqual(key);
    const head = await keyring.auditHead();
    expect(await keyring.create([input('ci')], { ifExists: 'skip' })).toEqual([
      { key, keyString: null, replaced: null, scopeChange: null },
    ]);
    expect(await keyring.auditHead()).toEqual(head);
  });

  test.each([
    { mode: 'live' as const },
    { scopes: ['plan:read'] },
    { scopes: ['checkin:read', 'plan:read'] },
  ])('skip refuses a key that is another: %j', async (more) => {
    const keyring = await freshKeyring(engine);
    await make(keyring, 'ci');
    await expect(keyring.create([input('ci', more)], { ifExists: 'skip' })).rejects.toMatchObject({
      code: 'name_taken',
    });
  });

  test('rotate puts a new key in its place, in one write', async () => {
    const keyring = await freshKeyring(engine);
    const old = await make(keyring, 'ci');
    const { seq } = await keyring.auditHead();
    const [made] = await keyring.create([input('ci', { scopes: ['plan:read'] })], { ifExists: 'replace' });
    expect(made?.replaced).toEqual(old.key);
    expect((await keyring.verify(old.keyString)).verdict).toBe('invalid');
    expect((await keyring.verify(made?.keyString)).verdict).toBe('valid');
    expect((await keyring.auditHead()).seq).toBe(seq + 2);
    expect((await keyring.auditVerify()).problems).toEqual([]);
  });

  test.each(['skip', 'replace'] as const)('%s, by four at once, leaves one key', async (ifExists) => {
    const keyring = await freshKeyring(engine);
    const all = [keyring, ...(await Promise.all([1, 2, 3].map(() => another(keyring, engine))))];
    const runs = await Promise.allSettled(all.map((each) => each.create([input('ci')], { ifExists })));
    const [key, ...more] = (await keyring.list()).keys;
    expect(more).toEqual([]);
    const keyStrings = runs.flatMap((run) => (run.status === 'fulfilled' ? [run.value[0]?.keyString] : []));
    const verdicts = await Promise.all(keyStrings.filter((each) => each !== null).map((each) => keyring.verify(each)));
    expect(verdicts.filter(({ verdict }) => verdict === 'valid')).toEqual([{ verdict: 'valid', key }]);
    for (const run of runs)
      if (run.status === 'rejected')
        expect(run.reason).toMatchObject({ code: expect.stringMatching(/conflict|name_taken/) });
    expect((await keyring.auditVerify()).problems).toEqual([]);
  });
});

describe('what an earlier run did', () => {
  const event = (op: string, action: 'key.create' | 'key.delete' | 'key.rotate' | 'key.edit', keyId: string) => ({
    ...auditEvent({ action, keyId, keyName: 'ci' }),
    seq: 1,
    op,
  });
  const [a, b] = ['000000000000', '111111111111'] as const;

  test('is looked for under an id that was given', () => {
    const events = [event(OP, 'key.create', a)];
    expect(EarlierRun.find(undefined, events, 'x')).toBeNull();
    expect(EarlierRun.find(OP, [], 'x')).toBeNull();
    expect(EarlierRun.find(OP, events, 'x')).toBeInstanceOf(EarlierRun);
  });

  test('is one run for each id, however many rows it left', () => {
    const runs = (...ops: string[]) =>
      new EarlierRun(
        OP,
        ops.map((op) => event(op, 'key.create', a)),
        'x',
      ).nextId;
    expect(runs(OP)).toBe(`${OP}.2`);
    expect(runs(OP, `${OP}/1`, `${OP}/12`)).toBe(`${OP}.2`);
    expect(runs(OP, `${OP}/1`, `${OP}.2`, `${OP}.2/1`)).toBe(`${OP}.3`);
  });

  test('is the keys that it made and did not delete again, and the key that it rotated first', () => {
    const events = [
      event(OP, 'key.rotate', b),
      event(`${OP}/1`, 'key.create', a),
      event(`${OP}.2`, 'key.delete', a),
      event(`${OP}.2/1`, 'key.create', b),
      event(`${OP}.3`, 'key.rotate', a),
    ];
    const run = new EarlierRun(OP, events, 'x');
    expect(run.created.map(({ keyId }) => keyId)).toEqual([b]);
    expect(run.rotated).toBe(events[0]);
    expect(new EarlierRun(OP, events.slice(1, 4), 'x').rotated).toBeUndefined();
    expect([a, 'zzzzzzzzzzzz'].map((id) => run.concerns({ ...PLAIN_KEY, id }))).toEqual([true, false]);
  });

  test('is refused with what it was, and how to begin anew', () => {
    expect(new EarlierRun(OP, [event(OP, 'key.edit', a)], 'leave it out').refusal()).toMatchObject({
      code: 'conflict',
      message: `operation ${OP} was already carried out: it did key.edit`,
      hint: 'leave it out; unlockos-keys audit list shows what was done',
    });
  });

  test('made a key that nobody can have only while the key is as it was made', async () => {
    const store = await freshStore(DEFAULT_ENGINE);
    const run = new EarlierRun(OP, [event(OP, 'key.create', a)], 'x');
    const key = { ...PLAIN_KEY, id: a, name: 'ci', createdAt: START };
    const asked = (more: Partial<ApiKey>, later = 0) =>
      run.assertNotHandedOut(store, { ...key, ...more }, 'ci', new Date(START.getTime() + later));
    await asked({});
    await asked({}, DAY_MS);
    for (const [more, later, says] of [
      [{ lastUsedAt: START }, 0, 'is in use'],
      [{ rotatedTo: b }, 0, `has been rotated since, to ${b}`],
      [{ name: 'CI' }, 0, 'has been renamed since'],
      [{}, DAY_MS + 1, 'is more than a day old'],
      [{ status: 'inactive' }, 0, 'has been disabled since'],
    ] as const)
      expect((await refused(asked(more, later))).message).toBe(
        `operation ${OP} was already carried out: its key ${a} ${says}`,
      );
  });
});
