import { describe, expect, test } from 'vitest';
import { type AuditBody, type AuditRow, appendToChain, GENESIS, type KeyState } from '../../src/domain/audit.js';
import { AuditReplay } from '../../src/domain/audit-replay.js';
import { auditEvent, KEY_STATE } from '../support/audit-rows.js';

const UNTIL = new Date('2026-11-30T10:00:00.000Z');
const KEPT = { keptUntil: UNTIL.toISOString() };

function event(action: AuditBody['action'], keyId: string | null = null, after: AuditBody['after'] = null): AuditBody {
  return auditEvent({ action, keyId, keyName: keyId, after });
}

const CREATED = event('key.create', 'k1', { ...KEY_STATE });
const DELETED = event('key.delete', 'k1', KEPT);

function replayOf(...events: AuditBody[]): AuditReplay {
  const replay = new AuditReplay();
  for (const row of appendToChain(GENESIS, 'op', events)) replay.feed(row);
  return replay;
}

/** What is wrong after these events, and after a check of what is stored. */
function problems(events: AuditBody[], check: (replay: AuditReplay) => void = () => {}): string[] {
  const replay = replayOf(...events);
  check(replay);
  return replay.problems;
}

test('the head is the last row that was fed', () => {
  const rows = appendToChain(GENESIS, 'op', [CREATED, DELETED]);
  const replay = new AuditReplay();
  expect(replay.head).toEqual(GENESIS);
  for (const row of rows) {
    replay.feed(row);
    expect(replay.head).toEqual({ seq: row.seq, hash: row.hash });
  }
});

test.each(['null', '5', '"text"', '[]', '{}', 'rubbish'])('a row with the text %s is no event', (body) => {
  const replay = new AuditReplay();
  replay.feed({ ...(appendToChain(GENESIS, 'op', [CREATED])[0] as AuditRow), body });
  expect(replay.problems).toContain('audit row 1 is not an event that this version knows');
});

test('restoring and upgrading a store changes no key', () => {
  const events = [CREATED, event('store.restore', null, { name: 'z' }), event('store.upgrade', null, { name: 'z' })];
  const check = (replay: AuditReplay) => {
    replay.checkKey('k1', KEY_STATE);
    replay.finishScopes();
  };
  expect(problems(events, check)).toEqual([]);
});

test.each([
  'store.hash',
  'scope.add',
  'scope.retire',
  'store.policy',
  'key.create',
  'key.edit',
] as const)('a %s that says nothing does not end the check', (action) => {
  expect(() => problems([CREATED, event(action, 'k1')])).not.toThrow();
});

test('a key of a log from before a field existed has its default', () => {
  const { labels: _, allowFrom: __, rotatedFrom: ___, rotatedTo: ____, ...old } = KEY_STATE;
  expect(problems([event('key.create', 'k1', old)], (replay) => replay.checkKey('k1', KEY_STATE))).toEqual([]);
});

describe('a key that was deleted', () => {
  const gone = (replay: AuditReplay) => {
    replay.checkDeleted('k1', KEY_STATE, UNTIL);
    replay.finishKeys();
  };

  test('is kept as it was, and need not be there any more', () => {
    expect(problems([CREATED, DELETED], gone)).toEqual([]);
    expect(problems([CREATED, DELETED], (replay) => replay.finishKeys())).toEqual([]);
  });

  test('is not kept where the log does not say so', () => {
    expect(problems([CREATED, event('key.delete', 'k1')], gone)).toEqual([
      'key k1 can be restored, but the audit log does not say so',
    ]);
    expect(problems([CREATED, event('key.delete', 'k1', {})], gone)).toHaveLength(1);
    expect(problems([CREATED], (replay) => replay.checkDeleted('k1', KEY_STATE, UNTIL))).toHaveLength(1);
  });

  test.each<[string, KeyState, Date]>([
    ['scopes', { ...KEY_STATE, scopes: ['plan:read', 'plan:purge'] }, UNTIL],
    ['credential', { ...KEY_STATE, credential: 'y' }, UNTIL],
    ['keptUntil', KEY_STATE, new Date(UNTIL.getTime() + 1)],
    ['name, keptUntil', { ...KEY_STATE, name: 'b' }, new Date(UNTIL.getTime() + 1)],
  ])('is found when its %s was changed', (field, state, until) => {
    expect(problems([CREATED, DELETED], (replay) => replay.checkDeleted('k1', state, until))).toEqual([
      `deleted key k1 was changed without an audit row: ${field}`,
    ]);
  });

  test('is found when it is damaged, once', () => {
    const damaged = (replay: AuditReplay) =>
      replay.checkDeleted('k1', { ...KEY_STATE, credential: 'y' }, UNTIL, ['name', 'scopes']);
    expect(problems([CREATED, DELETED], damaged)).toEqual([
      'deleted key k1 is damaged: its name, scopes cannot be read',
    ]);
  });

  test('comes back as it was, but for what restoring changes', () => {
    const events = [CREATED, DELETED, event('key.restore', 'k1', { name: 'b', status: 'inactive' })];
    const back = { ...KEY_STATE, name: 'b', status: 'inactive' } as const;
    expect(problems(events, (replay) => replay.checkKey('k1', back))).toEqual([]);
    expect(problems(events, (replay) => replay.checkKey('k1', KEY_STATE))).toEqual([
      'key k1 was changed without an audit row: name, status',
    ]);
    expect(problems(events, (replay) => replay.finishKeys())).toEqual([
      'key k1 is in the audit log but not in the store',
    ]);
    expect(problems(events, (replay) => replay.checkDeleted('k1', KEY_STATE, UNTIL))).toHaveLength(1);
  });

  test('comes back once', () => {
    const restored = event('key.restore', 'k1', { status: 'inactive' });
    expect(problems([CREATED, DELETED, restored, restored])).toEqual([
      'audit row 4 restores key k1, which was not kept',
    ]);
    expect(problems([CREATED, restored])).toEqual(['audit row 2 restores key k1, which was not kept']);
  });

  test('is removed for good once', () => {
    const purged = event('key.purge', 'k1');
    expect(problems([CREATED, DELETED, purged])).toEqual([]);
    expect(problems([CREATED, DELETED, purged], gone)).toHaveLength(1);
    expect(problems([CREATED, DELETED, purged, purged])).toEqual([
      'audit row 4 removes key k1 for good, which was not kept',
    ]);
  });
});

