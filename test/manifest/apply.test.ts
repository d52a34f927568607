import { describe, expect, onTestFinished, test } from 'vitest';
import type { Keyring } from '../../src/keyring/keyring.js';
import { applyPlan } from '../../src/manifest/apply.js';
import { PENDING_LABEL } from '../../src/manifest/manifest.js';
import { another, freshKeyring, make } from '../support/keyrings.js';
import { applied, DAY, HOUR, manifestOf, People, planOf, refused } from '../support/manifests.js';
import { openRaw } from '../support/raw-database.js';
import { DEFAULT_ENGINE, ENGINES, markUsed, START, storeOf } from '../support/stores.js';

describe.each(ENGINES)('on %s', (engine) => {
  test('a manifest is applied, changed, rotated, disabled, enabled and pruned', async () => {
    const clock = { now: START };
    const keyring = await freshKeyring(engine, clock);
    const people = new People();
    const pass = (hours: number) => {
      clock.now = new Date(clock.now.getTime() + hours * HOUR);
    };
    const verdict = async (keyString: string | undefined) => (await keyring.verify(keyString)).verdict;

    const first = manifestOf(
      [
        { name: 'one', mode: 'live', scopes: ['plan:delete', 'checkin:read'], expires: '90d', labels: { team: 'x' } },
        { name: 'two', rateLimit: '10/s', description: 'second' },
      ],
      { scopes: ['plan:delete', { scope: 'report:read', label: 'Reports' }] },
    );
    const made = await applied(keyring, first, clock, people);
    expect(made.map(({ step }) => step.action)).toEqual(['add-scope', 'add-scope', 'create', 'create']);
    const one = await keyring.show('one');
    expect(one).toMatchObject({
      mode: 'live',
      scopes: ['checkin:read', 'plan:delete'],
      labels: { manifest: 'm', team: 'x' },
      expiresAt: new Date(START.getTime() + 90 * DAY),
    });
    expect((await keyring.scopes()).find(({ scope }) => scope === 'report:read')?.categoryLabel).toBe('Reports');
    const given = people.strings.get('one');
    expect([await verdict(given), await verdict(people.strings.get('two'))]).toEqual(['valid', 'valid']);

    pass(1);
    const head = await keyring.auditHead();
    expect(await applied(keyring, first, clock, people)).toEqual([]);
    expect(await keyring.auditHead()).toEqual(head);

    const second = manifestOf([
      { name: 'ONE', mode: 'live', scopes: ['plan:read'], description: 'other', rateLimit: '5/s' },
      { name: 'two', disabled: true },
    ]);
    const done = await applied(keyring, second, clock, people);
    expect(done.map(({ step }) => step.action)).toEqual(['edit', 'rotate', 'disable']);
    const successor = await keyring.show('one');
    expect(successor).toMatchObject({
      name: 'ONE', // the letter case of the manifest
      scopes: ['plan:read'],
      description: 'other',
      rateLimit: { limit: 5, windowSeconds: 1 },
      labels: { manifest: 'm', team: 'x' },
      rotatedFrom: one.id,
    });
    expect(done[1]?.retired).toMatchObject({ id: one.id, expiresAt: new Date(clock.now.getTime() + DAY) });
    expect(await verdict(given)).toBe('valid');
    expect(await verdict(people.strings.get('one'))).toBe('valid');
    expect(await verdict(people.strings.get('two'))).toBe('inactive');
    expect((await planOf(keyring, second, clock.now, { prune: true })).steps).toEqual([]);

    pass(25);
    const third = manifestOf([{ name: 'two', disabled: false }], { scopes: ['checkin:read', 'plan:delete'] });
    const pruned = await applied(keyring, third, clock, people, { prune: true });
    expect(pruned.map(({ step, key }) => [step.action, key?.id ?? ('scope' in step && step.scope)])).toEqual([
      ['enable', (await keyring.show('two')).id],
      ['disable', successor.id],
      ['delete', one.id],
      ['retire-scope', 'checkin:create'],
      ['retire-scope', 'checkin:update'],
      ['retire-scope', 'plan:create'],
      ['retire-scope', 'plan:update'],
      ['retire-scope', 'facility:read'],
      ['retire-scope', 'report:read'],
    ]);
    expect(await verdict(people.strings.get('one'))).toBe('inactive');
    expect(await verdict(people.strings.get('two'))).toBe('valid');
    const again = await applied(keyring, third, clock, people, { prune: true });
    expect(again.map(({ step }) => step.action)).toEqual(['delete']);
    expect((await planOf(keyring, third, clock.now, { prune: true })).steps).toEqual([]);
    expect((await keyring.list()).keys.map(({ name }) => name)).toEqual(['two']);
    expect((await keyring.auditVerify()).problems).toEqual([]);
  });

  const OTHERS: Record<string, (keyring: Keyring, id: string) => Promise<unknown>> = {
    labels: (keyring, id) => keyring.edit(id, { labels: { manifest: 'm', team: 'theirs' } }),
    disables: (keyring, id) => keyring.disable(id),
    rotates: (keyring, id) => keyring.rotate(id, { overlapMs: HOUR }),
    adopts: (keyring, id) => keyring.edit(id, { labels: { manifest: 'other' } }),
  };

  test.each([
    { step: 'edit', entry: { description: 'new' }, other: 'labels' },
    { step: 'edit', entry: { description: 'new' }, other: 'adopts' },
    { step: 'disable', entry: { disabled: true }, other: 'rotates' },
    { step: 'disable', entry: { disabled: true }, other: 'labels' },
    { step: 'rotate', entry: { scopes: ['checkin:read'] }, other: 'disables' },
    { step: 'rotate', entry: { scopes: ['checkin:read'] }, other: 'labels' },
  ])('$step does nothing to a key that somebody else $other between plan and apply', async ({ step, entry, other }) => {
    const clock = { now: START };
    const keyring = await freshKeyring(engine, clock);
    await applied(keyring, manifestOf([{ name: 'one' }]), clock);
    const { id } = await keyring.show('one');
    const plan = await planOf(keyring, manifestOf([{ name: 'one', ...entry }]), clock.now);
    expect(plan.steps.map(({ action }) => action)).toEqual([step]);
    await OTHERS[other]?.(await another(keyring, engine, clock), id);
    const before = await keyring.show(id);
    const run = {
      operationId: `meanwhile-${step}-${other}`,
      overlapMs: HOUR,
      destinationOf: new People().destinationOf,
    };
    await expect(applyPlan(keyring, plan, run)).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('changed meanwhile'),
    });
    expect(await keyring.show(id)).toEqual(before);
  });

  test('two manifests that adopt one key at once: one has it, and the other says so', async () => {
    const clock = { now: START };
    const keyring = await freshKeyring(engine, clock);
    await make(keyring, 'shared');
    const entry = { name: 'shared', scopes: ['checkin:read'] };
    const plans = await Promise.all(
      ['a', 'b'].map((name) => planOf(keyring, manifestOf([entry], { name }), clock.now, { adopt: true })),
    );
    const outcomes = await Promise.allSettled(
      plans.map((plan, i) =>
        applyPlan(keyring, plan, {
          operationId: `adopt-${i}-run`,
          overlapMs: 0,
          destinationOf: new People().destinationOf,
        }),
      ),
    );
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const winner = outcomes.findIndex(({ status }) => status === 'fulfilled');
    expect((await keyring.show('shared')).labels).toEqual({ manifest: ['a', 'b'][winner] });
  });

  test('a run that was killed with a key string in its hands is finished by the next', async () => {
    const keyring = await freshKeyring(engine);
    const clock = { now: START };
    const manifest = manifestOf([{ name: 'one' }, { name: 'two' }, { name: 'three' }]);
    const dead = new People({ at: 'silence', after: 1 });
    void applied(keyring, manifest, clock, dead).catch(() => {});
    await dead.failed;

    const next = await another(keyring, engine);
    expect((await next.list()).keys).toHaveLength(2);
    const lost = await next.show('two');
    expect(lost).toMatchObject({ status: 'active', labels: { manifest: 'm', [PENDING_LABEL]: 'pending' } });

    const people = new People();
    const done = await applied(next, manifest, clock, people);
    expect(done.map(({ step }) => step.action)).toEqual(['create', 'replace']);
    const made = await next.show('two');
    expect(made.id).not.toBe(lost.id);
    expect(made.labels).toEqual({ manifest: 'm' });
    for (const name of ['two', 'three']) expect((await next.verify(people.strings.get(name))).verdict).toBe('valid');
    expect((await refused(next.show(lost.id))).code).toBe('not_found');
    expect((await planOf(next, manifest, clock.now)).steps).toEqual([]);
  });
});

