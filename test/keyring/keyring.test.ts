import { describe, expect, test } from 'vitest';
import { KeysError } from '../../src/domain/errors.js';
import { checksum, mintKeyString } from '../../src/domain/key-string.js';
import type { CreateInput, Keyring } from '../../src/keyring/keyring.js';
import { openStore } from '../../src/store/open.js';
import {
  BINDINGS,
  type BindingName,
  type Clock,
  change,
  freshStore,
  keyringOver,
  newKey,
  options,
  rawDatabase,
  START,
} from '../support/stores.js';

const input = (name: string, more: Partial<CreateInput> = {}): CreateInput => ({
  name,
  mode: 'test',
  scopes: ['checkin:read'],
  ...more,
});

async function freshKeyring(binding: BindingName, clock: Clock = { now: START }): Promise<Keyring> {
  return keyringOver(await freshStore(binding), clock);
}

async function make(keyring: Keyring, name: string, more: Partial<CreateInput> = {}) {
  const [made] = await keyring.create([input(name, more)]);
  if (!made) throw new Error('nothing was made');
  return made;
}

/** The same store through another connection, as another process would have it. */
async function another(keyring: Keyring, binding: BindingName, clock?: Clock): Promise<Keyring> {
  return keyringOver(await openStore(keyring.store.location, options(binding, { create: false })), clock);
}

describe.each(BINDINGS)('create, on %s', (binding) => {
  test.each([1, 3, 9])('%i keys at once verify each with its own key string, in order', async (count) => {
    const keyring = await freshKeyring(binding);
    const heard: number[] = [];
    const made = await keyring.create(
      Array.from({ length: count }, (_, i) => input(`key ${i}`)),
      (done) => heard.push(done),
    );
    expect(made.map(({ key }) => key.name)).toEqual(Array.from({ length: count }, (_, i) => `key ${i}`));
    expect(heard).toEqual(Array.from({ length: count }, (_, i) => i + 1));
    for (const { key, keyString } of made) expect(await keyring.verify(keyString)).toEqual({ verdict: 'valid', key });
  });

  test.each<[string, CreateInput[], string]>([
    ['a name twice', [input('a'), input('A')], 'usage'],
    ['a name that exists', [input('b'), input('Taken')], 'name_taken'],
    ['no scope', [input('a', { scopes: [] })], 'missing_input'],
    ['an unknown scope', [input('a'), input('b', { scopes: ['nope:read'] })], 'usage'],
    ['a bad name', [input('a'), input('-b')], 'usage'],
  ])('%s makes none of them', async (_, inputs, code) => {
    const keyring = await freshKeyring(binding);
    await make(keyring, 'taken');
    const head = await keyring.auditHead();
    await expect(keyring.create(inputs)).rejects.toMatchObject({ code });
    expect(await keyring.auditHead()).toEqual(head);
  });

  test('an id that exists is drawn again', async () => {
    const store = await freshStore(binding);
    let draws = 0;
    const { Keyring } = await import('../../src/keyring/keyring.js');
    const random = (size: number) => new Uint8Array(size).fill(size === 12 ? Math.floor(draws++ / 2) : 7);
    const keyring = new Keyring(store, {
      by: () => ({ actor: null, osUser: 'o', host: 'h', tool: 't' }),
      now: () => START,
      hashCost: 4,
      random,
    });
    const ids = [(await make(keyring, 'a')).key.id, (await make(keyring, 'b')).key.id];
    expect(ids).toEqual(['000000000000', '111111111111']);
  });

  test('nothing stored holds a piece of a secret', async () => {
    const keyring = await freshKeyring(binding);
    const { keyString } = await make(keyring, 'a', { description: 'd' });
    const db = await rawDatabase(keyring.store.location, binding);
    const tables = (db.prepare("select name from sqlite_master where type = 'table'").raw().all() as string[][]).flat();
    const everything = tables.map((table) => JSON.stringify(db.prepare(`select * from ${table}`).all())).join('\n');
    const secret = keyString.slice(23);
    for (let i = 0; i + 8 <= secret.length; i++) expect(everything).not.toContain(secret.slice(i, i + 8));
  });
});

