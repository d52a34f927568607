import { describe, expect, test } from 'vitest';
import { type ApiKey, FIELD_DEFAULTS } from '../../src/domain/api-key.js';
import type { CatalogueScope } from '../../src/domain/scopes.js';
import { changesOf } from '../../src/manifest/changes.js';
import { PENDING_LABEL } from '../../src/manifest/manifest.js';
import { type PlanOptions, planManifest } from '../../src/manifest/plan.js';
import { DAY, manifestOf } from '../support/manifests.js';
import { refusal } from '../support/refusal.js';
import { START } from '../support/stores.js';

const OURS = { manifest: 'm' };

const keyOf = (fields: Partial<ApiKey> = {}): ApiKey => ({
  id: '7k2m9xw4q8rs',
  name: 'one',
  description: null,
  mode: 'test',
  scopes: ['plan:read'],
  status: 'active',
  rateLimit: { limit: 600, windowSeconds: 60 },
  expiresAt: null,
  createdAt: START,
  updatedAt: START,
  lastUsedAt: null,
  ...FIELD_DEFAULTS,
  labels: OURS,
  ...fields,
});

const entry = (scope: string, retired = false): CatalogueScope => {
  const [category = '', action = ''] = scope.split(':');
  return { scope, category, categoryLabel: category, action, retired };
};
const CATALOGUE = [entry('plan:read'), entry('plan:create'), entry('plan:old', true)];

function plan(keys: readonly object[], current: readonly ApiKey[], options: Partial<PlanOptions> = {}, more = {}) {
  return planManifest(manifestOf(keys, more), { keys: current, catalogue: CATALOGUE }, { now: START, ...options });
}

const steps = (...args: Parameters<typeof plan>) => plan(...args).steps.map(({ action }) => action);

describe('what cannot be is refused, all at once', () => {
  test('a name that no new key can have; a key of an earlier version keeps it', () => {
    const keys = ['two', '8eqswwaz7d1s', 'unlk_live_8eqswwaz7d1s_…'].map((name) => ({ name }));
    expect(refusal(() => plan(keys, []))).toMatchObject({
      code: 'usage',
      message: expect.stringMatching(
        /name "8eqswwaz7d1s" has the form of a key id.*\n.*name "unlk_live_8eqswwaz7d1s_…" has the form of a masked key string/,
      ),
    });
    expect(steps([{ name: '8eqswwaz7d1s' }], [keyOf({ name: '8eqswwaz7d1s' })])).toEqual([]);
  });

  test.each<[string, object, Partial<ApiKey>, string]>([
    [
      'a key that nobody owns',
      {},
      { labels: {} },
      'a key named "one" exists (7k2m9xw4q8rs), and no manifest created it',
    ],
    [
      'a key of another manifest',
      {},
      { labels: { manifest: 'x' } },
      'key "one" (7k2m9xw4q8rs) belongs to manifest "x"',
    ],
    [
      'another mode',
      { mode: 'live' },
      {},
      'key "one" (7k2m9xw4q8rs) is a test key, and the mode of a key cannot be changed',
    ],
    [
      'other scopes of an inactive key',
      { scopes: ['plan:create'] },
      { status: 'inactive' },
      'is inactive, and its scopes can only change by rotation',
    ],
    [
      'other scopes of a key to be disabled',
      { scopes: ['plan:create'], disabled: true },
      {},
      'is to be disabled, and its scopes can only change by rotation',
    ],
    [
      'another expiry, rotated by hand',
      { expiresAt: '2027-01-01' },
      { rotatedTo: 'abcd' },
      'was already rotated, to abcd',
    ],
  ])('%s is a conflict', (_, wanted, present, message) => {
    const error = refusal(() => plan([{ name: 'one', ...wanted }], [keyOf(present)]));
    expect(error.code).toBe('conflict');
    expect(error.message).toMatch(/^keys\.json:1:\d+: /);
    expect(error.message).toContain(message);
  });

  test.each<[string, object, object, string]>([
    [
      'a scope that is none',
      { scopes: ['plan:raed'] },
      {},
      'scope "plan:raed" is not in the catalogue, did you mean plan:read?',
    ],
    ['a retired scope', { scopes: ['plan:old'] }, {}, 'scope "plan:old" is retired, so no new key can have it'],
    [
      'a retired scope of the catalogue',
      {},
      { scopes: ['plan:old'] },
      'scope "plan:old" is retired, and cannot be added again',
    ],
    ['an expiry that is in the past', { expiresAt: '2026-01-01' }, {}, '2026-01-01T00:00:00.000Z is in the past'],
  ])('%s is usage', (_, wanted, more, message) => {
    const error = refusal(() => plan([{ name: 'one', ...wanted }], [], {}, more));
    expect(error.code).toBe('usage');
    expect(error.message).toContain(message);
  });

  test('of both, every one is named, and it is usage', () => {
    const error = refusal(() =>
      plan([{ name: 'one' }, { name: 'two', scopes: ['a:b', 'plan:old'] }], [keyOf({ labels: {} })]),
    );
    expect(error.code).toBe('usage');
    expect(error.message.split('\n')).toHaveLength(3);
  });

  test('--adopt takes in what nobody owns, and nothing of another manifest', () => {
    const adopted = plan([{ name: 'ONE' }], [keyOf({ labels: { team: 'x' } })], { adopt: true });
    expect(adopted.steps).toMatchObject([{ action: 'edit', adopts: true, patch: { labels: { team: 'x', ...OURS } } }]);
    expect(refusal(() => plan([{ name: 'one' }], [keyOf({ labels: { manifest: 'x' } })], { adopt: true })).code).toBe(
      'conflict',
    );
    const many = Object.fromEntries(Array.from({ length: 31 }, (_, i) => [`l${i}`, '']));
    expect(refusal(() => plan([{ name: 'one' }], [keyOf({ labels: many })], { adopt: true })).message).toContain(
      'too many labels',
    );
  });
});

