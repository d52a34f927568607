import { describe, expect, test } from 'vitest';
import type { AuditEvent } from '../../src/domain/audit-side.js';
import { Keyring } from '../../src/keyring/keyring.js';
import { freshKeyring, input, make } from '../support/keyrings.js';
import { BY, type Clock, DEFAULT_ENGINE, ENGINES, rawDatabase, START, storeOf } from '../support/stores.js';
import { unguarded } from '../support/unguarded.js';

const DAY = 86_400_000;
const at = (ms: number) => new Date(START.getTime() + ms);

async function scene(engine: (typeof ENGINES)[number] = DEFAULT_ENGINE) {
  const clock: Clock = { now: START };
  const keyring = await freshKeyring(engine, clock);
  const { key } = await make(keyring, 'p', {
    mode: 'live',
    scopes: ['checkin:read', 'checkin:create'],
    description: 'kiosk',
    rateLimit: '5/s',
    labels: { team: 'a' },
    expiresAt: at(90 * DAY),
  });
  clock.now = at(30 * DAY);
  return { clock, keyring, key };
}

async function events(keyring: Keyring, keyId: string): Promise<Pick<AuditEvent, 'action' | 'reason'>[]> {
  return (await keyring.auditList({ keyId })).map(({ action, reason }) => ({ action, reason }));
}

describe.each(ENGINES)('create with like, on %s', (engine) => {
  test('takes what is left out from the other key, lives as long, and says what its scopes gain and lose', async () => {
    const { keyring, key } = await scene(engine);
    const wanted = { name: 'q', like: 'p', addScopes: ['plan:read'], dropScopes: ['checkin:create'] };
    const plan = await keyring.plan([wanted]);
    const change = { from: key.id, added: ['plan:read'], dropped: ['checkin:create'] };
    expect(plan.inputs[0]?.scopeChange).toEqual(change);
    const [made] = await keyring.make(plan);
    expect(made).toMatchObject({
      scopeChange: change,
      key: {
        mode: 'live',
        scopes: ['checkin:read', 'plan:read'],
        description: 'kiosk',
        rateLimit: { limit: 5, windowSeconds: 1 },
        labels: { team: 'a' },
        expiresAt: at(120 * DAY),
      },
    });
    expect(await keyring.show('q')).toEqual(made?.key);
    expect(await keyring.show(key.id)).toEqual(key);
    expect(await events(keyring, made?.key.id ?? '')).toEqual([
      { action: 'key.create', reason: `compared with ${key.id}: + plan:read − checkin:create` },
    ]);
    expect((await keyring.auditVerify()).problems).toEqual([]);
  });
});

