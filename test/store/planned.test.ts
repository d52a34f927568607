import { describe, expect, test } from 'vitest';
import type { ApiKey } from '../../src/domain/api-key.js';
import { keyState } from '../../src/domain/audit.js';
import type { Credential } from '../../src/domain/credential.js';
import { credentialDigest } from '../../src/domain/secret-hash.js';
import {
  assertUnchanged,
  auditState,
  changedKey,
  noChange,
  readBackAll,
  readBackKey,
} from '../../src/store/planned.js';
import { credentialRowOf, credentialWith, PLAIN_KEY } from '../support/key-rows.js';
import { refusal } from '../support/refusal.js';

const AT = new Date('2026-11-23T10:00:00.000Z');
const KEY: ApiKey = { ...PLAIN_KEY, expiresAt: AT };
const FOUND = credentialWith(KEY);
const later = new Date(AT.getTime() + 1);

describe('a key in the audit log', () => {
  test('is its state and a fingerprint of its hash', () => {
    expect(auditState(FOUND)).toEqual(keyState(KEY, credentialDigest(FOUND.hash, FOUND.guard)));
  });

  test('has null for what cannot be read, of what the log holds', () => {
    const damaged = { ...KEY, damaged: ['name', 'updatedAt', 'scopes'] as const };
    expect(auditState({ ...FOUND, key: damaged })).toEqual({ ...auditState(FOUND), name: null, scopes: null });
  });
});

test('a damaged field that gets a value is no longer damaged', () => {
  const damaged: ApiKey = { ...KEY, damaged: ['name', 'scopes'] };
  expect(changedKey(KEY, { name: 'b' })).toEqual({ ...KEY, name: 'b' });
  expect(changedKey(damaged, { status: 'inactive' })).toEqual({ ...damaged, status: 'inactive' });
  expect(changedKey(damaged, { name: 'b' })).toEqual({ ...KEY, name: 'b', damaged: ['scopes'] });
  expect(changedKey(damaged, { name: 'b', scopes: [] })).toEqual({ ...KEY, name: 'b', scopes: [] });
});

test('a change that changes nothing writes nothing', () => {
  expect(noChange(5)).toEqual({ writes: [], drafts: [], result: 5 });
});

describe('a key is as it was seen', () => {
  test.each<[string, Partial<ApiKey>]>([
    ['when it was used', { lastUsedAt: AT }],
    ['in another object', { scopes: ['plan:read'], expiresAt: new Date(AT) }],
  ])('%s', (_what, change) => {
    expect(() => assertUnchanged({ ...KEY, ...change }, KEY)).not.toThrow();
  });

  test.each<[keyof ApiKey, Partial<ApiKey>]>([
    ['name', { name: 'b' }],
    ['status', { status: 'inactive' }],
    ['expiresAt', { expiresAt: later }],
    ['updatedAt', { updatedAt: later }],
    ['labels', { labels: { a: '1' } }],
    ['damaged', { damaged: ['name'] }],
  ])('but not with another %s', (_field, change) => {
    expect(refusal(() => assertUnchanged({ ...KEY, ...change }, KEY))).toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('"a" (3xbb3bje4dr5) was changed meanwhile'),
    });
  });
});

describe('a change of a key is read back', () => {
  const wanted = readBackKey(KEY.id, FOUND);
  const gone = readBackKey(KEY.id, null);
  const row = (key: Partial<ApiKey> = {}, more: Partial<Credential> = {}) =>
    credentialRowOf({ ...FOUND, ...more, key: { ...KEY, ...key } });
  const corrupt = expect.objectContaining({
    code: 'store_corrupt',
    message: expect.stringContaining('the change of key 3xbb3bje4dr5 was written but cannot be read back'),
  });

  test('and found as it was planned, whenever it was used', () => {
    expect(wanted.statements).toHaveLength(1);
    for (const found of [row(), row({ lastUsedAt: later })]) expect(() => wanted.check([[found]])).not.toThrow();
    expect(() => gone.check([[]])).not.toThrow();
    expect(() => gone.check([])).not.toThrow();
  });

  test.each([
    ['another name', row({ name: 'b' })],
    ['another status', row({ status: 'inactive' })],
    ['another time', row({ updatedAt: later })],
    ['other networks', row({ allowFrom: ['10.0.0.0/8'] })],
    ['another hash', row({}, { hash: `$2b$04$${'b'.repeat(53)}` })],
    ['another guard tag', row({}, { guard: '01234568' })],
  ])('or refused with %s', (_what, found) => {
    expect(refusal(() => wanted.check([[found]]))).toEqual(corrupt);
  });

  test('or refused where it is missing, or still there', () => {
    for (const rows of [[[]], []]) expect(refusal(() => wanted.check(rows))).toEqual(corrupt);
    expect(refusal(() => gone.check([[row()]]))).toEqual(corrupt);
  });
});

test('several checks each get the rows of their own statements', () => {
  const seen: unknown[][] = [];
  const check = (count: number) => ({
    statements: Array.from({ length: count }, () => ({ sql: 'select 1', params: [] })),
    check: (rows: readonly unknown[]) => void seen.push([...rows]),
  });
  const all = readBackAll([check(2), undefined, check(0), check(1)]);
  expect(all.statements).toHaveLength(3);
  all.check([[['a']], [['b']], [['c']]]);
  expect(seen).toEqual([[[['a']], [['b']]], [], [[['c']]]]);
});