describe('a stored key that is damaged', () => {
  test('is reported by its damaged fields, which are not compared', () => {
    const check = (state: KeyState) =>
      problems([CREATED], (replay) => replay.checkKey('k1', state, ['name', 'labels']));
    const damage = 'key k1 is damaged: its name, labels cannot be read';
    expect(check({ ...KEY_STATE, name: '?', labels: { a: '1' } })).toEqual([damage]);
    expect(check({ ...KEY_STATE, name: '?', mode: 'live' })).toEqual([
      damage,
      'key k1 was changed without an audit row: mode',
    ]);
  });
});

test('the hash scheme is bcrypt until the log says otherwise', () => {
  const moved = event('store.hash', null, { scheme: 'hmac-sha256:0123abcd' });
  const check = (scheme: string) => (replay: AuditReplay) => replay.checkHashScheme(scheme);
  expect(problems([], check('bcrypt'))).toEqual([]);
  expect(problems([moved], check('hmac-sha256:0123abcd'))).toEqual([]);
  expect(problems([moved], check('bcrypt'))).toEqual([
    'the hash scheme is bcrypt, but the audit log says hmac-sha256:0123abcd',
  ]);
});

test('the policy is the default but for what the log says', () => {
  const set = event('store.policy', null, { 'max-lifetime-live': '90d' });
  const settings = { 'max-lifetime-live': '90d', 'max-lifetime-test': null, 'keep-deleted': null };
  const check = (more: Record<string, string | null>) => (replay: AuditReplay) =>
    replay.checkPolicy({ ...settings, ...more });
  expect(problems([set], check({}))).toEqual([]);
  expect(problems([], check({ 'max-lifetime-live': null }))).toEqual([]);
  expect(problems([set], check({ 'max-lifetime-live': null, 'keep-deleted': '1d' }))).toEqual([
    'max-lifetime-live is not set, but the audit log says 90d',
    'keep-deleted is 1d, but the audit log says not set',
  ]);
});

describe('the catalogue', () => {
  const scopes = event('store.create', null, { scopes: ['plan:read', 'plan:list'] });

  test.each<[string, AuditBody[], [string, boolean][]]>([
    [
      'as it was made',
      [scopes],
      [
        ['plan:read', false],
        ['plan:list', false],
      ],
    ],
    [
      'with a scope more',
      [scopes, event('scope.add', null, { scope: 'a:b' })],
      [
        ['plan:read', false],
        ['plan:list', false],
        ['a:b', false],
      ],
    ],
    [
      'with one retired',
      [scopes, event('scope.retire', null, { scope: 'plan:read' })],
      [
        ['plan:read', true],
        ['plan:list', false],
      ],
    ],
    [
      'of an older log, without scopes',
      [event('store.create', null, {}), event('scope.add', null, { scope: 'a:b' })],
      [['a:b', false]],
    ],
    ['of a log without a body', [event('store.create')], []],
  ])('%s is what the log says', (_what, events, catalogue) => {
    const check = (list: [string, boolean][]) =>
      problems(events, (replay) => {
        for (const [scope, retired] of list) replay.checkScope(scope, retired);
        replay.finishScopes();
      });
    expect(check(catalogue)).toEqual([]);
    for (const [i, [scope, retired]] of catalogue.entries()) {
      const other = catalogue.map((each, j): [string, boolean] => (i === j ? [scope, !retired] : each));
      expect(check(other)).toEqual([`scope ${scope} differs between the catalogue and the audit log`]);
      expect(check(catalogue.filter((_, j) => i !== j))).toEqual([
        `scope ${scope} is in the audit log but not in the catalogue`,
      ]);
    }
  });
});
