import { describe, expect, test } from 'vitest';
import type { ApiKey } from '../../src/domain/api-key.js';
import { isAbandoned, marked } from '../../src/keyring/claim.js';
import type { CompleteInput } from '../../src/keyring/minting.js';
import { givesWay } from '../../src/keyring/namesakes.js';

const MINE = { word: 'mine', isLive: (word: string) => word === 'live' };
const input = (labels: Record<string, string>) => ({ name: 'a', labels }) as unknown as CompleteInput;

test('the mark of a key that is to be delivered names the run, in the order of labels', () => {
  expect(Object.entries(marked(input({ team: 'x', a: '1' }), MINE).labels ?? {})).toEqual([
    ['a', '1'],
    ['manifest/delivery', 'pending:mine'],
    ['team', 'x'],
  ]);
  expect(marked(input({}), undefined)).toEqual({ name: 'a', labels: { 'manifest/delivery': 'pending' } });
});

describe('a key that nobody got', () => {
  const key = (mark: string | null, more: Partial<ApiKey> = {}) =>
    ({
      status: 'active',
      lastUsedAt: null,
      labels: mark === null ? {} : { 'manifest/delivery': mark },
      ...more,
    }) as unknown as ApiKey;

  test.each<[string, ApiKey, boolean, boolean]>([
    ['without a mark', key(null), false, false],
    ['that was used', key('pending', { lastUsedAt: new Date(0) }), false, false],
    ['of no run', key('pending'), true, true],
    ['of this run', key('pending:mine'), true, true],
    ['of a run that is over', key('pending:dead'), true, true],
    ['of a run that goes on', key('pending:live'), false, true],
    ['of a run that goes on, but disabled', key('pending:live', { status: 'inactive' }), true, true],
  ])('%s: abandoned %s for a run with a word, %s for one without', (_what, given, forMine, forNone) => {
    expect(isAbandoned(given, MINE)).toBe(forMine);
    expect(isAbandoned(given, undefined)).toBe(forNone);
    expect(givesWay(given, MINE)).toBe(forMine);
    expect(givesWay({ ...given, labels: { ...given.labels, manifest: 'acme' } }, MINE)).toBe(false);
  });
});
