import { describe, expect, test } from 'vitest';
import {
  assertLifetime,
  changedPolicy,
  DEFAULT_POLICY,
  keepDeletedIn,
  keepMs,
  lastExpiry,
  lifetimeProblem,
  POLICY_SETTINGS,
  policyFrom,
  settingsOf,
  withinLifetime,
} from '../../src/domain/policy.js';
import { refusal } from '../support/refusal.js';

const NOW = new Date('2026-11-23T10:00:00.000Z');
const DAY = 86_400_000;
const later = (ms: number) => new Date(NOW.getTime() + ms);
const LIMITED = policyFrom({ 'max-lifetime-live': '90d', 'max-lifetime-test': '1h', 'keep-deleted': '4w' });

describe('settings and policy', () => {
  test('a policy comes back from its settings, which hold a text for all that is not the default', () => {
    expect(Object.keys(settingsOf(LIMITED)).sort()).toEqual([...POLICY_SETTINGS].sort());
    expect(policyFrom(settingsOf(LIMITED))).toEqual({ maxLifetime: { live: '90d', test: '1h' }, keepDeleted: '4w' });
    expect(settingsOf(DEFAULT_POLICY)).toEqual({
      'max-lifetime-live': null,
      'max-lifetime-test': null,
      'keep-deleted': null,
    });
  });

  test.each([{}, { 'max-lifetime-live': null, 'keep-deleted': null }])('%j is the default', (settings) => {
    expect(policyFrom(settings)).toEqual({ maxLifetime: { live: null, test: null }, keepDeleted: '7d' });
  });

  test('only deleted keys can be kept for no time at all', () => {
    expect(policyFrom({ 'keep-deleted': '0' }).keepDeleted).toBe('0');
    expect(() => policyFrom({ 'max-lifetime-test': '0' })).toThrow('max-lifetime-test');
  });

  test.each([
    [['max-lifetime-live'], '--max-lifetime TIME --mode live'],
    [['max-lifetime-test'], '--max-lifetime TIME --mode test'],
    [['max-lifetime-live', 'max-lifetime-test'], '--max-lifetime TIME'],
    [['keep-deleted'], '--keep-deleted TIME'],
    [['max-lifetime-test', 'keep-deleted'], '--max-lifetime TIME --mode test --keep-deleted TIME'],
    [['max-lifetime-live', 'max-lifetime-test', 'keep-deleted'], '--max-lifetime TIME --keep-deleted TIME'],
  ])('with %j damaged, the hint is one command that mends all of it', (damaged, flags) => {
    const settings = Object.fromEntries(damaged.map((name) => [name, 'x']));
    const error = refusal(() => policyFrom(settings));
    expect(error).toMatchObject({ code: 'store_corrupt', message: expect.stringContaining(damaged.join(', ')) });
    expect(error.hint).toMatch(new RegExp(`unlockos-keys store policy ${flags}$`));
  });

  test.each([
    [{ 'keep-deleted': '30d' }, '30d'],
    [{ 'keep-deleted': '0' }, '0'],
    [{ 'keep-deleted': 'x' }, '7d'],
    [{ 'keep-deleted': null }, '7d'],
    [{ 'max-lifetime-live': 'x' }, '7d'],
  ])('%j keeps deleted keys for %s: damage stops no deletion', (settings, kept) => {
    expect(keepDeletedIn(settings)).toBe(kept);
  });
});

describe('a change of the policy', () => {
  const settings = settingsOf(LIMITED);

  test.each([
    [{}, { live: '90d', test: '1h' }, '4w'],
    [{ maxLifetime: {} }, { live: '90d', test: '1h' }, '4w'],
    [{ maxLifetime: { live: '10d' } }, { live: '10d', test: '1h' }, '4w'],
    [{ maxLifetime: { test: null } }, { live: '90d', test: null }, '4w'],
    [{ keepDeleted: '0' }, { live: '90d', test: '1h' }, '0'],
    [{ keepDeleted: '365d' }, { live: '90d', test: '1h' }, '365d'],
  ])('%j leaves the rest as it is', (input, maxLifetime, keepDeleted) => {
    expect(changedPolicy(settings, input)).toEqual({ maxLifetime, keepDeleted });
  });

  test.each([
    [{ maxLifetime: { live: 'x' } }, 'life "x" is not a duration'],
    [{ maxLifetime: { test: '' } }, '"" is not a duration'],
    [{ keepDeleted: 'x' }, 'keep deleted keys "x" is not a duration'],
    [{ keepDeleted: '366d' }, 'not for 366d'],
    [{ keepDeleted: '8761h' }, 'not for 8761h'],
  ])('%j is refused', (input, message) => {
    expect(refusal(() => changedPolicy(settings, input))).toMatchObject({
      code: 'usage',
      message: expect.stringContaining(message),
      hint: expect.stringMatching(/./),
    });
  });

  test('a damaged setting is mended by a new value for it, and by nothing else', () => {
    const damaged = { ...settings, 'max-lifetime-live': 'x' };
    expect(changedPolicy(damaged, { maxLifetime: { live: '5d' } }).maxLifetime).toEqual({ live: '5d', test: '1h' });
    expect(refusal(() => changedPolicy(damaged, { keepDeleted: '1d' })).code).toBe('store_corrupt');
  });
});

test.each([
  ['0', 0],
  ['7d', 7 * DAY],
  ['12h', DAY / 2],
  ['x', 0],
])('deleted keys are kept for %s: %s ms', (text, ms) => {
  expect(keepMs(text)).toBe(ms);
});

describe('the life of a new key', () => {
  test('ends with that of its mode, or earlier', () => {
    expect(lastExpiry(LIMITED, 'live', NOW)).toEqual(later(90 * DAY));
    expect(lastExpiry(LIMITED, 'test', NOW)).toEqual(later(DAY / 24));
    expect(lastExpiry(DEFAULT_POLICY, 'live', NOW)).toBeNull();
    for (const given of [null, later(90 * DAY + 1)])
      expect(withinLifetime(LIMITED, 'live', given, NOW)).toEqual(later(90 * DAY));
    for (const given of [later(90 * DAY), later(1)]) expect(withinLifetime(LIMITED, 'live', given, NOW)).toBe(given);
    for (const given of [null, later(1)]) expect(withinLifetime(DEFAULT_POLICY, 'test', given, NOW)).toBe(given);
  });

  test.each([
    [null, 'would never expire'],
    [later(90 * DAY + 1), 'would live until 2027-02-21T10:00:00.001Z'],
  ])('that may not end at %s is a problem that names both', (given, what) => {
    const problem = lifetimeProblem(LIMITED, 'live', given, NOW);
    expect(problem).toContain(what);
    expect(problem).toContain('new live keys live 90d at most');
    expect(refusal(() => assertLifetime(LIMITED, { name: 'a', mode: 'live', expiresAt: given }, NOW))).toMatchObject({
      code: 'guarded',
      message: expect.stringContaining(`"a" ${problem}`),
      hint: expect.stringContaining('--expires 90d'),
    });
  });

  test.each([later(90 * DAY), later(1)])('that ends at %s is none', (expiresAt) => {
    expect(lifetimeProblem(LIMITED, 'live', expiresAt, NOW)).toBeNull();
    expect(() => assertLifetime(LIMITED, { name: 'a', mode: 'live', expiresAt }, NOW)).not.toThrow();
    for (const any of [expiresAt, null]) expect(lifetimeProblem(DEFAULT_POLICY, 'live', any, NOW)).toBeNull();
  });
});
