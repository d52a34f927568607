import { renameSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { mintKeyString } from '../../src/domain/key-string.js';
import type { CreateInput } from '../../src/keyring/creation.js';
import { Keyring } from '../../src/keyring/keyring.js';
import { freshKeyring, input, make } from '../support/keyrings.js';
import { BY, ENGINES, freshStore, LOCAL_ENGINES, rawDatabase, START } from '../support/stores.js';

describe.each(ENGINES)('create, on %s', (engine) => {
  test.each([1, 3, 9])('%i keys at once verify each with its own key string, in order', async (count) => {
    const keyring = await freshKeyring(engine);
    const heard: number[] = [];
    const made = await keyring.create(
      Array.from({ length: count }, (_, i) => input(`key ${i}`)),
      { progress: (done) => heard.push(done) },
    );
    expect(made.map(({ key }) => key.name)).toEqual(Array.from({ length: count }, (_, i) => `key ${i}`));
    expect(heard).toEqual(Array.from({ length: count }, (_, i) => i + 1));
    for (const { key, keyString } of made)
      expect(await keyring.verify(keyString ?? '')).toEqual({ verdict: 'valid', key });
  });

  test.each<[string, CreateInput[], string]>([
    ['a name twice', [input('a'), input('A')], 'usage'],
    ['a name that exists', [input('b'), input('Taken')], 'name_taken'],
    ['no scope', [input('a', { scopes: [] })], 'missing_input'],
    ['an unknown scope', [input('a'), input('b', { scopes: ['nope:read'] })], 'usage'],
    ['a bad name', [input('a'), input('-b')], 'usage'],
    ['a bad description', [input('a'), input('b', { description: 'x\u001b[2J' })], 'usage'],
    ['a key string for a name', [input('a'), input(mintKeyString('live').keyString)], 'usage'],
    ['a name twice, typed in two forms', [input('Caf\u00e9'), input('Cafe\u0301')], 'usage'],
  ])('%s makes none of them', async (_, inputs, code) => {
    const keyring = await freshKeyring(engine);
    await make(keyring, 'taken');
    const head = await keyring.auditHead();
    await expect(keyring.create(inputs)).rejects.toMatchObject({ code });
    expect(await keyring.auditHead()).toEqual(head);
  });

  /** A keyring whose ids come from these numbers, one after another. */
  async function numbered(next: () => number): Promise<Keyring> {
    const random = (size: number) => new Uint8Array(size).fill(size === 12 ? next() : 7);
    return new Keyring(await freshStore(engine), { by: () => BY, now: () => START, hashCost: 4, random });
  }

  test('an id that exists is drawn again', async () => {
    const draws = [0, 0, 0, 1];
    const keyring = await numbered(() => draws.shift() ?? 31);
    const ids = [(await make(keyring, 'a')).key.id, (await make(keyring, 'b')).key.id];
    expect(ids).toEqual(['000000000000', '111111111111']);
  });

  test('a source of randomness that never comes up with another id is given up after three draws', async () => {
    let draws = 0;
    const keyring = await numbered(() => {
      draws += 1;
      return 0;
    });
    await make(keyring, 'a');
    await expect(make(keyring, 'b')).rejects.toMatchObject({ code: 'conflict' });
    expect(draws).toBe(1 + 3);
    expect((await keyring.list()).keys).toHaveLength(1);
  });

  test('what is left out has its default, and what is given is stored as it reads', async () => {
    const keyring = await freshKeyring(engine);
    const { key, keyString } = await make(keyring, 'Cafe\u0301', { scopes: ['plan:read', 'checkin:*', 'plan:read'] });
    expect(key).toEqual({
      id: keyString.slice(10, 22),
      name: 'Caf\u00e9',
      description: null,
      mode: 'test',
      scopes: ['checkin:read', 'checkin:create', 'checkin:update', 'plan:read'],
      status: 'active',
      rateLimit: { limit: 600, windowSeconds: 60 },
      expiresAt: null,
      createdAt: START,
      updatedAt: START,
      lastUsedAt: null,
      labels: {},
      allowFrom: [],
      rotatedFrom: null,
      rotatedTo: null,
    });
    expect(await keyring.show(key.id)).toEqual(key);
  });

  test('a plan is what create would store, and writes nothing', async () => {
    const keyring = await freshKeyring(engine);
    const head = await keyring.auditHead();
    const { inputs } = await keyring.plan([input('a', { scopes: ['facility:*'], description: ' x ' })]);
    expect(inputs).toMatchObject([{ name: 'a', scopes: ['facility:read'], description: 'x' }]);
    expect((await keyring.plan([])).inputs).toEqual([]);
    expect(await keyring.auditHead()).toEqual(head);
  });

  test('nothing stored holds a piece of a secret', async () => {
    const keyring = await freshKeyring(engine);
    const { keyString } = await make(keyring, 'a', { description: 'd' });
    const db = await rawDatabase(keyring.location, engine);
    const tables = (await db.rows("select name from sqlite_master where type = 'table'")).flat();
    const rows = await Promise.all(tables.map((table) => db.rows(`select * from ${table}`)));
    const everything = JSON.stringify(rows);
    const secret = keyString.slice(23);
    for (let i = 0; i + 8 <= secret.length; i++) expect(everything).not.toContain(secret.slice(i, i + 8));
  });
});

describe.each(LOCAL_ENGINES)('create in a file, on %s', (engine) => {
  test('no key string is handed out where the key cannot be read back by the path of its store', async () => {
    const keyring = await freshKeyring(engine);
    const { location } = keyring;
    const progress = () => renameSync(location, `${location}.away`); // after the hashing, before the write
    await expect(keyring.create([input('a')], { progress })).rejects.toMatchObject({ code: 'store_unavailable' });
  });
});
