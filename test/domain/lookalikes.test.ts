import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CONFUSABLES } from '../../src/domain/confusables.js';
import { nameKey } from '../../src/domain/key-name.js';
import { loadLookalikes, type NamePattern } from '../../src/domain/lookalikes.js';

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

/** Whether a pattern lets a name key through. */
function catches({ places, longest }: NamePattern, key: string): boolean {
  const chars = Array.from(key);
  if (chars.length > longest) return false;
  let ends = new Set([0]);
  for (const place of places) {
    const next = new Set<number>();
    for (const end of ends)
      if (place === null) for (let at = end; at <= chars.length; at++) next.add(at);
      else if (place.includes(chars[end] ?? '')) next.add(end + 1);
    ends = next;
  }
  return ends.has(chars.length);
}
const isCaught = (name: string, other: string) =>
  lookalikes.patterns(name).some((pattern) => catches(pattern, nameKey(other)));

describe('the patterns of a name', () => {
  test('let every name through that looks like it', () => {
    const standIns = new Map<string, string[]>();
    for (const char of [...Object.keys(CONFUSABLES), ...'abcdefghijklmnopqrstuvwxyz0123456789 -_.'])
      for (const look of lookalikes.skeletons(char)) standIns.set(look, [...(standIns.get(look) ?? []), char]);
    const groups = [...standIns.values()].filter((chars) => chars.length > 1);
    const pair = fc
      .constantFrom(...groups)
      .chain((chars) => fc.tuple(fc.constantFrom(...chars), fc.constantFrom(...chars)));
    const special = fc.constantFrom(
      ['rn', 'm'],
      ['e\u0301', '\u00e9'],
      ['fi', '\ufb01'],
      ['-', '-'],
      ['\u03a3', '\u03c2'],
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(pair, special), { minLength: 1, maxLength: 10 }), (both) => {
        const of = (side: number) =>
          both
            .map((each) => each[side])
            .join('')
            .normalize('NFC');
        fc.pre(lookalikes.compare(of(0), of(1)) !== null);
        expect(isCaught(of(0), of(1))).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  test.each([
    ['partner', 'p\u0430rtner', true],
    ['partner', 'partner', true],
    ['partner', 'partnes', false],
    ['partner', 'partners', false],
    ['partner', 'partne', false],
    ['web1', 'webl', true],
    ['webI', 'web1', true],
    ['web1', 'xeb1', false],
    ['burn', 'bum', true],
    ['bum', 'burn', true],
    ['burn', 'bun', false],
    ['x\u01a9', 'x\u03a3', true], // its name key ends with another letter than that of the table
    ['\u01a9x', '\u03a3x', true],
  ])('of %s: %s is let through: %s', (name, other, caught) => {
    expect(isCaught(name, other)).toBe(caught);
  });

  test('name the characters of each place, but where one character may stand for two, or has a mark', () => {
    const open = (name: string) =>
      lookalikes.patterns(name).map(({ places }) => places.map((place) => (place === null ? '*' : '.')).join(''));
    expect(open('pa-te-2')).toEqual(['.......']);
    expect(open('burn')).toEqual(['...*']);
    expect(open('caf\u00e9-x')).toEqual(['...*..']);
    expect(open('\u1100\u1161')).toEqual(['*']);
    for (const { longest } of lookalikes.patterns('burn')) expect(longest).toBe(4);
  });
});

test('only characters beyond ASCII that the other name has in no case are told, three at most', () => {
  const told = (name: string, other: string) => lookalikes.compare(name, other)?.characters;
  expect(told('\u0430bc', 'abc')).toEqual(['"\u0430" is U+0430 (Cyrillic)']);
  expect(told('abc', '\u0430bc')).toEqual(['"\u0430" is U+0430 (Cyrillic)']);
  expect(told('\u0430\u0430-\u0451', 'a\u0430-\u0401')).toEqual([]);
  expect(told('\u0441\u043e\u0440\u0435', 'cope')).toHaveLength(3);
  expect(told('a\u2010b', 'a-b')).toEqual(['"\u2010" is U+2010']);
  expect(told('\u{1d429}', 'p')).toEqual(['"\u{1d429}" is U+1D429']);
});
