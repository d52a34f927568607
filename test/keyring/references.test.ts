import { describe, expect, test } from 'vitest';
import { KeysError } from '../../src/domain/errors.js';
import { mintKeyString } from '../../src/domain/key-string.js';
import { freshKeyring, make } from '../support/keyrings.js';
import { change, ENGINES, newKey, rawDatabase, storeOf } from '../support/stores.js';
import { unguarded } from '../support/unguarded.js';

describe.each(ENGINES)('a KEY argument, on %s', (engine) => {
  test('is an id, a name, the mask or a prefix, as people type them', async () => {
    const keyring = await freshKeyring(engine);
    await storeOf(keyring).create(
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
    const keyring = await freshKeyring(engine);
    await storeOf(keyring).create([newKey('a', { id: '01zzzzzzzzz1' }), newKey('b', { id: '01zzzzzzzzz2' })], change());
    await expect(keyring.show(ref)).rejects.toMatchObject({ code });
  });

  test('an ambiguous one lists the candidates; a near miss is guessed', async () => {
    const keyring = await freshKeyring(engine);
    await storeOf(keyring).create(
      [newKey('partner', { id: '01zzzzzzzzz1' }), newKey('other', { id: '01zzzzzzzzz2' })],
      change(),
    );
    await expect(keyring.show('01zzz')).rejects.toThrow(/01zzzzzzzzz1_…\s+partner[\s\S]*01zzzzzzzzz2_…\s+other/);
    await expect(keyring.show('partnr')).rejects.toMatchObject({ hint: 'did you mean "partner"?' });
  });

  test('a whole id is always the id, whatever another key is called', async () => {
    const keyring = await freshKeyring(engine);
    const [id, gone] = ['01zzzzzzzzz1', '01zzzzzzzzz2'];
    await storeOf(keyring).create([newKey('real', { id }), newKey('leaked', { id: gone })], change());
    await storeOf(keyring).create(
      [
        newKey(id),
        newKey(`unlk_live_${id}`),
        newKey(gone.toUpperCase()),
        newKey('partnercheck'),
        newKey(`unlk_test_${gone}_…`),
      ],
      change(),
    );
    for (const ref of [id, id.toUpperCase(), `unlk_test_${id}`, `unlk_live_${id}_…`, `UNLK_LIVE_${id}`])
      expect((await keyring.show(ref)).name, ref).toBe('real');
    await keyring.delete(gone);
    for (const ref of [gone, gone.toUpperCase(), `unlk_test_${gone}`, `unlk_test_${gone}_…`]) {
      await expect(keyring.show(ref), ref).rejects.toMatchObject({ code: 'not_found' });
      await expect(keyring.disable(ref), ref).rejects.toMatchObject({ code: 'not_found' });
      expect(await keyring.auditKeyId(ref)).toBe(gone);
    }
    expect((await keyring.show('partnercheck')).name).toBe('partnercheck'); // no key has or had that id
  });

  test('more than five candidates are counted, not listed', async () => {
    const keyring = await freshKeyring(engine);
    await storeOf(keyring).create(
      Array.from({ length: 7 }, (_, i) => newKey(`key ${i}`, { id: `01zzzzzzzzz${i}` })),
      change(),
    );
    const error: unknown = await keyring.show('01zz').catch((thrown: unknown) => thrown);
    expect((error as KeysError).message).toContain('more than 5 keys');
    expect((error as KeysError).message.match(/01zzzzzzzzz\d_…/g)).toHaveLength(5);
  });

  test('five are listed, all of them', async () => {
    const keyring = await freshKeyring(engine);
    await storeOf(keyring).create(
      Array.from({ length: 5 }, (_, i) => newKey(`key ${i}`, { id: `01zzzzzzzzz${i}` })),
      change(),
    );
    await expect(keyring.show('01zz')).rejects.toThrow(/could be 5 keys:(\n.*_….*){5}$/);
  });

  test('an exact name goes before a prefix that reads the same', async () => {
    const keyring = await freshKeyring(engine);
    await storeOf(keyring).create(
      [newKey('01zz', { id: '0aaaaaaaaaaa' }), newKey('x', { id: '01zzzzzzzzz2' })],
      change(),
    );
    expect((await keyring.show('01zz')).id).toBe('0aaaaaaaaaaa');
    expect((await keyring.show('01zzz')).id).toBe('01zzzzzzzzz2');
  });

  test('a name in two Unicode forms is one name', async () => {
    const keyring = await freshKeyring(engine);
    await storeOf(keyring).create([newKey('Caf\u00e9'), newKey('施設連携')], change());
    for (const ref of ['Cafe\u0301', 'CAFE\u0301', 'caf\u00e9'])
      expect((await keyring.show(ref)).name).toBe('Caf\u00e9');
    expect((await keyring.show('施設連携')).name).toBe('施設連携');
  });

  test.each<[string, (keyString: string) => string]>([
    ['whole', (keyString) => keyString],
    ['in a sentence', (keyString) => `the key ${keyString}.`],
    ['cut', (keyString) => keyString.slice(0, 40)],
    ['grown', (keyString) => `${keyString}0`],
    ['in upper case', (keyString) => keyString.toUpperCase()],
  ])('a key string, %s, is refused, and only its id repeated', async (_, typed) => {
    const keyring = await freshKeyring(engine);
    const { keyString, secret, id } = mintKeyString('live');
    const error: unknown = await keyring.show(typed(keyString)).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(KeysError);
    const { code, message, hint } = error as KeysError;
    expect(code).toBe('usage');
    expect(hint?.toLowerCase()).toContain(id);
    expect(`${message}${hint}`.toLowerCase()).not.toContain(secret.slice(0, 5).toLowerCase());
  });
});

test.each(
  ENGINES,
)('a key whose row no longer follows from its name is named with its id and the way out, on %s', async (engine) => {
  const keyring = await freshKeyring(engine);
  const { key } = await make(keyring, 'bad');
  await unguarded(await rawDatabase(keyring.location, engine), engine, "update api_keys set name_key = 'x'");
  await expect(keyring.disable('Bad')).rejects.toMatchObject({
    code: 'not_found',
    message: `key "bad" (${key.id}) is not found by its name: its row was changed by something else than unlockos-keys`,
    hint: `use the id ${key.id}; another name mends the row: unlockos-keys edit ${key.id} --name …`,
  });
  await keyring.edit(key.id, { name: 'good' });
  expect((await keyring.show('good')).id).toBe(key.id);
  expect((await keyring.auditVerify()).problems).toEqual([]);
});
