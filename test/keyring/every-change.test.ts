import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { newPepper, Peppers } from '../../src/domain/peppers.js';
import { Keyring } from '../../src/keyring/keyring.js';
import { input, make, receiver } from '../support/keyrings.js';
import { BY, type Clock, change, DEFAULT_ENGINE, freshStore, newKey, START, scratch } from '../support/stores.js';

// What a keyring passes on to its store does not depend on the engine.

const OP = 'operation-4711';
const DAY = 86_400_000;
const LATER = new Date(START.getTime() + DAY);
const PEPPER = newPepper();
const peppers = Peppers.parse(PEPPER.line, 'a test');

/** A keyring at `START` whose changes are those of alice, with the key `a`. */
async function scene() {
  const clock: Clock = { now: START };
  const store = await freshStore(DEFAULT_ENGINE);
  const keyring = new Keyring(store, {
    by: () => ({ ...BY, actor: 'alice' }),
    now: () => clock.now,
    hashCost: 4,
    peppers,
  });
  return { clock, store, keyring, ...(await make(keyring, 'a')) };
}

type Scene = Awaited<ReturnType<typeof scene>>;
type Logged = [action: string, op: string, reason: string | null];

/** Each method that changes the store, what has to happen before it, and what it leaves in the log. */
const CHANGES: readonly [
  name: string,
  call: (scene: Scene, operationId: string | undefined) => Promise<unknown>,
  logged: Logged[],
  prepare?: (scene: Scene) => Promise<unknown>,
][] = [
  ['create', ({ keyring }, operationId) => keyring.create([input('new')], { operationId }), [['key.create', OP, null]]],
  [
    'make, of a plan without an id',
    async ({ keyring }, operationId) => keyring.make(await keyring.plan([input('new')]), { operationId }),
    [['key.create', OP, null]],
  ],
  [
    'edit',
    ({ keyring }, operationId) => keyring.edit('a', { description: 'x' }, { operationId }),
    [['key.edit', OP, null]],
  ],
  [
    'disable',
    ({ keyring }, operationId) => keyring.disable('a', { operationId, reason: ' left ' }),
    [['key.disable', OP, 'left']],
  ],
  [
    'enable',
    ({ keyring }, operationId) => keyring.enable('a', { operationId }),
    [['key.enable', OP, null]],
    ({ keyring }) => keyring.disable('a'),
  ],
  [
    'disableLeaked',
    ({ keyring, keyString }, operationId) => keyring.disableLeaked(keyString, { operationId, reason: 'in a chat' }),
    [['key.disable', OP, 'in a chat']],
  ],
  [
    'rotate',
    ({ keyring }, operationId) => keyring.rotate('a', { overlapMs: DAY }, { operationId }),
    [
      ['key.rotate', OP, null],
      ['key.create', `${OP}/1`, null],
    ],
  ],
  [
    'makeRotation, of a plan without an id',
    async ({ keyring }, operationId) =>
      keyring.makeRotation(await keyring.planRotation('a', { overlapMs: DAY }), { operationId }),
    [
      ['key.rotate', OP, null],
      ['key.create', `${OP}/1`, null],
    ],
  ],
  [
    'finishRotation',
    ({ keyring }, operationId) => keyring.finishRotation('a', { operationId, force: true }),
    [['key.expire', OP, null]],
    ({ keyring }) => keyring.rotate('a', { overlapMs: 9 * DAY }),
  ],
  [
    'delete',
    ({ keyring }, operationId) => keyring.delete('a', { operationId, reason: ' left ' }),
    [['key.delete', OP, 'left']],
  ],
  [
    'restore',
    ({ keyring }, operationId) => keyring.restore('a', {}, { operationId }),
    [['key.restore', OP, null]],
    ({ keyring }) => keyring.delete('a'),
  ],
  [
    'purge',
    ({ keyring }, operationId) => keyring.purge('a', { operationId }),
    [['key.purge', OP, null]],
    ({ keyring }) => keyring.delete('a'),
  ],
  [
    'addScope',
    ({ keyring }, operationId) => keyring.addScope('report:read', 'Reports', { operationId }),
    [['scope.add', OP, null]],
  ],
  [
    'retireScope',
    ({ keyring }, operationId) => keyring.retireScope('plan:read', { operationId }),
    [['scope.retire', OP, null]],
  ],
  [
    'setStoreHash',
    ({ keyring }, operationId) => keyring.setStoreHash(`hmac-sha256:${PEPPER.id}`, { operationId }),
    [['store.hash', OP, null]],
  ],
  [
    'setStorePolicy',
    ({ keyring }, operationId) => keyring.setStorePolicy({ keepDeleted: '1d' }, { operationId }),
    [['store.policy', OP, null]],
  ],
];

