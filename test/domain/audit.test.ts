import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ApiKey } from '../../src/domain/api-key.js';
import {
  type AuditBody,
  type AuditRow,
  appendToChain,
  canonicalJson,
  chainHash,
  formatHead,
  GENESIS,
  type KeyState,
  keyState,
  parseHead,
  stateDifference,
} from '../../src/domain/audit.js';
import { AuditReplay } from '../../src/domain/audit-replay.js';
import { whoText } from '../../src/domain/change.js';
import { auditEvent, KEY_STATE } from '../support/audit-rows.js';

const event = (
  action: AuditBody['action'],
  keyId: string | null,
  after: AuditBody['after'],
  before: AuditBody['before'] = null,
): AuditBody => auditEvent({ action, keyId, keyName: keyId, before, after });
const HISTORY = [
  event('store.create', null, { scopes: ['plan:read'] }),
  event('key.create', 'k1', { ...KEY_STATE }),
  event('key.create', 'k2', { ...KEY_STATE, name: 'b' }),
  event('key.edit', 'k1', { name: 'renamed' }, { name: 'a' }),
  event('key.delete', 'k2', null, { ...KEY_STATE, name: 'b' }),
  event('scope.add', null, { scope: 'plan:purge' }),
];
const rows = appendToChain(GENESIS, 'op', HISTORY);

function problemsOf(
  log: readonly AuditRow[],
  keys: Record<string, KeyState> = { k1: { ...KEY_STATE, name: 'renamed' } },
): string[] {
  const replay = new AuditReplay();
  for (const row of log) replay.feed(row);
  for (const [id, state] of Object.entries(keys)) replay.checkKey(id, state);
  replay.checkScope('plan:read', false);
  replay.checkScope('plan:purge', false);
  replay.finishKeys();
  replay.finishScopes();
  return replay.problems;
}

test('a change of any part of any row is found, the operation id alone excepted', () => {
  const part = fc.constantFrom<keyof AuditRow>('seq', 'body', 'prev', 'hash');
  fc.assert(
    fc.property(
      fc.nat(rows.length - 1),
      part,
      fc.nat(),
      fc.constantFrom('0', 'f', 'x', ' '),
      (at, field, place, char) => {
        const row = rows[at] as AuditRow;
        const text = String(row[field]);
        const cut = place % text.length;
        const other = text.slice(0, cut) + char + text.slice(cut + 1);
        if (other === text) return;
        const forged = { ...row, [field]: field === 'seq' ? row.seq + 1 + (place % 9) : other };
        expect(problemsOf(rows.map((each, i) => (i === at ? forged : each)))).not.toEqual([]);
      },
    ),
  );
});

