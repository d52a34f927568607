import { expect, test } from 'vitest';
import { mintKeyString } from '../../src/domain/key-parts.js';
import { readHashScheme, secretMatches } from '../../src/domain/secret-hash.js';
import { hashSecrets } from '../../src/hashing/bcrypt-pool.js';

const COST = 4;
const secrets = (count: number) => Array.from({ length: count }, () => mintKeyString('test').secret);

test.each([0, 1, 3, 4, 9])('%i secrets become their own hashes, in order, and each is reported once', async (count) => {
  const all = secrets(count);
  const heard: number[] = [];
  const hashes = await hashSecrets(all, COST, (done) => heard.push(done));
  expect(await Promise.all(hashes.map((hash, i) => secretMatches(all[i] ?? '', hash)))).toEqual(all.map(() => true));
  expect(hashes.map(readHashScheme)).toEqual(all.map(() => ({ scheme: 'bcrypt', cost: COST })));
  expect(heard).toEqual(all.map((_, i) => i + 1));
});

test.each([1, 5])('a secret among %i that cannot be hashed fails them all', async (count) => {
  const spoiled = [...secrets(count - 1), null as unknown as string];
  await expect(hashSecrets(spoiled, COST)).rejects.toThrow();
});