const ENGINE = DEFAULT_ENGINE;

/** Marks a key as used by another process, in the very moment of the call. */
function userOf(keyring: Keyring): (id: string) => void {
  const db = openRaw(keyring.location, ENGINE);
  onTestFinished(() => void db.close());
  const key = (id: string) => `(select seq from api_keys where id = '${id}')`;
  return (id) => db.exec(`update key_usage set last_used_at = ${START.getTime()} where key_seq = ${key(id)}`);
}

describe('a key string that cannot be handed out', () => {
  test('of a new key: it is disabled, the rest is not begun, and the next run makes it anew', async () => {
    const keyring = await freshKeyring(ENGINE);
    const clock = { now: START };
    const manifest = manifestOf([{ name: 'one' }, { name: 'two', description: 'second' }, { name: 'three' }]);
    const error = await refused(applied(keyring, manifest, clock, new People({ at: 'deliver', after: 1 })));
    const lost = await keyring.show('two');
    expect(error.code).toBe('delivery_failed');
    expect(error.message).toBe(
      `the key string of "two" could not be delivered (ENOSPC), so the key was disabled: ${lost.id}`,
    );
    expect(lost.status).toBe('inactive');
    expect((await keyring.list()).keys).toHaveLength(2);

    const people = new People();
    await applied(keyring, manifest, clock, people);
    expect([...people.strings.keys()].sort()).toEqual(['three', 'two']);
    expect(await keyring.show('two')).toMatchObject({ status: 'active', description: 'second' });
    expect((await keyring.verify(people.strings.get('two'))).verdict).toBe('valid');
    expect((await planOf(keyring, manifest, clock.now)).steps).toEqual([]);
  });

  test('of a rotation: the old key works to the end of its overlap, which the error names', async () => {
    const clock = { now: START };
    const keyring = await freshKeyring(ENGINE, clock);
    const first = new People();
    await applied(keyring, manifestOf([{ name: 'one', rateLimit: '7/s' }]), clock, first);
    const old = await keyring.show('one');
    const other = manifestOf([{ name: 'one', scopes: ['plan:create'] }]);
    clock.now = new Date(START.getTime() + HOUR);
    const error = await refused(applied(keyring, other, clock, new People({ at: 'deliver', after: 0 })));
    expect(error.message).toContain(`(${old.id}) works only until 2026-11-24T11:00:00.000Z`);

    const people = new People();
    const done = await applied(keyring, other, clock, people);
    expect(done.map(({ step }) => step.action)).toEqual(['replace']);
    expect(await keyring.show('one')).toMatchObject({ rateLimit: { limit: 7 }, scopes: ['plan:create'] });
    expect((await keyring.verify(first.strings.get('one'))).verdict).toBe('valid');
    expect((await keyring.verify(people.strings.get('one'))).verdict).toBe('valid');
    expect((await keyring.show(old.id)).expiresAt).toEqual(new Date(START.getTime() + DAY + HOUR));
    expect((await planOf(keyring, other, clock.now)).steps).toEqual([]);
  });

  test('where that shows before the key is made, nothing is made', async () => {
    const keyring = await freshKeyring(ENGINE);
    const failing = new People({ at: 'probe', after: 0 });
    const error = await refused(applied(keyring, manifestOf([{ name: 'one' }]), { now: START }, failing));
    expect(error.message).toBe('there is no directory');
    expect((await keyring.list()).keys).toEqual([]);
  });

  test('but was used is one that arrived: the key stays', async () => {
    const clock = { now: START };
    const keyring = await freshKeyring(ENGINE, clock);
    const { key } = await make(keyring, 'one', {
      scopes: ['plan:read'],
      labels: { manifest: 'm', [PENDING_LABEL]: 'pending' },
    });
    await markUsed(storeOf(keyring), [{ id: key.id, at: START }]);
    const done = await applied(keyring, manifestOf([{ name: 'one' }]), clock);
    expect(done.map(({ step }) => step.action)).toEqual(['edit']);
    expect(await keyring.show('one')).toMatchObject({ id: key.id, labels: { manifest: 'm' } });
  });
});