test('a chain vouches for every row before it', () => {
  expect(rows[0]).toMatchObject({ seq: 1, op: 'op', prev: GENESIS.hash });
  expect(rows.map((row) => [row.prev, row.hash === chainHash(row.prev, row.body)])).toEqual(
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
    ['a row in the place of another', changed(2, () => rows[3] as AuditRow), undefined, /row 3 is missing/],
    [
      'two rows exchanged, and renumbered',
      rows.map((row, i) => ({ ...(rows[i === 2 ? 3 : i === 3 ? 2 : i] as AuditRow), seq: row.seq })),
      undefined,
      /row 3 does not follow the row before it/,
    ],
    ['the first row taken out', rows.slice(1), undefined, /row 1 is missing/],
    [
      'a row put in twice',
      [...rows, rows[5] as AuditRow],
      undefined,
      /row 6 is repeated or out of order: row 7 is expected/,
    ],
    [
      'an unknown action',
      appendToChain(GENESIS, 'o', [...HISTORY, { ...event('key.edit', 'k1', {}), action: 'key.steal' as 'key.edit' }]),
      undefined,
      /not an event that this version knows/,
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
      { k1: { ...KEY_STATE, name: 'renamed', scopes: ['plan:read', 'plan:purge'] } },
      /k1 was changed without an audit row: scopes/,
    ],
    ['a swapped hash', rows, { k1: { ...KEY_STATE, name: 'renamed', credential: 'y' } }, /credential/],
    [
      'a key put in behind the log',
      rows,
      { k1: { ...KEY_STATE, name: 'renamed' }, k9: KEY_STATE },
      /k9 is in the store but not in the audit log/,
    ],
    ['a key taken out behind the log', rows, {}, /k1 is in the audit log but not in the store/],
    [
      'a second creation',
      appendToChain(GENESIS, 'o', [...HISTORY, event('key.create', 'k1', { ...KEY_STATE })]),
      undefined,
      /a second time/,
    ],
    [
      'a deletion of a key that was gone',
      appendToChain(GENESIS, 'o', [...HISTORY, event('key.delete', 'k2', null, { ...KEY_STATE, name: 'b' })]),
      undefined,
      /row 7 deletes key k2, which did not exist/,
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

  test.each([
    ['a scope put in behind the log', ['plan:read', false], ['plan:purge', false], ['plan:steal', false]],
    ['a scope retired behind the log', ['plan:read', true], ['plan:purge', false]],
    ['a scope taken out behind the log', ['plan:read', false]],
  ] as [string, ...[string, boolean][]][])('%s', (_, ...catalogue) => {
    const replay = new AuditReplay();
    for (const row of rows) replay.feed(row);
    replay.checkKey('k1', { ...KEY_STATE, name: 'renamed' });
    for (const [scope, retired] of catalogue) replay.checkScope(scope, retired);
    replay.finishKeys();
    replay.finishScopes();
    expect(replay.problems).toHaveLength(1);
    expect(replay.problems[0]).toMatch(/^scope plan:(steal|read|purge) (is|differs) /);
  });
});

test('a head is read as it was printed', () => {
  const head = { seq: 6, hash: rows[5]?.hash ?? '' };
  expect(parseHead(formatHead(head))).toEqual(head);
  expect(parseHead(formatHead({ ...head, seq: 123_456 }))).toEqual({ ...head, seq: 123_456 });
  expect(parseHead(formatHead(GENESIS))).toEqual(GENESIS);
});

test.each([
  '',
  '1',
  '1:abc',
  '-1:'.padEnd(67, '0'),
  `1:${'g'.repeat(64)}`,
  ` 1:${'0'.repeat(64)}`,
  `1:${'0'.repeat(64)}\n`,
  `01:${'0'.repeat(64)}`,
  `1:${'A'.repeat(64)}`,
  `${'9'.repeat(16)}:${'0'.repeat(64)}`,
])('%j is no head', (text) => {
  expect(parseHead(text)).toBeNull();
});

test('canonical JSON is the same for equal values', () => {
  expect(canonicalJson({ b: [{ d: 1, c: null }], a: 'x' })).toBe('{"a":"x","b":[{"c":null,"d":1}]}');
});

test('a difference holds the changed fields of both sides, and nothing else', () => {
  expect(stateDifference(KEY_STATE, { ...KEY_STATE, scopes: ['plan:read'], name: 'z' })).toEqual({
    before: { name: 'a' },
    after: { name: 'z' },
  });
});

test('who made a change is told by the actor that is claimed or proven, and the OS user', () => {
  expect(whoText({ actor: null, osUser: 'ops' })).toBe('ops');
  expect(whoText({ actor: 'alice', osUser: 'ops' })).toBe('alice (ops)');
  expect(whoText({ actor: 'ci:job', osUser: 'ops', proven: {} })).toBe('ci:job (proven, ops)');
  expect(whoText({ actor: 'a\u001b', osUser: 'ops' })).toBe('a\\u{1b} (ops)');
});

test('the log holds a key without its id, its times of change and use, and its damage; and no hash', () => {
  const at = new Date('2026-11-23T10:00:00.000Z');
  const key: ApiKey = {
    ...KEY_STATE,
    id: '0123456789ab',
    rateLimit: { limit: 600, windowSeconds: 60 },
    expiresAt: at,
    createdAt: at,
    updatedAt: at,
    lastUsedAt: at,
    damaged: ['name'],
  };
  expect(keyState(key, 'x')).toEqual({ ...KEY_STATE, expiresAt: '2026-11-23T10:00:00.000Z' });
  expect(keyState({ ...key, expiresAt: null }, 'x')).toEqual(KEY_STATE);
});