describe.each(CHANGES)('%s', (_, call, logged, prepare) => {
  test('is in the log under the operation id that was passed, by whom, and when', async () => {
    const all = await scene();
    const { clock, keyring } = all;
    await prepare?.(all);
    const { seq } = await keyring.auditHead();
    clock.now = LATER;
    await call(all, OP);
    const { events } = await keyring.auditAfter({ seq });
    expect(events.map(({ action, op, reason }) => [action, op, reason])).toEqual(logged);
    for (const event of events) expect(event).toMatchObject({ actor: 'alice', osUser: 'ops', at: LATER.toISOString() });
  });

  test('has an operation id of its own where none is passed', async () => {
    const all = await scene();
    await prepare?.(all);
    const { seq } = await all.keyring.auditHead();
    await call(all, undefined);
    const { events } = await all.keyring.auditAfter({ seq });
    expect(events.map(({ action }) => action)).toEqual(logged.map(([action]) => action));
    for (const { op } of events) expect(op).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(\/1)?$/);
  });
});

test('the id of a plan is that of the change, whatever is passed with it', async () => {
  const { keyring } = await scene();
  const plan = await keyring.plan([input('new')], { operationId: OP });
  await keyring.make(plan, { operationId: `${OP}-other` });
  const rotation = await keyring.planRotation('a', { overlapMs: DAY }, { operationId: `${OP}-rotation` });
  await keyring.makeRotation(rotation, { operationId: `${OP}-other` });
  expect((await keyring.operation(OP)).map(({ action }) => action)).toEqual(['key.create']);
  expect((await keyring.operation(`${OP}-rotation`)).map(({ action }) => action)).toEqual(['key.rotate', 'key.create']);
  expect(await keyring.operation(`${OP}-other`)).toEqual([]);
});

test('a restored store says in its log who restored it, when, and under which id', async () => {
  const { clock, keyring } = await scene();
  const file = path.join(scratch(), 'backup.db');
  await keyring.storeBackup(file);
  const location = keyring.location;
  await keyring.close();
  const backup = await receiver(DEFAULT_ENGINE, file, false);
  clock.now = LATER;
  await backup.storeRestore(location, { operationId: OP });
  const restored = await receiver(DEFAULT_ENGINE, location, false);
  expect((await restored.auditList()).at(-1)).toMatchObject({ action: 'store.restore', op: OP, osUser: 'ops' });
});

describe('a key that was looked up', () => {
  const refused = { code: 'conflict', message: expect.stringContaining('meanwhile') };

  test.each<[string, (keyring: Keyring, key: Scene['key'], asSeen: boolean | undefined) => Promise<unknown>]>([
    ['edit', (keyring, key, asSeen) => keyring.edit(key, { description: 'x' }, { asSeen })],
    ['enable', (keyring, key, asSeen) => keyring.enable(key, { asSeen })],
    ['disable', (keyring, key, asSeen) => keyring.disable(key, { asSeen })],
    ['delete', (keyring, key, asSeen) => keyring.delete(key, { asSeen })],
  ])('%s goes by what was seen only where that is asked for', async (name, call) => {
    const { clock, keyring } = await scene();
    if (name === 'enable') await keyring.disable('a');
    const seen = await keyring.show('a');
    clock.now = LATER;
    await keyring.edit('a', { labels: { team: 'x' } });
    const head = await keyring.auditHead();
    await expect(call(keyring, seen, true)).rejects.toMatchObject(refused);
    expect(await keyring.auditHead()).toEqual(head);
    await call(keyring, seen, undefined);
    expect((await keyring.auditHead()).seq).toBe(head.seq + 1);
    const other = (await make(keyring, 'other')).key;
    if (name === 'enable') await keyring.disable(other);
    await call(keyring, await keyring.show('other'), true);
    expect((await keyring.auditList({ keyId: other.id })).at(-1)?.action).toBe(`key.${name}`);
  });

  test('no name stands for it', async () => {
    const { keyring } = await scene();
    for (const call of [
      () => keyring.edit('a', { description: 'x' }, { asSeen: true }),
      () => keyring.enable('a', { asSeen: true }),
      () => keyring.disable('a', { asSeen: true }),
      () => keyring.delete('a', { asSeen: true }),
    ])
      await expect(call()).rejects.toMatchObject({ code: 'usage', message: expect.stringContaining('looked up') });
  });
});