test('--adopt-from moves keys from the manifest that it names, and from no other', () => {
  const theirs = keyOf({ labels: { manifest: 'x', team: 'a' } });
  const moved = plan([{ name: 'one' }], [theirs], { adoptFrom: 'x' });
  expect(moved.steps).toMatchObject([{ action: 'edit', adopts: true, patch: { labels: { team: 'a', ...OURS } } }]);
  for (const owner of ['y', undefined]) {
    const other = keyOf({ labels: owner === undefined ? {} : { manifest: owner } });
    expect(refusal(() => plan([{ name: 'one' }], [other], { adoptFrom: 'x' })).code).toBe('conflict');
  }
  expect(refusal(() => plan([{ name: 'one' }], [theirs], { adopt: true })).message).toContain('--adopt-from x');
  expect(plan([], [theirs], { adoptFrom: 'x', prune: true }).steps).toEqual([]);
});

test('the note of an expired key leads to no error', () => {
  const past = new Date(START.getTime() - DAY);
  const entry = { name: 'one', expiresAt: past.toISOString() };
  const expired = plan([entry], [keyOf({ expiresAt: past })]);
  expect(expired).toMatchObject({ steps: [], notes: [expect.stringContaining('write a later expiresAt')] });
  const rotatedByHand = plan([entry], [keyOf({ expiresAt: new Date(START.getTime() + DAY) })]);
  expect(rotatedByHand).toMatchObject({ steps: [], notes: [expect.stringContaining('write a later expiresAt')] });
});

describe('what the manifest does not say stays', () => {
  test('in every field', () => {
    const key = keyOf({
      description: 'by hand',
      rateLimit: { limit: 1, windowSeconds: 1 },
      expiresAt: new Date(START.getTime() + DAY),
      labels: { ...OURS, team: 'x' },
      status: 'inactive',
    });
    const { steps: none, notes } = plan([{ name: 'one' }], [key]);
    expect(none).toEqual([]);
    expect(notes).toEqual(['"one" (7k2m9xw4q8rs) is inactive and stays inactive; disabled: false would enable it']);
  });

  test('null and {} say something: a description and labels are taken away', () => {
    const key = keyOf({ description: 'by hand', labels: { ...OURS, team: 'x' } });
    const [step] = plan([{ name: 'one', description: null, labels: {} }], [key]).steps;
    expect(step).toMatchObject({ action: 'edit', patch: { description: null, labels: OURS } });
    expect(step && changesOf(step)).toEqual({
      description: { before: 'by hand', after: null },
      labels: { before: { ...OURS, team: 'x' }, after: OURS },
    });
  });

  test('a key that has expired is said to have, and not made anew', () => {
    const { steps: none, notes } = plan([{ name: 'one', expires: '1d' }], [keyOf({ expiresAt: START })]);
    expect(none).toEqual([]);
    expect(notes.join()).toContain('to renew it, run unlockos-keys rotate 7k2m9xw4q8rs');
  });

  test('a retired scope that a key already holds is no matter', () => {
    expect(steps([{ name: 'one', scopes: ['plan:old'] }], [keyOf({ scopes: ['plan:old'] })])).toEqual([]);
  });
});

