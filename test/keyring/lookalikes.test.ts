import { describe, expect, test } from 'vitest';
import { nameWarnings } from '../../src/keyring/lookalikes.js';
import { freshKeyring, make } from '../support/keyrings.js';
import { change, DEFAULT_ENGINE, newKey, storeOf } from '../support/stores.js';

// That a store finds them among its keys is tested on every engine, in test/store/lookalikes.test.ts.

/** `partner`, with Cyrillic letters in the place of the first two vowels. */
const CYRILLIC = 'p\u0430rtn\u0435r';

describe('names that look alike', () => {
  test('are found among many, beside those that come before them in the same question', async () => {
    const keyring = await freshKeyring(DEFAULT_ENGINE);
    const { key } = await make(keyring, 'web1');
    const others = Array.from(
      { length: 60 },
      (_, i) => `other ${String.fromCharCode(97 + (i % 26), 97 + Math.floor(i / 26))}`,
    );
    const found = await keyring.lookalikes(['partner', 'webl', ...others, CYRILLIC, 'partner', CYRILLIC]);
    expect(found.map(({ name, other, id }) => [name, other, id])).toEqual([
      ['webl', 'web1', key.id],
      [CYRILLIC, 'partner', null],
      ['partner', CYRILLIC, null],
      [CYRILLIC, 'partner', null],
    ]);
  });

  test('are no names of keys twice: what a key has is told with its id alone', async () => {
    const keyring = await freshKeyring(DEFAULT_ENGINE);
    const { key } = await make(keyring, 'Partner');
    const found = await keyring.lookalikes(['PARTNER', CYRILLIC]);
    expect(found.map(({ name, other, id }) => [name, other, id])).toEqual([[CYRILLIC, 'Partner', key.id]]);
  });

  test('are looked for in names only, as they are stored', async () => {
    const keyring = await freshKeyring(DEFAULT_ENGINE);
    expect(await keyring.lookalikes([])).toEqual([]);
    await storeOf(keyring).create([newKey('x'.repeat(63).concat('l')), newKey('caf\u00e9')], change());
    const long = 'x'.repeat(63).concat('1');
    expect((await keyring.lookalikes([long, `${long}${'1'.repeat(256)}`])).map(({ name }) => name)).toEqual([long]);
    expect((await keyring.lookalikes(['c\u0430fe\u0301'])).map(({ name }) => name)).toEqual(['c\u0430f\u00e9']);
  });
});

describe('what people are told of names', () => {
  test('is which other name they look like, by which characters, and whose it is', async () => {
    const keyring = await freshKeyring(DEFAULT_ENGINE);
    const { key } = await make(keyring, 'partner');
    const [mixed, alike, ...more] = await nameWarnings(keyring, [CYRILLIC, 'fine']);
    expect(mixed).toBe(`the name "${CYRILLIC}" mixes Latin and Cyrillic letters, some of which look alike`);
    expect(alike).toMatch(
      new RegExp(`^the name "${CYRILLIC}" looks like that of key "partner" \\(${key.id}\\): .*Cyrillic.*, .*Cyrillic`),
    );
    expect(more).toEqual([]);
    expect(await nameWarnings(keyring, [CYRILLIC], key.id)).toEqual([mixed]);
    expect(await nameWarnings(keyring, ['vi', 'v\u0456'])).toContainEqual(
      expect.stringMatching(/^the name "v\u0456" looks like "vi": /),
    );
  });
});
