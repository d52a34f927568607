import { describe, expect, test } from 'vitest';
import { newPepper, Peppers } from '../../src/domain/peppers.js';
import { freshKeyring, make } from '../support/keyrings.js';
import { ENGINES, rawDatabase } from '../support/stores.js';
import { unguarded } from '../support/unguarded.js';

const [first, second] = [newPepper(), newPepper()];
const peppers = Peppers.parse(first.line + second.line, 'here');

describe.each(ENGINES)('the report on the hashes of a store, on %s', (engine) => {
  test('counts the keys of each scheme and says which of them this process can check', async () => {
    const keyring = await freshKeyring(engine, undefined, peppers);
    expect(await keyring.storeHash()).toEqual({ scheme: 'bcrypt', hashes: [], peppers: [first.id, second.id] });
    await make(keyring, 'a');
    await make(keyring, 'b');
    const scheme = `hmac-sha256:${second.id}` as const;
    await keyring.setStoreHash(scheme);
    await make(keyring, 'c');
    const report = await keyring.storeHash();
    expect(report.scheme).toBe(scheme);
    expect([...report.hashes].sort((a, b) => b.keys - a.keys)).toEqual([
      { scheme: 'bcrypt', keys: 2, readable: true },
      { scheme, keys: 1, readable: true },
    ]);
  });

  test('adds up bcrypt of every cost, and reports a missing pepper and an unknown scheme', async () => {
    const keyring = await freshKeyring(engine);
    for (const name of ['a', 'b', 'c', 'd']) await make(keyring, name);
    const hashes = {
      b: `$2b$12$${'a'.repeat(53)}`,
      c: `$hmac-sha256$v=1,k=${first.id}$${'A'.repeat(43)}`,
      d: `$argon2id$v=19$m=1,t=1,p=1$${'a'.repeat(40)}`,
    };
    const db = await rawDatabase(keyring.location, engine);
    for (const [name, hash] of Object.entries(hashes))
      await unguarded(db, engine, `update api_keys set hash = '${hash}' where name = '${name}'`);
    const found = await keyring.storeHash();
    expect([...found.hashes].sort((a, b) => b.keys - a.keys || a.scheme.localeCompare(b.scheme))).toEqual([
      { scheme: 'bcrypt', keys: 2, readable: true },
      { scheme: `hmac-sha256:${first.id}`, keys: 1, readable: false },
      { scheme: 'unsupported', keys: 1, readable: false },
    ]);
  });
});
