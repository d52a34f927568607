import { describe, expect, test } from 'vitest';
import type { ApiKey } from '../../src/domain/api-key.js';
import {
  type AuditBody,
  AuditReplay,
  type AuditRow,
  appendToChain,
  canonicalJson,
  chainHash,
  formatHead,
  GENESIS,
  type KeyState,
  parseHead,
  stateDifference,
} from '../../src/domain/audit.js';
import { judge } from '../../src/domain/verdict.js';

const STATE: KeyState = {
  name: 'a',
  description: null,
  mode: 'test',
  scopes: ['plan:read'],
  status: 'active',
  rateLimit: '600/m',
  expiresAt: null,
  createdAt: '2026-11-23T10:00:00.000Z',
  credential: 'x',
};
const event = (
  action: AuditBody['action'],
  keyId: string | null,
  after: AuditBody['after'],
  before: AuditBody['before'] = null,
): AuditBody => ({
  actor: null,
  osUser: 'ops',
  host: 'h',
  tool: '0',
  at: '2026-11-23T10:00:00.000Z',
  action,
  keyId,
  keyName: keyId,
  reason: null,
  before,
  after,
});
const HISTORY = [
  event('store.create', null, { scopes: ['plan:read'] }),
  event('key.create', 'k1', { ...STATE }),
  event('key.create', 'k2', { ...STATE, name: 'b' }),
  event('key.edit', 'k1', { name: 'renamed' }, { name: 'a' }),
  event('key.delete', 'k2', null, { ...STATE, name: 'b' }),
  event('scope.add', null, { scope: 'plan:purge' }),
];
const rows = appendToChain(GENESIS, 'op', HISTORY);

function problemsOf(
  log: readonly AuditRow[],
  keys: Record<string, KeyState> = { k1: { ...STATE, name: 'renamed' } },
): string[] {
  const replay = new AuditReplay();
  for (const row of log) replay.feed(row);
  for (const [id, state] of Object.entries(keys)) replay.checkKey(id, state);
  replay.checkScope('plan:read', false);
  replay.checkScope('plan:purge', false);
  replay.finish();
  return replay.problems;
}

test('a chain vouches for every row before it', () => {
  expect(rows[0]).toMatchObject({ seq: 1, op: 'op', prev: GENESIS.hash });
  expect(rows.map((row, _i) => [row.prev, row.hash === chainHash(row.prev, row.body)])).toEqual(
    rows.map((_, i) => [i === 0 ? GENESIS.hash : rows[i - 1]?.hash, true]),
  );
  expect(new Set(rows.map(({ op }) => op)).size).toBe(rows.length);
  expect(problemsOf(rows)).toEqual([]);
});

