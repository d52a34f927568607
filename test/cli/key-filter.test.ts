import { expect, test } from 'vitest';
import { filterKeys } from '../../src/cli/output/key-filter.js';
import type { ApiKey } from '../../src/domain/api-key.js';

function key(name: string, id: string, labels: ApiKey['labels'] = {}): ApiKey {
  return { name, id, labels, mode: 'live' } as ApiKey;
}

const KEYS = [
  key('zz-a1', '000000000001'),
  key('other', 'a1x000000000'),
  key('third', '0000000a1000'),
  key('a1-next', '000000000003'),
  key('a1', '000000000004'),
  key('labelled', '000000000005', { team: 'a1' }),
];

test.each([
  ['', ['zz-a1', 'other', 'third', 'a1-next', 'a1', 'labelled']],
  ['a1', ['a1', 'a1-next', 'zz-a1', 'other', 'third', 'labelled']],
  ['A1', ['a1', 'a1-next', 'zz-a1', 'other', 'third', 'labelled']],
  ['team=a', ['labelled']],
  ['unlk_live_a1x000000000_…', ['other']],
  ['unlk_live', []],
  ['live', []],
])('%j finds exact names first, then the start of a name, a part of it, ids, labels', (typed, names) => {
  expect(filterKeys(KEYS, typed).map(({ name }) => name)).toEqual(names);
});
