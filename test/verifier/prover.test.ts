import { describe, expect, onTestFinished, test } from 'vitest';
import { mintKeyString } from '../../src/domain/key-parts.js';
import { newPepper, Peppers } from '../../src/domain/peppers.js';
import { hashSecret, hashWithPepper } from '../../src/domain/secret-hash.js';
import { BcryptThread } from '../../src/hashing/bcrypt-thread.js';
import { Prover } from '../../src/verifier/prover.js';

const { id: PEPPER, line } = newPepper();
const PEPPERS = Peppers.parse(line, 'here');
const COST = 4;

function proving() {
  const bcrypt = new BcryptThread();
  onTestFinished(() => bcrypt.close());
  return { bcrypt, prover: new Prover(PEPPERS, bcrypt) };
}
const mint = () => mintKeyString('test');

describe('a proof', () => {
  test.each(['bcrypt', 'a pepper'])('with %s counts for its own key string and hash', async (scheme) => {
    const { prover, bcrypt } = proving();
    const [key, other] = [mint(), mint()];
    const hashOf = (of: typeof key) =>
      scheme === 'bcrypt' ? hashSecret(of.secret, COST) : hashWithPepper(of.body, PEPPER, PEPPERS);
    const stored = await hashOf(key);
    expect([prover.knows(key.id), prover.known(key.id, key.keyString, stored), prover.cached]).toEqual([
      false,
      undefined,
      0,
    ]);
    expect(await prover.prove(other, other.keyString, stored)).toBe(false);
    expect([prover.knows(other.id), prover.cached]).toEqual([false, 0]);
    expect(await prover.prove(key, key.keyString, stored)).toBe(true);
    expect([prover.knows(key.id), prover.cached, prover.waiting]).toEqual([true, 1, 0]);
    expect(prover.known(key.id, key.keyString, stored)).toBe(true);
    expect(prover.known(key.id, other.keyString, stored)).toBe(false);
    expect(prover.known(key.id, key.keyString, await hashOf(other))).toBeUndefined();
    expect(prover.known(other.id, key.keyString, stored)).toBeUndefined();
    expect(bcrypt.comparisons).toBe(scheme === 'bcrypt' ? 2 : 0);
  });

  test('with another hash takes the place of the one before', async () => {
    const { prover } = proving();
    const key = mint();
    const [first, second] = [await hashSecret(key.secret, COST), hashWithPepper(key.body, PEPPER, PEPPERS)];
    await prover.prove(key, key.keyString, first);
    await prover.prove(key, key.keyString, second);
    expect(prover.cached).toBe(1);
    expect(prover.known(key.id, key.keyString, first)).toBeUndefined();
    expect(prover.known(key.id, key.keyString, second)).toBe(true);
  });

  test('is not made of a hash of an unknown form, and throws without the pepper', () => {
    const { prover, bcrypt } = proving();
    const key = mint();
    for (const stored of ['', 'x', `$2b$31$${'a'.repeat(53)}`])
      expect(prover.prove(key, key.keyString, stored)).toBe(false);
    const { id, line } = newPepper();
    const foreign = hashWithPepper(key.body, id, Peppers.parse(line, 'there'));
    expect(() => prover.prove(key, key.keyString, foreign)).toThrow(
      expect.objectContaining({ code: 'pepper_missing' }),
    );
    expect([prover.cached, bcrypt.comparisons]).toEqual([0, 0]);
  });
});

test('one key string is compared once, however many ask; another one of the same key on its own', async () => {
  const { prover, bcrypt } = proving();
  const [key, other] = [mint(), mint()];
  const stored = await hashSecret(key.secret, COST);
  const asked = Array.from({ length: 20 }, () => prover.prove(key, key.keyString, stored));
  const wrong = prover.prove({ ...other, id: key.id }, other.keyString, stored);
  expect(prover.waiting).toBe(2);
  expect(new Set(await Promise.all(asked))).toEqual(new Set([true]));
  expect(await wrong).toBe(false);
  expect([bcrypt.comparisons, prover.waiting]).toEqual([2, 0]);
});

test('64 keys wait for bcrypt, and the next one is told to come again', async () => {
  const { prover } = proving();
  const keys = Array.from({ length: 65 }, mint);
  const stored = await hashSecret('x'.repeat(32), COST);
  const ends = await Promise.allSettled(keys.map((key) => prover.prove(key, key.keyString, stored)));
  expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(64);
  expect(ends.at(-1)).toMatchObject({
    reason: { code: 'store_busy', message: expect.stringContaining('(64)'), hint: expect.stringContaining('again') },
  });
  expect(prover.waiting).toBe(0);
  const last = keys[64] as (typeof keys)[number];
  expect(await prover.prove(last, last.keyString, await hashSecret(last.secret, COST))).toBe(true);
});

test('ten thousand proofs are remembered, and the oldest is forgotten for a new one', () => {
  const { prover } = proving();
  const keys = Array.from({ length: 10_001 }, mint);
  const prove = (key: (typeof keys)[number]) =>
    prover.prove(key, key.keyString, hashWithPepper(key.body, PEPPER, PEPPERS));
  const [first, second] = keys as [(typeof keys)[number], (typeof keys)[number]];
  for (const key of keys.slice(0, -1)) prove(key);
  prove(first); // proven again, so it is no longer the oldest
  expect(prover.cached).toBe(10_000);
  prove(keys[10_000] as typeof first);
  expect(prover.cached).toBe(10_000);
  expect([prover.knows(first.id), prover.knows(second.id), prover.knows(keys[2]?.id ?? '')]).toEqual([
    true,
    false,
    true,
  ]);
});
