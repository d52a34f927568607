import { describe, expect, test } from 'vitest';
import type { ApiKey } from '../../src/domain/api-key.js';
import { assertAlike, nameTaken, sameScopes } from '../../src/keyring/namesakes.js';
import { refusal } from '../support/refusal.js';

const KEY = {
  id: '0123456789ab',
  name: 'a',
  mode: 'test',
  scopes: ['plan:read', 'plan:create'],
  allowFrom: [],
  labels: {},
  lastUsedAt: null,
} as unknown as ApiKey;

test('scopes are the same in any order', () => {
  expect(sameScopes(['a:b', 'c:d'], ['c:d', 'a:b'])).toBe(true);
  expect(sameScopes([], [])).toBe(true);
  for (const other of [['a:b'], ['a:b', 'e:f'], ['a:b', 'c:d', 'e:f'], []])
    expect(sameScopes(['a:b', 'c:d'], other)).toBe(false);
});

describe('a key that is kept in place of a new one', () => {
  test.each([
    { mode: 'test', scopes: ['plan:create', 'plan:read'] },
    { mode: 'test', scopes: ['plan:read', 'plan:create'], allowFrom: [] },
  ] as const)('is what was asked for: %j', (wanted) => {
    expect(() => assertAlike(KEY, wanted)).not.toThrow();
  });

  test('may work from fewer addresses, and not from more', () => {
    const wanted = { mode: 'test', scopes: KEY.scopes, allowFrom: ['10.0.0.0/8'] } as const;
    expect(() => assertAlike({ ...KEY, allowFrom: ['10.1.0.0/16'] }, wanted)).not.toThrow();
    expect(refusal(() => assertAlike(KEY, wanted)).message).toMatch(/differs: it works from any$/);
  });

  test('is refused with all that differs', () => {
    expect(refusal(() => assertAlike(KEY, { mode: 'live', scopes: ['plan:read'] }))).toMatchObject({
      code: 'name_taken',
      message:
        'a key named "a" exists (0123456789ab) and differs: its mode is test; its scopes are plan:read, plan:create',
      hint: expect.stringContaining('--if-exists replace'),
    });
  });
});

test('a name is taken by a key, or by a run that is delivering one', () => {
  const pending = { ...KEY, labels: { 'manifest/delivery': 'pending:x' } };
  expect(nameTaken(KEY)).toMatchObject({ code: 'name_taken', hint: expect.stringContaining('show 0123456789ab') });
  expect(nameTaken(pending)).toMatchObject({ code: 'name_taken', message: expect.stringContaining('another run') });
  for (const other of [
    { ...pending, labels: { ...pending.labels, manifest: 'm' } },
    { ...pending, lastUsedAt: new Date(0) },
  ])
    expect(nameTaken(other).message).not.toContain('another run');
});