test('a change without a reason has none in the log', async () => {
  const { keyring, key } = await scene();
  await keyring.disable('a');
  await keyring.enable('a');
  await keyring.disable('a', { reason: null });
  await keyring.delete('a');
  const reasons = (await keyring.auditList({ keyId: key.id })).map(({ reason }) => reason);
  expect(reasons).toEqual([null, null, null, null, null]);
});

describe('edit', () => {
  test('sets each field that is given, and no other', async () => {
    const { clock, keyring, key } = await scene();
    clock.now = LATER;
    const end = new Date(LATER.getTime() + 90 * DAY);
    const sooner = new Date(LATER.getTime() + DAY);
    for (const [change, expected] of [
      [{ description: 'kiosk' }, { description: 'kiosk' }],
      [{ rateLimit: '5/s' }, { rateLimit: { limit: 5, windowSeconds: 1 } }],
      [{ labels: { b: '2', a: '1' } }, { labels: { a: '1', b: '2' } }],
      [{ allowFrom: ['10.1.2.3'] }, { allowFrom: ['10.1.2.3/32'] }],
      [{ expires: '90d' }, { expiresAt: end }],
      [{ expiresAt: sooner }, { expiresAt: sooner }],
      [{ name: 'b' }, { name: 'b' }],
      [{ description: null }, { description: null }],
    ] as const) {
      const before = await keyring.show(key.id);
      expect((await keyring.edit(key.id, change)).key).toEqual({ ...before, ...expected, updatedAt: LATER });
      expect((await keyring.auditList({ keyId: key.id })).at(-1)).toMatchObject({
        action: 'key.edit',
        after: expect.objectContaining({ [Object.keys(expected)[0] as string]: expect.toSatisfy(() => true) }),
      });
    }
  });

  test('refuses a name that reads like an id, unless the key has it', async () => {
    const { keyring, store } = await scene();
    await expect(keyring.edit('a', { name: '0123456789ab' })).rejects.toMatchObject({ code: 'usage' });
    await store.create([newKey('abcdefghjkmn', { id: '777777777777' })], change());
    expect((await keyring.edit('777777777777', { name: 'ABCDEFGHJKMN' })).key.name).toBe('ABCDEFGHJKMN');
    await keyring.delete('777777777777');
    await expect(keyring.restore('777777777777', { name: '0123456789ab' })).rejects.toMatchObject({ code: 'usage' });
    expect((await keyring.restore('777777777777', { name: 'abcdefghjkmn' })).name).toBe('abcdefghjkmn');
  });
});

describe('delete', () => {
  test.each([
    [{}, true, false],
    [{ leaked: true }, true, true],
    [{ purge: true }, false, false],
  ])('%j: kept %s, leaked %s', async (options, kept, leaked) => {
    const { keyring } = await scene();
    expect((await keyring.delete('a', options)).keptUntil !== null).toBe(kept);
    expect((await keyring.deletions()).map((each) => each.leaked)).toEqual(kept ? [leaked] : []);
  });
});

describe('restore', () => {
  test('sent again answers the key that it restored, and another key is not taken for it', async () => {
    const { keyring, key } = await scene();
    const { key: other } = await make(keyring, 'b');
    await keyring.delete('a');
    await keyring.delete('b');
    const restored = await keyring.restore('a', { name: 'again' }, { operationId: OP });
    expect(restored).toMatchObject({ id: key.id, name: 'again' });
    for (const ref of [key.id, 'again'])
      expect(await keyring.restore(ref, { name: 'again' }, { operationId: OP })).toEqual(restored);
    await expect(keyring.restore('b', {}, { operationId: OP })).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('already carried out'),
    });
    expect((await keyring.deletions()).map((each) => each.key.id)).toEqual([other.id]);
  });

  test('is not taken for another change under the same id, or one that is derived from it', async () => {
    const { keyring } = await scene();
    const refused = { code: 'conflict', message: expect.stringContaining('is not deleted') };
    await keyring.disable('a', { operationId: OP });
    await expect(keyring.restore('a', {}, { operationId: OP })).rejects.toMatchObject(refused);
    await keyring.delete('a');
    await keyring.restore('a', {}, { operationId: `${OP}.2` });
    await expect(keyring.restore('a', {}, { operationId: OP })).rejects.toMatchObject(refused);
  });

  test('of a key that was deleted again since is done anew only under another id', async () => {
    const { keyring, key } = await scene();
    await keyring.delete('a');
    await keyring.restore('a', {}, { operationId: OP });
    await keyring.disable('a', { operationId: `${OP}-b` });
    await keyring.delete('a');
    for (const operationId of [OP, `${OP}-c`])
      await keyring.restore('a', {}, { operationId }).catch((error) => expect(error.code).toBe('conflict'));
    expect((await keyring.auditList({ action: 'key.restore', keyId: key.id })).map(({ op }) => op)).toEqual([
      OP,
      `${OP}-c`,
    ]);
  });
});

