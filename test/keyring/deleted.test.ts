import { describe, expect, test } from 'vitest';
import { mintKeyString } from '../../src/domain/key-parts.js';
import { freshKeyring, make } from '../support/keyrings.js';
import { refused } from '../support/manifests.js';
import { type Clock, change, DEFAULT_ENGINE, newKey, START, storeOf } from '../support/stores.js';

const DAY = 86_400_000;

/** A keyring from which keys with these names and ids were deleted, one each day. */
async function scene(keys: readonly (readonly [name: string, id: string])[]) {
  const clock: Clock = { now: START };
  const keyring = await freshKeyring(DEFAULT_ENGINE, clock);
  for (const [name, id] of keys) {
    await storeOf(keyring).create([newKey(name, { id })], change());
    await storeOf(keyring).delete(id, change(clock.now));
    clock.now = new Date(clock.now.getTime() + DAY);
  }
  return keyring;
}

describe('a deleted key', () => {
  test('is named by its id, its name, the mask, or the beginning of its id', async () => {
    const keyring = await scene([
      ['Partner', '01abcdefghjk'],
      ['other', '01zzzzzzzzzz'],
    ]);
    for (const ref of [
      '01abcdefghjk',
      'OIABCDEFGHJK',
      'partner',
      'PARTNER',
      'unlk_test_01abcdefghjk_…',
      '01ab',
      'olabc',
    ])
      expect((await keyring.deletion(ref)).key, ref).toMatchObject({ id: '01abcdefghjk', name: 'Partner' });
    for (const ref of ['01a', '', '%', 'partner ', '1abc'])
      expect(await refused(keyring.deletion(ref)), ref).toMatchObject({
        code: 'not_found',
        message: `no deleted key "${ref}" can be restored`,
        hint: expect.stringContaining('list --deleted'),
      });
  });

  test('is named by its id before a name, and by its name before the beginning of an id', async () => {
    const keyring = await scene([
      ['01abcdefghjk', '777777777777'],
      ['real', '01abcdefghjk'],
      ['01ab', '888888888888'],
    ]);
    expect((await keyring.deletion('01abcdefghjk')).key.name).toBe('real');
    expect((await keyring.deletion('01ab')).key.id).toBe('888888888888');
    expect((await keyring.deletion('01abc')).key.name).toBe('real');
  });

  test.each<[string, number, string]>([
    ['name', 2, 'partner'],
    ['beginning', 7, '01zzz'],
  ])('of several with that %s, %i, is asked for by its id, the last first', async (_, count, ref) => {
    const keyring = await scene(Array.from({ length: count }, (_, i) => ['Partner', `01zzzzzzzzz${i}`]));
    const ago = (days: number) => (days === 1 ? '1 day ago' : `${days} days ago`);
    const lines = Array.from({ length: count }, (_, i) => `  01zzzzzzzzz${count - 1 - i}  deleted ${ago(i + 1)}`);
    expect(await refused(keyring.deletion(ref))).toMatchObject({
      code: 'ambiguous',
      message: `${count} deleted keys are named "${ref}":\n${lines.slice(0, 5).join('\n')}`,
      hint: 'use the whole key id',
    });
  });

  test('is not one that exists', async () => {
    const keyring = await scene([['gone', '01abcdefghjk']]);
    const { key } = await make(keyring, 'there');
    for (const ref of ['there', 'THERE', key.id, `unlk_test_${key.id}_…`])
      expect(await refused(keyring.deletion(ref)), ref).toMatchObject({
        code: 'conflict',
        message: `key "there" (${key.id}) is not deleted`,
        hint: `see it: unlockos-keys show ${key.id}`,
      });
  });

  test('is not named by a key string, of which only the id is repeated', async () => {
    const keyring = await scene([]);
    const { keyString, secret, id } = mintKeyString('live');
    const error = await refused(keyring.deletion(keyString));
    expect(error).toMatchObject({ code: 'usage', hint: expect.stringContaining(id) });
    expect(`${error.message}${error.hint}`).not.toContain(secret.slice(0, 5));
  });
});
