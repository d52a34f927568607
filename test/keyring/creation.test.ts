import { renameSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { mintKeyString } from '../../src/domain/key-parts.js';
import type { CreateInput } from '../../src/keyring/creation.js';
import { Keyring } from '../../src/keyring/keyring.js';
import { freshKeyring, input, make } from '../support/keyrings.js';
import {
  BY,
  change,
  DEFAULT_ENGINE,
  ENGINES,
  freshStore,
  LOCAL_ENGINES,
  newKey,
  rawDatabase,
  START,
  storeOf,
} from '../support/stores.js';

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
    ['a name that reads like an id', [input('a'), input('0123456789ab')], 'usage'],
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

describe('a plan', () => {
  test('says which keys give way and which stay, and only those to make are hashed', async () => {
    const keyring = await freshKeyring(DEFAULT_ENGINE);
    const { key: a } = await make(keyring, 'a');
    const { key: b } = await make(keyring, 'b');
    const [left] = await keyring.make(await keyring.plan([input('left')]), { toDeliver: true });
    const inputs = ['B', 'new', 'left', 'A'].map((name) => input(name));
    const skip = await keyring.plan(inputs, { ifExists: 'skip' });
    expect(skip).toMatchObject({ ifExists: 'skip', replaced: [], operation: null });
    expect([skip.kept.map(({ id }) => id).sort(), skip.unfinished]).toEqual([[a.id, b.id].sort(), [left?.key]]);
    const replace = await keyring.plan(inputs, { ifExists: 'replace' });
    expect([replace.replaced.map(({ id }) => id).sort(), replace.kept]).toEqual([[a.id, b.id].sort(), []]);
    const heard: number[] = [];
    const made = await keyring.make(skip, { progress: (done) => heard.push(done) });
    expect(heard).toEqual([1, 2]);
    expect(made.map((each) => [each.key.name, each.keyString !== null, each.replaced?.id])).toEqual([
      ['b', false, undefined],
      ['new', true, undefined],
      ['left', true, left?.key.id],
      ['a', false, undefined],
    ]);
  });

  test('takes the expiry that is given, and the longest that the store allows otherwise', async () => {
    const keyring = await freshKeyring(DEFAULT_ENGINE);
    await keyring.setStorePolicy({ maxLifetime: { test: '30d' } });
    const day = (days: number) => new Date(START.getTime() + days * 86_400_000);
    const { inputs } = await keyring.plan([input('a', { expiresAt: day(1) }), input('b')]);
    expect(inputs.map(({ expiresAt }) => expiresAt)).toEqual([day(1), day(30)]);
    for (const expiresAt of [day(31), null])
      await expect(keyring.plan([input('c', { expiresAt })])).rejects.toMatchObject({
        code: 'guarded',
        message: expect.stringMatching(/^the key "c" .*30d/),
      });
    expect((await keyring.plan([input('c', { mode: 'live', expiresAt: null })])).inputs[0]?.expiresAt).toBeNull();
  });

  test('keeps a key whose name reads like an id, which no new key can have', async () => {
    const keyring = await freshKeyring(DEFAULT_ENGINE);
    const name = '0123456789ab';
    await storeOf(keyring).create([newKey(name)], change());
    expect((await keyring.plan([input(name)], { ifExists: 'skip' })).kept).toHaveLength(1);
  });
});

describe('a key that took the name between the plan and the write', () => {
  const NAMES = ['other', 'ci'];
  const planned = (keyring: Keyring, ifExists: 'fail' | 'skip' | 'replace') =>
    keyring.plan(
      NAMES.map((name) => input(name)),
      { ifExists },
    );

  test.each([
    ['fail', {}, 'name_taken', 'a key named "ci" exists'],
    ['replace', {}, 'conflict', 'a key named "ci" has been created meanwhile'],
    ['skip', { scopes: ['plan:read'] }, 'name_taken', 'its scopes are plan:read'],
  ] as const)('with %s %j stays, and nothing is made', async (ifExists, more, code, says) => {
    const keyring = await freshKeyring(DEFAULT_ENGINE);
    const plan = await planned(keyring, ifExists);
    const { key } = await make(keyring, 'ci', more);
    await expect(keyring.make(plan)).rejects.toMatchObject({ code, message: expect.stringContaining(says) });
    expect((await keyring.list()).keys).toEqual([key]);
  });

  test('with skip is kept where it is what was asked for', async () => {
    const keyring = await freshKeyring(DEFAULT_ENGINE);
    const plan = await planned(keyring, 'skip');
    const { key } = await make(keyring, 'ci');
    const made = await keyring.make(plan);
    expect(made.map((each) => each.keyString === null)).toEqual([false, true]);
    expect(made[1]?.key).toEqual(key);
  });

  test('is not taken for the key that was to be replaced', async () => {
    const keyring = await freshKeyring(DEFAULT_ENGINE);
    for (const name of NAMES) await make(keyring, name);
    const plan = await planned(keyring, 'replace');
    await keyring.delete('ci');
    const { key } = await make(keyring, 'ci');
    await expect(keyring.make(plan)).rejects.toMatchObject({ code: 'conflict' });
    expect(await keyring.show('ci')).toEqual(key);
  });

  test('stays where it was handed out meanwhile', async () => {
    const keyring = await freshKeyring(DEFAULT_ENGINE);
    const [left] = await keyring.make(await keyring.plan([input('ci')]), { toDeliver: true });
    const id = left?.key.id ?? '';
    const plans = [await planned(keyring, 'fail'), await planned(keyring, 'skip'), await planned(keyring, 'replace')];
    await storeOf(keyring).settle([id], change());
    for (const plan of plans) {
      expect(plan.unfinished.map((key) => key.id)).toEqual([id]);
      await expect(keyring.make(plan)).rejects.toMatchObject({ code: 'name_taken' });
    }
    expect((await keyring.verify(left?.keyString)).verdict).toBe('valid');
  });
});