describe('a pepper that is not there', () => {
  test('stops keys from being made, rotated or issued, and the scheme from being chosen', async () => {
    const { keyring, store } = await scene();
    const without = new Keyring(store, { by: () => BY, now: () => START, hashCost: 4 });
    const missing = { code: 'pepper_missing' };
    await expect(without.setStoreHash(`hmac-sha256:${PEPPER.id}`)).rejects.toMatchObject(missing);
    await keyring.setStoreHash(`hmac-sha256:${PEPPER.id}`);
    const { keyString } = await make(keyring, 'peppered');
    await expect(without.plan([input('b')])).rejects.toMatchObject(missing);
    await expect(without.planRotation('a', { overlapMs: 0 })).rejects.toMatchObject(missing);
    await expect(without.issuing()).rejects.toMatchObject(missing);
    await expect(without.verify(keyString)).rejects.toMatchObject(missing);
    await expect(without.proveLeaked(keyString)).rejects.toMatchObject(missing);
    expect((await keyring.verify(keyString)).verdict).toBe('valid');
    expect((await keyring.proveLeaked(keyString)).name).toBe('peppered');
    const verifier = await keyring.verifier({ environment: 'test', markUsed: false });
    expect((await verifier.verify(keyString)).verdict).toBe('valid');
  });
});

describe('a keyring that is told nothing else', () => {
  test('has the clock of the system, random ids, bcrypt of cost 10, and may change live keys', async () => {
    const store = await freshStore(DEFAULT_ENGINE);
    const keyring = new Keyring(store, { by: () => BY });
    const before = Date.now();
    const [one, two] = await keyring.create([input('one', { mode: 'live' }), input('two')]);
    const made = one?.key.createdAt.getTime() ?? 0;
    expect(made).toBeGreaterThanOrEqual(before);
    expect(made).toBeLessThanOrEqual(Date.now());
    expect(one?.key.id).not.toBe(two?.key.id);
    expect((await store.credential(one?.key.id ?? ''))?.hash).toMatch(/^\$2b\$10\$/);
    for (const testOnly of [undefined, false])
      expect(await new Keyring(store, { by: () => BY, testOnly }).disable('one')).toMatchObject({
        key: { id: one?.key.id },
      });
  });
});

describe('for test keys only', () => {
  test('a policy may say how long test keys live, and nothing else', async () => {
    const store = await freshStore(DEFAULT_ENGINE);
    const keyring = new Keyring(store, { by: () => BY, now: () => START, testOnly: true });
    const guarded = {
      code: 'guarded',
      message: expect.stringContaining('policy'),
      hint: expect.stringContaining('profile list'),
    };
    const head = await keyring.auditHead();
    await expect(keyring.setStorePolicy({ maxLifetime: { live: '1d' } })).rejects.toMatchObject(guarded);
    await expect(keyring.setStorePolicy({ maxLifetime: { live: null } })).rejects.toMatchObject(guarded);
    await expect(keyring.setStorePolicy({ keepDeleted: '0' })).rejects.toMatchObject(guarded);
    await expect(keyring.plan([input('new', { mode: 'live' })])).rejects.toMatchObject({
      ...guarded,
      message: expect.stringContaining('"new"'),
    });
    expect(await keyring.auditHead()).toEqual(head);
    expect(await keyring.setStorePolicy({ maxLifetime: { test: '1d' } })).toMatchObject({ changed: true });
    expect((await keyring.storePolicy()).maxLifetime).toEqual({ live: null, test: '1d' });
  });
});