describe.each(BINDINGS)('a KEY argument, on %s', (binding) => {
  test('is an id, a name, the mask or a prefix, as people type them', async () => {
    const keyring = await freshKeyring(binding);
    await keyring.store.create(
      [newKey('Partner Check-in', { id: '01abcdefghjk' }), newKey('other', { id: '01zzzzzzzzzz' })],
      change(),
    );
    for (const ref of [
      '01abcdefghjk',
      '01ABCDEFGHJK',
      'OIabcdefghjk',
      'olABCDEFGHJK',
      'Partner Check-in',
      'partner check-in',
      'unlk_test_01abcdefghjk_…',
      'unlk_test_01abcdefghjk',
      '01ab',
      'OLAB',
    ]) {
      expect((await keyring.show(ref)).id, ref).toBe('01abcdefghjk');
    }
  });

  test.each([
    ['01zz', 'ambiguous'],
    ['01z', 'not_found'],
    ['', 'not_found'],
    ['%', 'not_found'],
    ['01%z', 'not_found'],
    ['_1zz', 'not_found'],
    ['*', 'not_found'],
    ['-1', 'not_found'],
    ['zzzzzzzzzzzz', 'not_found'],
    ['x'.repeat(100_000), 'not_found'],
  ])('%j is %s', async (ref, code) => {
    const keyring = await freshKeyring(binding);
    await keyring.store.create([newKey('a', { id: '01zzzzzzzzz1' }), newKey('b', { id: '01zzzzzzzzz2' })], change());
    await expect(keyring.show(ref)).rejects.toMatchObject({ code });
  });

  test('an ambiguous one lists the candidates; a near miss is guessed', async () => {
    const keyring = await freshKeyring(binding);
    await keyring.store.create(
      [newKey('partner', { id: '01zzzzzzzzz1' }), newKey('other', { id: '01zzzzzzzzz2' })],
      change(),
    );
    await expect(keyring.show('01zzz')).rejects.toThrow(/01zzzzzzzzz1_…\s+partner[\s\S]*01zzzzzzzzz2_…\s+other/);
    await expect(keyring.show('partnr')).rejects.toMatchObject({ hint: 'did you mean "partner"?' });
  });

  test("a name that is another key's id is never followed silently", async () => {
    const keyring = await freshKeyring(binding);
    await keyring.store.create([newKey('real', { id: '01zzzzzzzzz1' }), newKey('01zzzzzzzzz1')], change());
    await expect(keyring.show('01zzzzzzzzz1')).rejects.toMatchObject({ code: 'ambiguous' });
    expect((await keyring.show('real')).name).toBe('real');
  });

  test('a whole key string is refused, and only its id repeated', async () => {
    const keyring = await freshKeyring(binding);
    const { keyString, secret, id } = mintKeyString('live');
    const error: unknown = await keyring.show(keyString).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(KeysError);
    const { code, message, hint } = error as KeysError;
    expect(code).toBe('usage');
    expect(hint).toContain(id);
    expect(`${message}${hint}`).not.toContain(secret.slice(0, 5));
  });
});