describe('what a replay finds', () => {
  const changed = (at: number, change: (row: AuditRow) => AuditRow) =>
    rows.map((row, i) => (i === at ? change(row) : row));
  test.each<[string, readonly AuditRow[], Record<string, KeyState> | undefined, RegExp]>([
    [
      'an edited row',
      changed(1, (row) => ({ ...row, body: row.body.replace('ops', 'eve') })),
      undefined,
      /row 2 was changed/,
    ],
    ['a row taken out', rows.filter((_, i) => i !== 3), undefined, /row 4 is missing/],
    ['two rows exchanged', changed(2, () => rows[3] as AuditRow), undefined, /row 3 is missing/],
    [
      'an unknown action',
      appendToChain(GENESIS, 'o', [...HISTORY, { ...event('key.edit', 'k1', {}), action: 'key.steal' as 'key.edit' }]),
      undefined,
      /not an event that this tool knows/,
    ],
    [
      'no JSON',
      changed(1, (row) => ({ ...row, body: 'x', hash: chainHash(row.prev, 'x') })),
      undefined,
      /not an event/,
    ],
    [
      'a key edited behind the log',
      rows,
      { k1: { ...STATE, name: 'renamed', scopes: ['plan:read', 'plan:purge'] } },
      /k1 was changed behind the audit log: scopes/,
    ],
    ['a swapped hash', rows, { k1: { ...STATE, name: 'renamed', credential: 'y' } }, /credential/],
    [
      'a key put in behind the log',
      rows,
      { k1: { ...STATE, name: 'renamed' }, k9: STATE },
      /k9 is in the store but not in the audit log/,
    ],
    ['a key taken out behind the log', rows, {}, /k1 is in the audit log but not in the store/],
    [
      'a second creation',
      appendToChain(GENESIS, 'o', [...HISTORY, event('key.create', 'k1', { ...STATE })]),
      undefined,
      /a second time/,
    ],
    [
      'a change of a key that never was',
      appendToChain(GENESIS, 'o', [...HISTORY, event('key.disable', 'k7', { status: 'inactive' })]),
      undefined,
      /did not exist/,
    ],
  ])('%s', (_, log, keys, problem) => {
    expect(problemsOf(log, keys).join('\n')).toMatch(problem);
  });

  test('a log cut at its end is whole in itself: only a head noted elsewhere shows it', () => {
    expect(problemsOf(rows.slice(0, 5)).join()).toMatch(/plan:purge/); // found here by the catalogue, not by the chain
    expect(parseHead(formatHead({ seq: 6, hash: rows[5]?.hash ?? '' }))).toEqual({ seq: 6, hash: rows[5]?.hash });
  });
});

test.each([
  '',
  '1',
  '1:abc',
  '-1:'.padEnd(67, '0'),
  `1:${'g'.repeat(64)}`,
  ` 1:${'0'.repeat(64)}`,
])('%j is no head', (text) => {
  expect(parseHead(text)).toBeNull();
});

test('canonical JSON is the same for equal values', () => {
  expect(canonicalJson({ b: [{ d: 1, c: null }], a: 'x' })).toBe('{"a":"x","b":[{"c":null,"d":1}]}');
});

test('a difference holds the changed fields of both sides, and nothing else', () => {
  expect(stateDifference(STATE, { ...STATE, scopes: ['plan:read'], name: 'z' })).toEqual({
    before: { name: 'a' },
    after: { name: 'z' },
  });
});

describe('the verdict on a proven key', () => {
  const now = new Date('2026-11-23T10:00:00Z');
  const key: ApiKey = {
    id: '0'.repeat(12),
    name: 'a',
    description: null,
    mode: 'test',
    scopes: ['plan:read'],
    status: 'active',
    rateLimit: { limit: 1, windowSeconds: 1 },
    expiresAt: null,
    createdAt: now,
    updatedAt: now,
    lastUsedAt: null,
  };
  const past = new Date(now.getTime());
  test.each([
    ['valid', {}, {}],
    ['valid', {}, { environment: 'test', scopes: ['plan:read'] }],
    ['wrong_environment', {}, { environment: 'live' }],
    ['wrong_environment', { mode: 'live' }, { environment: 'test' }],
    ['valid', { mode: 'live' }, { environment: 'live' }],
    ['missing_scope', {}, { scopes: ['plan:read', 'plan:create'] }],
    ['missing_scope', {}, { scopes: ['plan:*'] }],
    ['missing_scope', {}, { scopes: ['Plan:read'] }],
    ['missing_scope', {}, { scopes: ['plan:rea'] }],
    ['expired', { expiresAt: past }, {}],
    ['inactive', { status: 'inactive', expiresAt: past }, { environment: 'live', scopes: ['x:y'] }],
    ['expired', { expiresAt: past }, { environment: 'live', scopes: ['x:y'] }],
    ['wrong_environment', {}, { environment: 'live', scopes: ['x:y'] }],
  ] as const)('%s for %j under %j', (verdict, change, demands) => {
    expect(judge({ ...key, ...change } as ApiKey, demands, now).verdict).toBe(verdict);
  });
});