describe('create with like', () => {
  test('every property that is given counts', async () => {
    const { keyring, key } = await scene();
    const given = { mode: 'test', scopes: ['plan:read'], description: null, expiresAt: null, labels: {} } as const;
    const [made, same] = await keyring.create([
      { name: 'q', like: key, ...given, rateLimit: '7/h' },
      { name: 'r', like: key, expires: '1d' },
    ]);
    expect(made?.key).toMatchObject({ ...given, rateLimit: { limit: 7, windowSeconds: 3600 } });
    expect(same?.key.expiresAt).toEqual(at(31 * DAY));
    expect([same?.scopeChange, (await events(keyring, same?.key.id ?? ''))[0]?.reason]).toEqual([null, null]);
  });

  test('a scope that is retired since is refused, unless it is dropped', async () => {
    const { keyring } = await scene();
    await keyring.retireScope('checkin:create');
    await expect(keyring.create([{ name: 'q', like: 'p', addScopes: ['plan:read'] }])).rejects.toMatchObject({
      code: 'usage',
      hint: 'leave it out: --drop-scope checkin:create',
    });
    const [made] = await keyring.create([{ name: 'q', like: 'p', dropScopes: ['checkin:create'] }]);
    expect(made?.key.scopes).toEqual(['checkin:read']);
  });

  test('a key in an overlap has no lifetime to copy: its successor has, and so has a given one', async () => {
    const { keyring, key } = await scene();
    const { key: successor } = await keyring.rotate(key, { overlapMs: DAY });
    await expect(keyring.create([{ name: 'q', like: key.id }])).rejects.toMatchObject({
      code: 'usage',
      hint: expect.stringContaining(`--like ${successor.id}`),
    });
    const made = await keyring.create([
      { name: 'q', like: key.id, expires: 'never' },
      { name: 'r', like: successor.id },
    ]);
    expect(made.map((each) => each.key.expiresAt)).toEqual([null, at(120 * DAY)]);
  });

  test('the lifetime that is copied ends where the policy of the store says', async () => {
    const { keyring } = await scene();
    await keyring.setStorePolicy({ maxLifetime: { live: '10d' } });
    const [made] = await keyring.create([{ name: 'q', like: 'p' }]);
    expect(made?.key.expiresAt).toEqual(at(40 * DAY));
    await expect(keyring.create([{ name: 'r', like: 'p', expires: '90d' }])).rejects.toMatchObject({ code: 'guarded' });
  });

  test('where only test keys may be made, a live key can be looked at, but not copied as one', async () => {
    const { keyring } = await scene();
    const testOnly = new Keyring(storeOf(keyring), { by: () => BY, now: () => START, hashCost: 4, testOnly: true });
    await expect(testOnly.create([{ name: 'q', like: 'p' }])).rejects.toMatchObject({ code: 'guarded' });
    const [made] = await testOnly.create([{ name: 'q', like: 'p', mode: 'test', addScopes: ['plan:read'] }]);
    expect(made?.key.mode).toBe('test');
    await expect(testOnly.rotate('p', { overlapMs: 0, addScopes: ['plan:read'] })).rejects.toMatchObject({
      code: 'guarded',
    });
  });

  test('what is no like is an original, and names its scopes', async () => {
    const { keyring } = await scene();
    const strange = { ...input('q'), addScopes: ['plan:read'] };
    await expect(keyring.create([strange])).rejects.toMatchObject({ code: 'usage', message: /"addScopes"/ });
    await expect(keyring.create([{ name: 'q', like: undefined as unknown as string }])).rejects.toMatchObject({
      code: 'usage',
      message: /like must be a key id/,
    });
  });
});

describe('rotate with scopes to add and to drop', () => {
  test('the old key keeps its scopes, and both rows of the log say what the new one gains and loses', async () => {
    const { keyring, key } = await scene();
    const request = { overlapMs: DAY, addScopes: ['plan:*'], dropScopes: ['checkin:create'] };
    const { successor } = await keyring.planRotation('p', request);
    const made = await keyring.rotate('p', request);
    const change = {
      from: key.id,
      added: ['plan:read', 'plan:create', 'plan:update'],
      dropped: ['checkin:create'],
    };
    expect([successor.scopeChange, made.scopeChange]).toEqual([change, change]);
    expect(made.key.scopes).toEqual(['checkin:read', 'plan:read', 'plan:create', 'plan:update']);
    expect((await keyring.show(key.id)).scopes).toEqual(key.scopes);
    const reason = `compared with ${key.id}: + plan:read + plan:create + plan:update − checkin:create`;
    expect(await events(keyring, key.id)).toContainEqual({ action: 'key.rotate', reason });
    expect(await events(keyring, made.key.id)).toEqual([{ action: 'key.create', reason }]);
    expect((await keyring.auditVerify()).problems).toEqual([]);
  });

  test('scopes that stay may be retired ones', async () => {
    const { keyring } = await scene();
    await keyring.retireScope('checkin:create');
    const { key } = await keyring.rotate('p', { overlapMs: 0, addScopes: ['plan:read'] });
    expect(key.scopes).toEqual(['checkin:read', 'checkin:create', 'plan:read']);
  });

  test.each([
    ['the same run', 'op-grow-1'],
    ['the same command', undefined],
  ])('%s again, after a delivery that failed, compares with the key that somebody has', async (_, operationId) => {
    const { keyring, key } = await scene();
    const request = { overlapMs: DAY, addScopes: ['plan:read'], dropScopes: ['checkin:create'] };
    const once = async () => {
      const plan = await keyring.planRotation('p', request, { operationId });
      return keyring.makeRotation(plan, { operationId, toDeliver: true });
    };
    const full = { probe() {}, abandon() {}, deliver: () => Promise.reject(new Error('disk full')) };
    await expect(keyring.deliver(full, once, { operationId })).rejects.toMatchObject({ code: 'delivery_failed' });
    const again = await once();
    expect(again.key.scopes).toEqual(['checkin:read', 'plan:read']);
    expect(again.scopeChange).toEqual({ from: key.id, added: ['plan:read'], dropped: ['checkin:create'] });
    expect(again.retired.id).toBe(key.id);
  });

  test('a plan that was put together by hand is checked', async () => {
    const { keyring } = await scene();
    const plan = await keyring.plan([input('q')]);
    const [first] = plan.inputs;
    for (const scopeChange of [{ from: 'x', added: [], dropped: [] }, { from: 'p' }, 'all'])
      await expect(keyring.make({ ...plan, inputs: [{ ...first, scopeChange } as never] })).rejects.toMatchObject({
        code: 'usage',
      });
  });
});