describe('between plan and step', () => {
  test('a key that was enabled or used meanwhile is not deleted', async () => {
    const clock = { now: START };
    const keyring = await freshKeyring(ENGINE, clock);
    const labels = { manifest: 'm' };
    const { key: one } = await make(keyring, 'one', { labels });
    const { key: two } = await make(keyring, 'two', { labels });
    await keyring.disable(one);
    await keyring.disable(two);
    // The first deletion is the moment in which somebody needs the second key.
    const use = userOf(keyring);
    const run = applied(keyring, manifestOf([]), clock, new People(), { prune: true, onDone: () => use(two.id) });
    const error = await refused(run);
    expect(error.code).toBe('conflict');
    expect(error.message).toContain(`(${two.id}) was changed or used meanwhile`);
    expect((await keyring.list()).keys.map(({ id }) => id)).toEqual([two.id]);
  });

  test('a key whose key string turns out to have arrived is not replaced', async () => {
    const clock = { now: START };
    const keyring = await freshKeyring(ENGINE, clock);
    const labels = { manifest: 'm', [PENDING_LABEL]: 'pending' };
    const { key } = await make(keyring, 'two', { scopes: ['plan:read'], labels });
    await make(keyring, 'one', { labels: { manifest: 'm' } });
    const use = userOf(keyring);
    const manifest = manifestOf([{ name: 'one', scopes: ['checkin:read'], description: 'edited' }, { name: 'two' }]);
    const run = applied(keyring, manifest, clock, new People(), { onDone: () => use(key.id) });
    expect((await refused(run)).message).toContain(`(${key.id}) was changed or used after the plan was made`);
    const done = await applied(keyring, manifest, clock);
    expect(done.map(({ step }) => step.action)).toEqual(['edit']);
    expect((await keyring.show('two')).id).toBe(key.id);
  });

  test('a name that was taken meanwhile stops the run, and the next says whose it is', async () => {
    const clock = { now: START };
    const keyring = await freshKeyring(ENGINE, clock);
    const manifest = manifestOf([{ name: 'one' }]);
    const people = {
      destinationOf: () => ({
        probe: async () => {
          await make(keyring, 'One', { scopes: ['plan:read'] });
        },
        deliver() {},
        abandon() {},
      }),
    };
    expect(await refused(applied(keyring, manifest, clock, people))).toMatchObject({
      code: 'name_taken',
      hint: 'it was made after the plan was; run apply again to see what is left to do',
    });
    expect((await refused(planOf(keyring, manifest, clock.now))).message).toContain('and no manifest created it');
  });
});