describe('expiry', () => {
  test('a duration is from now, of a new key only', () => {
    expect(plan([{ name: 'one', expires: '2d' }], []).steps).toMatchObject([
      { action: 'create', desired: { expiresAt: new Date(START.getTime() + 2 * DAY) } },
    ]);
    expect(steps([{ name: 'one', expires: '2d' }], [keyOf()])).toEqual([]);
  });

  test('another expiresAt is another key', () => {
    const at = new Date('2027-01-31');
    expect(plan([{ name: 'one', expiresAt: '2027-01-31' }], [keyOf()]).steps).toMatchObject([
      { action: 'rotate', expiresAt: at },
    ]);
    expect(steps([{ name: 'one', expiresAt: '2027-01-31' }], [keyOf({ expiresAt: at })])).toEqual([]);
    expect(steps([{ name: 'one', expiresAt: null }], [keyOf({ expiresAt: at })])).toEqual(['rotate']);
    expect(steps([{ name: 'one', expiresAt: 'never' }], [keyOf()])).toEqual([]);
  });

  test('defaults are for new keys of which the manifest says nothing', () => {
    const defaults = { expiresAt: new Date('2028-01-01'), rateLimit: { limit: 9, windowSeconds: 1 } };
    expect(plan([{ name: 'one' }], [], { defaults }).steps).toMatchObject([{ desired: defaults }]);
    expect(plan([{ name: 'one', expires: 'never', rateLimit: '600/m' }], [], { defaults }).steps).toMatchObject([
      { desired: { expiresAt: null, rateLimit: { limit: 600 } } },
    ]);
    expect(steps([{ name: 'one' }], [keyOf()], { defaults })).toEqual([]);
  });
});

describe('a key whose key string was never handed out', () => {
  const pending = { ...OURS, [PENDING_LABEL]: 'pending' };

  test('is made anew with what it had, whatever its status and mode', () => {
    const key = keyOf({ labels: { ...pending, team: 'x' }, status: 'inactive', mode: 'live', description: 'kept' });
    expect(plan([{ name: 'one' }], [key]).steps).toEqual([
      {
        action: 'replace',
        key,
        desired: expect.objectContaining({ mode: 'test', description: 'kept', labels: { ...OURS, team: 'x' } }),
      },
    ]);
  });

  test('is disabled again where it shall be', () => {
    expect(steps([{ name: 'one', disabled: true }], [keyOf({ labels: pending })])).toEqual(['replace', 'disable']);
  });

  test('does not hand its end down when that is in the past', () => {
    const at = new Date(START.getTime() + DAY);
    const wanted = (expiresAt: Date) => plan([{ name: 'one' }], [keyOf({ labels: pending, expiresAt })]).steps[0];
    expect(wanted(at)).toMatchObject({ desired: { expiresAt: at } });
    expect(wanted(START)).toMatchObject({ desired: { expiresAt: null } });
  });
});

describe('pruning', () => {
  const gone = (fields: Partial<ApiKey>) => steps([], [keyOf(fields)], { prune: true });

  test('disables what works, deletes what does not, and leaves the rest', () => {
    expect(gone({})).toEqual(['disable']);
    expect(gone({ status: 'inactive' })).toEqual(['delete']);
    expect(gone({ expiresAt: START })).toEqual(['delete']);
    expect(gone({ labels: {} })).toEqual([]);
    expect(gone({ labels: { manifest: 'x' } })).toEqual([]);
    expect(gone({ rotatedTo: 'abcd', expiresAt: new Date(START.getTime() + 1) })).toEqual([]);
    expect(gone({ rotatedTo: 'abcd', expiresAt: START })).toEqual(['delete']);
    expect(steps([], [keyOf()])).toEqual([]);
  });

  test('retires scopes only where the manifest lists them, and none that its keys hold', () => {
    const retired = (more: object, keys: object[] = []) =>
      plan(keys, [], { prune: true }, more).steps.filter(({ action }) => action === 'retire-scope');
    expect(retired({})).toEqual([]);
    expect(retired({ scopes: ['plan:read'] })).toEqual([{ action: 'retire-scope', scope: 'plan:create' }]);
    expect(retired({ scopes: [] }, [{ name: 'one' }])).toEqual([{ action: 'retire-scope', scope: 'plan:create' }]);
  });
});

test('steps come in a fixed order: what later ones stand on first, what cannot be undone last', () => {
  const others = [
    keyOf({ id: 'a', name: 'two', labels: OURS }),
    keyOf({ id: 'b', name: 'three', status: 'inactive' }),
    keyOf({ id: 'c', name: 'four' }),
    keyOf({ id: 'd', name: 'five', status: 'inactive' }),
    keyOf({ id: 'e', name: 'six' }),
  ];
  expect(
    steps(
      [
        { name: 'six', disabled: true },
        { name: 'two', scopes: ['plan:create'], rateLimit: '1/s' },
        { name: 'one', scopes: ['new:read'] },
        { name: 'three', disabled: false },
      ],
      others,
      { prune: true },
      { scopes: ['new:read', 'plan:create'] },
    ),
  ).toEqual(['add-scope', 'edit', 'enable', 'create', 'rotate', 'disable', 'disable', 'delete']);
});
