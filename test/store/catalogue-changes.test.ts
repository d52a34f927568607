import { describe, expect, test } from 'vitest';
import { DEFAULT_POLICY, settingsOf } from '../../src/domain/policy.js';
import type { CatalogueScope } from '../../src/domain/scopes.js';
import {
  lastPosition,
  planAddScope,
  planHashScheme,
  planPolicy,
  planRetireScope,
  settingWrites,
} from '../../src/store/catalogue-changes.js';
import { refusal } from '../support/refusal.js';

const entry = (scope: string, categoryLabel: string, retired = false): CatalogueScope => {
  const [category = '', action = ''] = scope.split(':');
  return { scope, category, categoryLabel, action, retired };
};
const KNOWN = [entry('plan:read', 'Plans'), entry('plan:purge', 'Plans', true)];
const corrupt = (what: string) =>
  expect.objectContaining({
    code: 'store_corrupt',
    message: `the change of ${what} was written but cannot be read back`,
  });
const unread = (plan: { readBack?: { check(rows: never[]): void } | undefined }, rows: unknown) =>
  refusal(() => plan.readBack?.check(rows as never[]));
const isRead = (plan: { readBack?: { check(rows: never[]): void } | undefined }, rows: unknown) =>
  expect(() => plan.readBack?.check(rows as never[])).not.toThrow();

/** Scopes as the database answers them. */
const rowsOf = (scopes: readonly CatalogueScope[]) =>
  scopes.map(({ scope, category, categoryLabel, action, retired }, i) => [
    scope,
    category,
    categoryLabel,
    action,
    retired ? 1 : 0,
    i + 1,
  ]);

describe('the hash scheme', () => {
  test('is not set again', () => {
    expect(planHashScheme('bcrypt', 'bcrypt')).toEqual({
      writes: [],
      drafts: [],
      result: { scheme: 'bcrypt', changed: false },
    });
  });

  test('is set with what it was in the log, and read back', () => {
    const plan = planHashScheme('hmac-sha256:0123abcd', 'bcrypt');
    expect(plan.result).toEqual({ scheme: 'hmac-sha256:0123abcd', changed: true });
    expect(plan.drafts).toMatchObject([
      { action: 'store.hash', keyId: null, before: { scheme: 'bcrypt' }, after: { scheme: 'hmac-sha256:0123abcd' } },
    ]);
    expect(plan.writes).toMatchObject([{ rows: 1, params: expect.arrayContaining(['hmac-sha256:0123abcd']) }]);
    expect(plan.readBack?.statements).toHaveLength(1);
    isRead(plan, [[['hmac-sha256:0123abcd']]]);
    for (const rows of [[[['bcrypt']]], [[]], []]) expect(unread(plan, rows)).toEqual(corrupt('the hash scheme'));
  });
});

describe('the policy', () => {
  const settings = settingsOf(DEFAULT_POLICY);

  test('is not set again', () => {
    for (const input of [{}, { keepDeleted: '7d' }, { maxLifetime: { live: null } }])
      expect(planPolicy(input, settings)).toEqual({
        writes: [],
        drafts: [],
        result: { policy: DEFAULT_POLICY, changed: false },
      });
  });

  test('is written where it differs, with both sides in the log, and read back', () => {
    const plan = planPolicy({ maxLifetime: { live: '90d' } }, settings);
    const policy = { ...DEFAULT_POLICY, maxLifetime: { live: '90d', test: null } };
    expect(plan.result).toEqual({ policy, changed: true });
    expect(plan.writes).toHaveLength(1);
    expect(plan.drafts).toMatchObject([
      { action: 'store.policy', before: { 'max-lifetime-live': null }, after: { 'max-lifetime-live': '90d' } },
    ]);
    expect(plan.readBack?.statements).toHaveLength(1);
    isRead(plan, [[['max-lifetime-live', '90d']]]);
    for (const rows of [[[['max-lifetime-live', '91d']]], [[]], []])
      expect(unread(plan, rows)).toEqual(corrupt('the policy'));
  });

  test('is a setting each: set, changed, removed, or left', () => {
    const writes = settingWrites({ a: '1', b: '2', c: null, d: '4' }, { a: '1', b: '3', c: '5', d: null });
    expect(writes.map(({ sql, params, rows }) => [sql.split(' ')[0], params, rows])).toEqual([
      ['insert', expect.arrayContaining(['b', '3']), 1],
      ['insert', expect.arrayContaining(['c', '5']), 1],
      ['delete', ['d'], 1],
    ]);
  });
});

describe('a new scope', () => {
  test('comes last, with the label of its category, the one given, or the name of the category', () => {
    expect(lastPosition(rowsOf(KNOWN))).toBe(2);
    expect(lastPosition([...rowsOf(KNOWN)].reverse())).toBe(2);
    expect(lastPosition([])).toBe(0);
    for (const [scope, given, label] of [
      ['plan:list', 'Other', 'Plans'],
      ['gym:open', 'Gyms', 'Gyms'],
      ['gym:open', null, 'gym'],
    ] as const) {
      const plan = planAddScope(scope, given, KNOWN, 2);
      expect(plan.result).toEqual(entry(scope, label));
      expect(plan.writes).toMatchObject([{ rows: 1, params: expect.arrayContaining([3, scope, label]) }]);
      expect(plan.drafts).toMatchObject([
        { action: 'scope.add', before: null, after: { scope, categoryLabel: label } },
      ]);
      isRead(plan, [rowsOf([...KNOWN, entry(scope, label)])]);
      for (const rows of [[rowsOf(KNOWN)], [rowsOf([entry(scope, label, true)])], []])
        expect(unread(plan, rows)).toEqual(corrupt(`scope ${scope}`));
    }
  });

  test('is not one that is there, retired or not', () => {
    for (const scope of ['plan:read', 'plan:purge'])
      expect(refusal(() => planAddScope(scope, null, KNOWN, 2)).code).toBe('conflict');
  });
});

describe('retiring a scope', () => {
  test('is written once, and read back', () => {
    const plan = planRetireScope('plan:read', KNOWN);
    expect(plan.result).toEqual({ scope: entry('plan:read', 'Plans', true), changed: true });
    expect(plan.writes).toMatchObject([{ rows: 1, params: expect.arrayContaining(['plan:read']) }]);
    expect(plan.drafts).toMatchObject([
      {
        action: 'scope.retire',
        before: { scope: 'plan:read', retired: false },
        after: { scope: 'plan:read', retired: true },
      },
    ]);
    isRead(plan, [rowsOf([entry('plan:read', 'Plans', true)])]);
    expect(unread(plan, [rowsOf(KNOWN)])).toEqual(corrupt('scope plan:read'));
    expect(planRetireScope('plan:purge', KNOWN)).toEqual({
      writes: [],
      drafts: [],
      result: { scope: KNOWN[1], changed: false },
    });
  });

  test('is refused for one that is not there', () => {
    expect(refusal(() => planRetireScope('plan:x', KNOWN)).code).toBe('not_found');
  });
});
