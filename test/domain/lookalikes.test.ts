import { describe, expect, test } from 'vitest';
import { loadLookalikes } from '../../src/domain/lookalikes.js';

const lookalikes = await loadLookalikes();

describe('names that look alike', () => {
  test.each([
    ['a Cyrillic a', 'p\u0430rtner', 'partner', ['"\u0430" is U+0430 (Cyrillic)']],
    ['a word of Cyrillic letters', '\u0440\u0430\u0443\u0440\u0430l', 'paypal', 3],
    ['a Greek capital', '\u039cAX', 'max', ['"\u039c" is U+039C (Greek)']],
    ['capitals of another script', 'P\u0410RTNERI', 'partneri', 1],
    ['full-width letters', '\uff50artner', 'partner', 1],
    ['mathematical letters', '\u{1d429}artner', 'partner', 1],
    ['a letter with an accent', 'caf\u00e9', 'c\u0430f\u00e9', 1],
    ['rn and m', 'bum', 'burn', []],
    ['1 and l', 'web1', 'webl', []],
    ['a capital i and l', 'webI', 'webl', []],
    ['0 and o', 'node0', 'nodeo', []],
    ['a hyphen of another kind', 'a\u2010b', 'a-b', 1],
  ])('%s', (_, name, other, characters) => {
    const found = lookalikes.compare(name, other);
    expect(found).toMatchObject({ name, other });
    if (typeof characters === 'number') expect(found?.characters).toHaveLength(characters);
    else expect(found?.characters).toEqual(characters);
    expect(lookalikes.compare(other, name)).not.toBeNull();
  });

  test.each([
    ['other names', 'partner', 'partners'],
    ['the same name', 'partner', 'partner'],
    ['the same name in capitals', 'partner', 'PARTNER'],
    ['an accent', 'cafe', 'caf\u00e9'],
    ['words of one other script', '\u043f\u0430\u0440\u0442\u043d\u0451\u0440', 'partner'],
    ['nothing', '', 'a'],
  ])('not: %s', (_, name, other) => {
    expect(lookalikes.compare(name, other)).toBeNull();
  });
});