describe.each(BINDINGS)('verify, on %s', (binding) => {
  test('every change of one character, and every look-alike, is invalid', async () => {
    const keyring = await freshKeyring(binding);
    const [a, b] = [await make(keyring, 'a'), await make(keyring, 'b', { mode: 'live' })];
    const changed = Array.from(
      a.keyString,
      (char, i) => a.keyString.slice(0, i) + (char === 'a' ? 'b' : 'a') + a.keyString.slice(i + 1),
    );
    const resigned = (body: string) => body + checksum(body);
    const forged = [
      resigned(a.keyString.slice(0, 55).replace('_test_', '_live_')),
      resigned(a.keyString.slice(0, 23) + b.keyString.slice(23, 55)),
      resigned(mintKeyString('test').body),
      resigned(a.keyString.slice(0, 54) + (a.keyString[54] === 'x' ? 'y' : 'x')),
      `${a.keyString}\n`,
      ` ${a.keyString}`,
    ];
    for (const text of [...changed, ...forged])
      expect((await keyring.verify(text)).verdict, text.slice(0, 22)).toBe('invalid');
  });

  test.each([
    '$2b$31$'.padEnd(60, 'a'),
    '$2y$99$'.padEnd(60, 'a'),
    '',
    '$2b$10$'.padEnd(1_000_000, 'a'),
    '$hmac-sha256$v=1,k=x$abc',
  ])('a stored hash like %.12s… is invalid, at once', async (hash) => {
    const keyring = await freshKeyring(binding);
    const { keyString, key } = await make(keyring, 'a');
    (await rawDatabase(keyring.store.location, binding))
      .prepare('update api_keys set hash = ? where id = ?')
      .run(hash, key.id);
    expect((await keyring.verify(keyString)).verdict).toBe('invalid');
  });

  test('what one process did to a key, another sees at its next call', async () => {
    const here = await freshKeyring(binding);
    const there = await another(here, binding);
    const { keyString, key } = await make(here, 'a');
    const seen = async () => (await there.verify(keyString)).verdict;
    const story = [await seen()];
    await here.disable(key.id);
    story.push(await seen());
    await here.enable(key.id);
    story.push(await seen());
    await here.edit(key.id, { name: 'renamed' });
    expect(await there.verify(keyString)).toMatchObject({ verdict: 'valid', key: { name: 'renamed' } });
    await here.delete(key.id);
    story.push(await seen());
    expect(story).toEqual(['valid', 'inactive', 'valid', 'invalid']);
    await there.close();
  });

  test('a key ends at its instant', async () => {
    const clock = { now: START };
    const keyring = await freshKeyring(binding, clock);
    const expiresAt = new Date(START.getTime() + 1000);
    const { keyString } = await make(keyring, 'a', { expiresAt });
    clock.now = new Date(expiresAt.getTime() - 1);
    expect((await keyring.verify(keyString)).verdict).toBe('valid');
    clock.now = expiresAt;
    expect((await keyring.verify(keyString)).verdict).toBe('expired');
  });

  test('a store that cannot answer throws: it says neither valid nor invalid', async () => {
    const keyring = await freshKeyring(binding);
    const { keyString } = await make(keyring, 'a');
    (await rawDatabase(keyring.store.location, binding)).exec('drop table key_usage');
    await expect(keyring.verify(keyString)).rejects.toBeInstanceOf(Error);
  });

  test('test and live never meet, whatever the text, the row and the server say', async () => {
    const keyring = await freshKeyring(binding);
    for (const mode of ['live', 'test'] as const) {
      const { keyString } = await make(keyring, `a ${mode}`, { mode });
      const other = mode === 'live' ? 'test' : 'live';
      const relabelled = keyString.slice(0, 55).replace(`_${mode}_`, `_${other}_`);
      for (const environment of ['live', 'test'] as const) {
        expect((await keyring.verify(keyString, { environment })).verdict).toBe(
          environment === mode ? 'valid' : 'wrong_environment',
        );
        expect((await keyring.verify(relabelled + checksum(relabelled), { environment })).verdict).toBe('invalid');
      }
    }
  });
});

describe.each(BINDINGS)('the rest, on %s', (binding) => {
  test('identify reads what a key string says, and looks up its id', async () => {
    const keyring = await freshKeyring(binding);
    const { keyString, key } = await make(keyring, 'a');
    const stranger = mintKeyString('live');
    expect(await keyring.identify(keyString)).toEqual({
      recognised: true,
      checksum: 'good',
      mode: 'test',
      id: key.id,
      key,
    });
    expect(await keyring.identify(`${keyString.slice(0, 60)}${keyString[60] === 'a' ? 'b' : 'a'}`)).toMatchObject({
      checksum: 'bad',
      key,
    });
    expect(await keyring.identify(stranger.keyString)).toEqual({
      recognised: true,
      checksum: 'good',
      mode: 'live',
      id: stranger.id,
      key: null,
    });
    expect(await keyring.identify('hello')).toEqual({ recognised: false });
  });

  test('a retired scope cannot be taken, and stays with those that hold it', async () => {
    const keyring = await freshKeyring(binding);
    await keyring.addScope('plan:purge');
    const { keyString } = await make(keyring, 'a', { scopes: ['plan:*'] });
    await keyring.retireScope('plan:purge');
    await expect(make(keyring, 'b', { scopes: ['plan:purge'] })).rejects.toMatchObject({ code: 'usage' });
    expect((await make(keyring, 'c', { scopes: ['plan:*'] })).key.scopes).not.toContain('plan:purge');
    expect((await keyring.verify(keyString, { scopes: ['plan:purge'] })).verdict).toBe('valid');
    await expect(keyring.addScope('plan:*')).rejects.toMatchObject({ code: 'usage' });
  });

  test('the log of a deleted key is found by its id', async () => {
    const keyring = await freshKeyring(binding);
    const { key } = await make(keyring, 'a');
    await keyring.delete(key.id);
    expect(await keyring.auditKeyId(key.id.toUpperCase())).toBe(key.id);
    await expect(keyring.auditKeyId('gone')).rejects.toMatchObject({ code: 'not_found' });
  });
});