describe('a key that cannot be copied', () => {
  test('because of several scopes names all of them; given scopes are not asked about', async () => {
    const { keyring, key } = await scene();
    await keyring.retireScope('checkin:create');
    await keyring.retireScope('checkin:read');
    await expect(keyring.plan([{ name: 'q', like: 'p' }])).rejects.toMatchObject({
      code: 'usage',
      message: `key "p" (${key.id}) has checkin:read, checkin:create, which are retired: no new key can have them`,
      hint: 'leave them out: --drop-scope checkin:read,checkin:create',
    });
    expect((await keyring.plan([{ name: 'q', like: 'p', scopes: ['plan:read'] }])).inputs).toMatchObject([
      { scopes: ['plan:read'] },
    ]);
  });

  test('because it is damaged is named with what cannot be read', async () => {
    const { keyring, key } = await scene();
    const db = await rawDatabase(keyring.location, DEFAULT_ENGINE);
    await unguarded(db, DEFAULT_ENGINE, "update api_keys set created_at = 'x', rate_limit = 'x'");
    await expect(keyring.plan([{ name: 'q', like: key.id }])).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringMatching(/^key "p" \(\w+\) is damaged: its \w+, \w+ cannot be read$/),
      hint: 'name every property of "q" instead',
    });
  });

  test('because it was rotated says why, and what to do', async () => {
    const { keyring, key } = await scene();
    await keyring.rotate(key, { overlapMs: DAY });
    await expect(keyring.plan([{ name: 'q', like: key.id }])).rejects.toMatchObject({
      message: expect.stringContaining('was rotated: its expiry is the end of its overlap'),
    });
  });
});

test('labels of the tool itself are not copied, and the networks are', async () => {
  const { keyring } = await scene();
  const plan = await keyring.plan([input('left', { labels: { team: 'b' }, allowFrom: ['10.0.0.0/8'] })]);
  await keyring.make(plan, { toDeliver: true });
  const { inputs } = await keyring.plan([
    { name: 'q', like: 'left' },
    { name: 'r', like: 'left', allowFrom: [] },
  ]);
  expect(inputs).toMatchObject([
    { labels: { team: 'b' }, allowFrom: ['10.0.0.0/8'] },
    { labels: { team: 'b' }, allowFrom: [] },
  ]);
  expect(Object.keys(inputs[0]?.labels ?? {})).toEqual(['team']);
});
