import { describe, expect, test } from 'vitest';
import { KeysError } from '../../src/domain/errors.js';
import { mintKeyString } from '../../src/domain/key-parts.js';
import type { Keyring } from '../../src/keyring/keyring.js';
import { freshKeyring, make } from '../support/keyrings.js';
import { refused } from '../support/manifests.js';
import { type Clock, change, DEFAULT_ENGINE, ENGINES, newKey, rawDatabase, START, storeOf } from '../support/stores.js';
import { unguarded } from '../support/unguarded.js';

const DAY = 86_400_000;

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
  ])('%j is %s', async (ref, code) => {
    const keyring = await freshKeyring(engine);
    await storeOf(keyring).create([newKey('a', { id: '01zzzzzzzzz1' }), newKey('b', { id: '01zzzzzzzzz2' })], change());
    await expect(keyring.show(ref)).rejects.toMatchObject({ code });
  });

  test('a very long one is not found', async () => {
    await expect((await freshKeyring(engine)).show('x'.repeat(100_000))).rejects.toMatchObject({ code: 'not_found' });
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

describe('a key that is gone', () => {
  async function scene() {
    const clock: Clock = { now: START };
    const keyring = await freshKeyring(DEFAULT_ENGINE, clock);
    const { key } = await make(keyring, 'partner');
    await make(keyring, 'other');
    return { clock, keyring, id: key.id };
  }

  /** What is said of the key by each of the ways to name it. */
  async function told(keyring: Keyring, ...refs: string[]) {
    const all = await Promise.all(refs.map((ref) => refused(keyring.show(ref))));
    return [...new Set(all.map(({ code, message, hint }) => `${code}: ${message}; ${hint}`))];
  }

  test('is said to be deleted, when, by whom, and how to bring it back', async () => {
    const { clock, keyring, id } = await scene();
    await keyring.delete('partner');
    clock.now = new Date(START.getTime() + 3 * DAY);
    expect(await told(keyring, 'partner', 'PARTNER', id, `unlk_test_${id}_…`)).toEqual([
      `not_found: key "partner" (${id}) was deleted 3 days ago by ops; to bring it back, inactive: unlockos-keys restore ${id}`,
    ]);
  });

  test('for good, is said to be deleted, and where to read more', async () => {
    const { clock, keyring, id } = await scene();
    await keyring.delete('partner', { purge: true });
    clock.now = new Date(START.getTime() + 3 * DAY);
    const more = `what became of it: unlockos-keys audit list --key ${id}`;
    expect(await told(keyring, id, `unlk_live_${id}_…`)).toEqual([
      `not_found: key ${id} was deleted 3 days ago by ops; ${more}`,
    ]);
    expect(await told(keyring, 'partner')).toEqual([
      `not_found: key "partner" (${id}) was deleted 3 days ago by ops; ${more}`,
    ]);
  });

  test('without a trace in the log, is still no name of another key', async () => {
    const { keyring, id } = await scene();
    await unguarded(
      await rawDatabase(keyring.location, DEFAULT_ENGINE),
      DEFAULT_ENGINE,
      `delete from api_keys where id = '${id}'`,
    );
    await storeOf(keyring).create([newKey(id)], change());
    expect(await told(keyring, id)).toEqual([
      `not_found: key ${id} no longer exists; what became of it: unlockos-keys audit list --key ${id}`,
    ]);
  });

  test('of several with one name is the last', async () => {
    const { keyring } = await scene();
    await keyring.delete('partner');
    const { key: last } = await make(keyring, 'partner');
    await keyring.delete('partner');
    expect((await told(keyring, 'partner'))[0]).toContain(last.id);
    await keyring.purge(last.id);
    for (const { key } of await keyring.deletions()) await keyring.purge(key.id);
    const { key: renamed } = await make(keyring, 'partner');
    await keyring.edit('partner', { name: 'renamed' });
    expect(await told(keyring, 'partner')).toEqual([expect.stringContaining(`(${last.id}) was deleted`)]);
    expect(await told(keyring, 'nobody')).toEqual(['not_found: no key "nobody"; unlockos-keys list shows all keys']);
    expect(await keyring.show('renamed')).toMatchObject({ id: renamed.id });
  });
});

describe('a name that several keys had', () => {
  test.each([2, 5, 7])('%i of them are told with what became of each, the last five', async (count) => {
    const keyring = await freshKeyring(DEFAULT_ENGINE);
    const ids: string[] = [];
    await make(keyring, 'other');
    for (let i = 0; i < count; i++) {
      const { key } = await make(keyring, 'Caf\u00e9');
      ids.push(key.id);
      if (i === count - 1) await keyring.edit(key.id, { name: 'renamed' });
      else await keyring.delete(key.id);
    }
    const at = START.toISOString();
    const lines = ids.map((id, i) => `  ${id}  ${i === count - 1 ? 'last named so' : 'deleted'} ${at}`);
    const { code, message, hint } = await refused(keyring.auditKeyId('Cafe\u0301'));
    expect({ code, message, hint }).toEqual({
      code: 'ambiguous',
      message: `no key is named "Cafe\u0301" now, and ${count} were${count > 5 ? '; the latest' : ''}:\n${lines.slice(-5).join('\n')}`,
      hint: 'use the key id',
    });
  });
});

test('a name that one key had once is that key, whoever had other names', async () => {
  const keyring = await freshKeyring(DEFAULT_ENGINE);
  await make(keyring, 'other');
  const { key } = await make(keyring, 'Caf\u00e9');
  await keyring.edit(key.id, { name: 'renamed' });
  expect(await keyring.auditKeyId('Cafe\u0301')).toBe(key.id);
  await expect(keyring.auditKeyId('nobody')).rejects.toMatchObject({ code: 'not_found' });
});
