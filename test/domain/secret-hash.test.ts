import { describe, expect, test } from 'vitest';
import { mintKeyString } from '../../src/domain/key-string.js';
import {
  credentialDigest,
  guardMatches,
  guardTag,
  hashSecret,
  readHashScheme,
  secretMatches,
} from '../../src/domain/secret-hash.js';

const COST = 4;

test('the guard tag has its known answer', () => {
  expect(guardTag('unlk_test_0123456789ab_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef')).toBe('c08f143b');
});

test('the guard matches its own body only, and refuses tags of another length without a throw', () => {
  const [one, other] = [mintKeyString('test'), mintKeyString('test')];
  expect(guardMatches(one.body, guardTag(one.body))).toBe(true);
  expect(guardMatches(one.body, guardTag(other.body))).toBe(false);
  for (const tag of ['', 'c0', `${guardTag(one.body)}0`]) expect(guardMatches(one.body, tag)).toBe(false);
});

test('a hash matches its own secret, and not one that differs in the last character', async () => {
  const { secret } = mintKeyString('live');
  const neighbour = secret.slice(0, 31) + (secret.endsWith('a') ? 'b' : 'a');
  const stored = await hashSecret(secret, COST);
  expect(await secretMatches(secret, stored)).toBe(true);
  expect(await secretMatches(neighbour, stored)).toBe(false);
});

test('more than 72 bytes are refused, when hashing and when comparing', async () => {
  const long = 'x'.repeat(73);
  await expect(hashSecret(long, COST)).rejects.toThrow(RangeError);
  await expect(secretMatches(long, await hashSecret('x'.repeat(72), COST))).rejects.toThrow(RangeError);
  await expect(hashSecret('é'.repeat(37), COST)).rejects.toThrow(RangeError);
});

test.each([3, 13, 10.5, Number.NaN])('cost %s is refused', async (cost) => {
  await expect(hashSecret('secret', cost)).rejects.toThrow(RangeError);
});

describe('stored hashes that are refused without being computed', () => {
  const tail = 'a'.repeat(53);
  test.each([
    ['a cost that would run for days', `$2b$31$${tail}`],
    ['a cost just over the limit', `$2b$13$${tail}`],
    ['an impossible cost', `$2y$99$${tail}`],
    ['nothing', ''],
    ['a megabyte', '$2b$10$'.padEnd(1_000_000, 'a')],
    ['another scheme', `$argon2id$v=19$${tail}`.slice(0, 60)],
    ['one character short', `$2b$10$${tail.slice(1)}`],
  ])('%s', async (_, stored) => {
    expect(readHashScheme(stored)).toEqual({ scheme: 'unsupported' });
    expect(await secretMatches('secret', stored)).toBe(false);
  });
});

test('the credential digest changes with the hash and with the guard, and shows neither', () => {
  const digest = credentialDigest('hash', 'guard');
  expect(digest).toMatch(/^[0-9a-f]{32}$/);
  expect(new Set([digest, credentialDigest('hash2', 'guard'), credentialDigest('hash', 'guard2')]).size).toBe(3);
});
