import { describe, expect, test } from 'vitest';
import { mintKeyString } from '../../src/domain/key-parts.js';
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
    ['a cost below the least', `$2b$03$${tail}`],
    ['no cost', `$2b$00$${tail}`],
    ['nothing', ''],
    ['a line end after it', `$2b$10$${tail}\n`],
    ['a character that bcrypt does not write', `$2b$10$${tail.slice(1)}=`],
    ['a version that does not exist', `$2x$10$${tail}`],
    ['a secret in the clear', mintKeyString('test').secret],
    ['a megabyte', '$2b$10$'.padEnd(1_000_000, 'a')],
    ['another scheme', `$argon2id$v=19$${tail}`.slice(0, 60)],
    ['one character short', `$2b$10$${tail.slice(1)}`],
  ])('%s', async (_, stored) => {
    expect(readHashScheme(stored)).toEqual({ scheme: 'unsupported' });
    expect(await secretMatches('secret', stored)).toBe(false);
  });
});

test.each([
  ['$2b$04$', 4],
  ['$2a$10$', 10],
  ['$2y$12$', 12],
])('a stored hash that begins with %s is read as bcrypt of cost %i', (head, cost) => {
  expect(readHashScheme(head.padEnd(60, 'a'))).toEqual({ scheme: 'bcrypt', cost });
});

test('a hash says the cost that it was made at, and salts: the same secret gives another', async () => {
  const [one, two] = [await hashSecret('secret', COST), await hashSecret('secret', COST + 1)];
  expect([readHashScheme(one), readHashScheme(two)]).toEqual([
    { scheme: 'bcrypt', cost: COST },
    { scheme: 'bcrypt', cost: COST + 1 },
  ]);
  expect(await hashSecret('secret', COST)).not.toBe(one);
});

test('the credential digest changes with the hash and with the guard, and shows neither', () => {
  const digest = credentialDigest('hash', 'guard');
  expect(digest).toMatch(/^[0-9a-f]{32}$/);
  expect(new Set([digest, credentialDigest('hash2', 'guard'), credentialDigest('hash', 'guard2')]).size).toBe(3);
});
