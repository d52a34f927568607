import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CONFUSABLES } from '../../src/domain/confusables.js';
import { nameKey } from '../../src/domain/key-name.js';
import { loadLookalikes } from '../../src/domain/lookalikes.js';
import { globsOf } from '../../src/store/lookups.js';
import { input } from '../support/keyrings.js';
import { DEFAULT_ENGINE, ENGINES, freshStore, keyringOver, rawDatabase } from '../support/stores.js';

describe.each(ENGINES)('keys with names that look like another, on %s', (engine) => {
  test('are found among others, in one read', async () => {
    const keyring = keyringOver(await freshStore(engine));
    const names = ['partner', 'nodel', 'x[a-b]^', 'a*', 'else', 'c\u0430f\u00e9'];
    const made = await keyring.create(names.map((name) => input(name)));
    const idOf = (name: string) => made.find(({ key }) => key.name === name)?.key.id;
    const found = await keyring.lookalikes([
      'P\u0430rtner',
      'node1',
      'x[\u0430-b]^',
      '\u0430*',
      'caf\u00e9',
      'els',
      'PARTNER',
    ]);
    expect(found.map(({ name, other, id }) => [name, other, id])).toEqual([
      ['P\u0430rtner', 'partner', idOf('partner')],
      ['node1', 'nodel', idOf('nodel')],
      ['x[\u0430-b]^', 'x[a-b]^', idOf('x[a-b]^')],
      ['\u0430*', 'a*', idOf('a*')],
      ['caf\u00e9', 'c\u0430f\u00e9', idOf('c\u0430f\u00e9')],
      ['PARTNER', 'P\u0430rtner', null],
    ]);
  });
});

test('whatever characters stand in for those of a name, its pattern lets the other name through', async () => {
  const lookalikes = await loadLookalikes();
  const db = await rawDatabase((await freshStore(DEFAULT_ENGINE)).location, DEFAULT_ENGINE);
  const standIns = new Map<string, string[]>();
  for (const char of [...Object.keys(CONFUSABLES), ...'abcdefghijklmnopqrstuvwxyz0123456789 -_.^[]*?()'])
    for (const look of lookalikes.skeletons(char)) standIns.set(look, [...(standIns.get(look) ?? []), char]);
  const groups = [...standIns.values()].filter((chars) => chars.length > 1);
  const pair = fc
    .constantFrom(...groups)
    .chain((chars) => fc.tuple(fc.constantFrom(...chars), fc.constantFrom(...chars)));
  const pairs = fc.array(
    fc.oneof(pair, fc.constantFrom(['rn', 'm'], ['e\u0301', '\u00e9'], ['fi', '\ufb01'], ['-', '-'])),
    { minLength: 1, maxLength: 16 },
  );
  await fc.assert(
    fc.asyncProperty(pairs, async (both) => {
      const [name, other] = [0, 1].map((side) =>
        both
          .map((each) => each[side])
          .join('')
          .normalize('NFC'),
      ) as [string, string];
      fc.pre(lookalikes.compare(name, other) !== null);
      const globs = globsOf(lookalikes.patterns(name));
      const key = nameKey(other);
      const [row] = await db.rows(
        'select count(*) from json_each(?) where length(?) <= value ->> 1 and ? glob value ->> 0',
        ...[globs, key, key],
      );
      expect(Number(row?.[0])).toBeGreaterThan(0);
    }),
    { numRuns: 300 },
  );
});
