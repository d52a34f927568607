import { describe, expect, test } from 'vitest';
import type { ApiKey } from '../../src/domain/api-key.js';
import type { Credential } from '../../src/domain/credential.js';
import type { NewKey } from '../../src/domain/key-store.js';
import { DEFAULT_POLICY } from '../../src/domain/policy.js';
import {
  planCreate,
  planEdit,
  planExpire,
  planRehash,
  planRotate,
  planSettle,
  planStatus,
} from '../../src/store/changes.js';
import { auditState } from '../../src/store/planned.js';
import { credentialRowOf, credentialWith, PLAIN_KEY } from '../support/key-rows.js';
import { refusal } from '../support/refusal.js';

// What `changes.ts` plans, without a store; `changes.test.ts` carries it out.

const AT = new Date('2026-11-23T10:00:00.000Z');
const LATER = new Date('2026-11-24T10:00:00.000Z');
const HASH = `$2b$04$${'a'.repeat(53)}`;
const KEY = PLAIN_KEY;
const found = credentialWith;
const newKey = (name: string, more: Partial<NewKey> = {}): NewKey => ({
  id: '6jhnb3g233yz',
  name,
  description: null,
  mode: 'test',
  scopes: ['plan:read'],
  rateLimit: { limit: 7, windowSeconds: 60 },
  expiresAt: null,
  hash: HASH,
  guard: '76543210',
  ...more,
});
const NOW = { policy: DEFAULT_POLICY, now: AT.getTime() };
const stored = (key: ApiKey, more: Partial<Credential> = {}) => [credentialRowOf({ ...found(), ...more, key })];

describe('new keys', () => {
  test('are written with all that they are, and read back by hash and networks', () => {
    const wanted = newKey('n', { allowFrom: ['10.0.0.0/8'] });
    const plan = planCreate([wanted], [], NOW, AT);
    const [made] = plan.result;
    expect(made).toMatchObject({ created: true, replaced: null, key: { id: wanted.id, name: 'n', createdAt: AT } });
    expect(plan.drafts).toEqual([
      {
        action: 'key.create',
        keyId: wanted.id,
        keyName: 'n',
        before: null,
        after: auditState({ key: made?.key as ApiKey, hash: HASH, guard: wanted.guard }),
      },
    ]);
    expect(plan.writes).toMatchObject([{ rows: 1 }]);
    const key = made?.key as ApiKey;
    expect(() => plan.readBack?.check([stored(key)])).not.toThrow();
    for (const rows of [
      [],
      [[]],
      [stored(key, { hash: `$2b$04$${'b'.repeat(53)}` })],
      [stored({ ...key, allowFrom: [] })],
      [stored({ ...key, allowFrom: ['10.0.0.0/9'] })],
    ])
      expect(refusal(() => plan.readBack?.check(rows))).toMatchObject({
        code: 'store_unavailable',
        message: expect.stringContaining(`key ${wanted.id} was written but cannot be read back`),
      });
  });

  test('say what they were compared with', () => {
    const scopeChange = { from: KEY.id, added: ['plan:read'], dropped: [] };
    const [draft] = planCreate([newKey('n', { scopeChange })], [], NOW, AT).drafts;
    expect(draft?.reason).toBe(`compared with ${KEY.id}: + plan:read`);
  });

  test.each<['refuse' | 'keep' | 'replace', string | null, number]>([
    ['keep', null, 0],
    ['replace', KEY.id, 2],
  ])('where the name is taken, may %s', (decision, replaced, drafts) => {
    const namesake = { ...found({ name: 'N' }), seq: 5 };
    const seen: unknown[] = [];
    const plan = planCreate([newKey('n')], [namesake], NOW, AT, (existing, wanted) => {
      seen.push(existing.name, wanted.name);
      return decision;
    });
    expect(seen).toEqual(['N', 'n']);
    expect(plan.result).toMatchObject([
      { created: decision !== 'keep', key: { name: decision === 'keep' ? 'N' : 'n' } },
    ]);
    expect(plan.result[0]?.replaced?.id ?? null).toBe(replaced);
    expect(plan.drafts.map(({ action }) => action)).toEqual(['key.delete', 'key.create'].slice(0, drafts));
    if (drafts === 0) return;
    expect(plan.drafts[0]?.after).toEqual({ keptUntil: new Date(AT.getTime() + 7 * 86_400_000).toISOString() });
    const made = stored(plan.result[0]?.key as ApiKey);
    expect(() => plan.readBack?.check([[], made])).not.toThrow();
    expect(() => plan.readBack?.check([stored(namesake.key), made])).toThrow('cannot be read back');
  });

  test.each([
    ['Nn.n', 'unlockos-keys show Nn.n'],
    ['N n', 'unlockos-keys show "N n"'],
  ])('are refused where the name %s is taken', (name, hint) => {
    const namesake = { ...found({ name }), seq: 5 };
    expect(refusal(() => planCreate([newKey(name.toLowerCase())], [namesake], NOW, AT))).toMatchObject({
      code: 'name_taken',
      message: expect.stringContaining(JSON.stringify(name)),
      hint: expect.stringMatching(`${hint}$`),
    });
    expect(planCreate([newKey('other')], [namesake], NOW, AT).result).toHaveLength(1);
  });

  test('do not live longer than the policy lets them', () => {
    const policy = { ...DEFAULT_POLICY, maxLifetime: { live: null, test: '1h' } };
    expect(refusal(() => planCreate([newKey('n')], [], { ...NOW, policy }, AT)).code).toBe('guarded');
  });
});

describe('a rotation', () => {
  const retirement = { name: 'a (old)', expiresAt: LATER, seen: KEY };

  test('renames the old key, and links it with the new one', () => {
    const successor = newKey('a', { scopeChange: { from: KEY.id, added: [], dropped: ['x:y'] } });
    const plan = planRotate(found(), successor, retirement, DEFAULT_POLICY, AT);
    expect(plan.result.retired).toMatchObject({ name: 'a (old)', expiresAt: LATER, rotatedTo: successor.id });
    expect(plan.result.key).toMatchObject({ name: 'a', rotatedFrom: KEY.id });
    expect(plan.drafts.map(({ action, keyId, reason }) => [action, keyId, reason])).toEqual([
      ['key.rotate', KEY.id, `compared with ${KEY.id}: − x:y`],
      ['key.create', successor.id, `compared with ${KEY.id}: − x:y`],
    ]);
    expect(plan.writes.map(({ rows }) => rows)).toEqual([1, 1]);
    const { retired, key } = plan.result;
    expect(() => plan.readBack?.check([stored(retired), stored(key)])).not.toThrow();
    expect(() => plan.readBack?.check([stored(KEY), stored(key)])).toThrow('cannot be read back');
    expect(() => plan.readBack?.check([stored(retired), []])).toThrow('cannot be read back');
  });

  test('is of the key as it was seen, once', () => {
    const rotate = (key: Partial<ApiKey>, seen: Partial<ApiKey> = {}) =>
      refusal(() =>
        planRotate(found(key), newKey('a'), { ...retirement, seen: { ...KEY, ...seen } }, DEFAULT_POLICY, AT),
      ).code;
    expect(rotate({ status: 'inactive' })).toBe('conflict');
    expect(rotate({ rotatedTo: 'x' }, { rotatedTo: 'x' })).toBe('conflict');
  });
});

describe('an edit', () => {
  test('writes what differs, under the key that was read', () => {
    const plan = planEdit(found(), { name: 'b', description: null, expiresAt: LATER }, [KEY], LATER);
    expect(plan.result).toEqual({ changed: true, key: { ...KEY, name: 'b', expiresAt: LATER, updatedAt: LATER } });
    expect(plan.drafts).toEqual([
      {
        action: 'key.edit',
        keyId: KEY.id,
        keyName: 'b',
        before: { name: 'a', expiresAt: null },
        after: { name: 'b', expiresAt: LATER.toISOString() },
      },
    ]);
    expect(plan.writes[0]).toMatchObject({ rows: 1, params: expect.arrayContaining([KEY.id, 'active', AT.getTime()]) });
    expect(() => plan.readBack?.check([stored(plan.result.key)])).not.toThrow();
    expect(() => plan.readBack?.check([stored(KEY)])).toThrow('cannot be read back');
  });

  test.each([
    {},
    { name: 'a' },
    { labels: {} },
    { expiresAt: null, allowFrom: [] },
  ])('with %j writes nothing', (patch) => {
    expect(planEdit(found(), patch, [], LATER)).toEqual({
      writes: [],
      drafts: [],
      result: { key: KEY, changed: false },
    });
  });

  test('does not take the name of another key, and moves no expiry away', () => {
    const other = { ...KEY, id: 'x', name: 'B' };
    expect(refusal(() => planEdit(found(), { name: 'b' }, [KEY, other], LATER)).message).toContain('"B" exists');
    expect(refusal(() => planEdit(found({ expiresAt: AT }), { expiresAt: LATER }, [], AT)).code).toBe('conflict');
    expect(planEdit(found({ expiresAt: AT }), { name: 'b' }, [], AT).result.changed).toBe(true);
  });

  test('of networks writes the hash with them, and the hash alone is read back', () => {
    const plan = planEdit(found(), { allowFrom: ['10.0.0.0/8'] }, [], LATER);
    expect(plan.writes[0]?.params).toContain(`$from=10.0.0.0/8${HASH}`);
    expect(() => plan.readBack?.check([stored(plan.result.key)])).not.toThrow();
    expect(planEdit(found(), { name: 'b' }, [], LATER).writes[0]?.params).not.toContain(HASH);
    const damaged = found({ damaged: ['allowFrom'] }, `$from=x${HASH}`);
    const mended = planEdit(damaged, { allowFrom: ['10.0.0.0/8'] }, [], LATER);
    expect(mended.writes[0]?.params).toContain(`$from=10.0.0.0/8${HASH}`);
    expect(mended.result.key.damaged).toBeUndefined();
    expect(() => mended.readBack?.check([stored(mended.result.key)])).not.toThrow();
  });

  test('of a damaged row goes by what can be read of it', () => {
    const plan = planEdit(found({ damaged: ['status', 'updatedAt'] }), { name: 'b' }, [], LATER);
    expect(plan.writes[0]?.sql.split(' where ')[1]).toMatch(/^[^?]*"id" = \?[^?]*$/);
    expect(planEdit(found(), { name: 'b' }, [], LATER).writes[0]?.sql.split(' where ')[1]).toMatch(
      /"id" = \? and .*"status" = \? and .*"updated_at" = \?/,
    );
  });
});

describe('the status', () => {
  test('is written once', () => {
    const plan = planStatus(found(), 'inactive', 'key.disable', LATER);
    expect(plan.result).toEqual({ changed: true, key: { ...KEY, status: 'inactive', updatedAt: LATER } });
    expect(plan.drafts).toMatchObject([{ action: 'key.disable', before: { status: 'active' } }]);
    expect(planStatus(found(), 'active', 'key.enable', LATER).result).toEqual({ changed: false, key: KEY });
  });

  test('takes the mark of delivery away from a key that is enabled, and from no other', () => {
    const labels = { 'manifest/delivery': 'pending', team: 'x' };
    const enabled = planStatus(found({ status: 'inactive', labels }), 'active', 'key.enable', LATER);
    expect(enabled.result.key.labels).toEqual({ team: 'x' });
    const disabled = planStatus(found({ labels }), 'inactive', 'key.disable', LATER);
    expect(disabled.result.key.labels).toEqual(labels);
    expect(disabled.drafts[0]?.after).toEqual({ status: 'inactive' });
  });

  test('of a damaged key can only be inactive', () => {
    const damaged = found({ damaged: ['scopes', 'name'], status: 'inactive' });
    expect(refusal(() => planStatus(damaged, 'active', 'key.enable', AT))).toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('its scopes, name cannot be read'),
    });
    expect(planStatus(found({ damaged: ['name'] }), 'inactive', 'key.disable', AT).result.changed).toBe(true);
  });
});

test('delivered keys lose their mark, all or none', () => {
  const marked = found({ labels: { 'manifest/delivery': 'pending', team: 'x' } });
  const plan = planSettle([KEY.id], [marked], LATER);
  expect(plan.result).toEqual([{ ...KEY, labels: { team: 'x' }, updatedAt: LATER }]);
  expect(plan.writes).toMatchObject([{ rows: 1 }]);
  expect(plan.drafts).toMatchObject([{ action: 'key.edit', after: { labels: { team: 'x' } } }]);
  expect(refusal(() => planSettle([KEY.id, 'gone'], [marked], LATER))).toMatchObject({
    code: 'conflict',
    message: expect.stringContaining('key gone'),
  });
});

describe('an end', () => {
  test.each<[string, Partial<ApiKey>, boolean]>([
    ['of a key that never expires', {}, true],
    ['of one that expires later', { expiresAt: LATER }, true],
    ['of one that expires now', { expiresAt: AT }, false],
    ['of one whose expiry cannot be read', { expiresAt: AT, damaged: ['expiresAt'] }, true],
  ])('%s', (_what, more, changed) => {
    const { result, drafts } = planExpire(found(more), AT);
    expect(result.changed).toBe(changed);
    expect(result.key.expiresAt).toEqual(AT);
    expect(drafts.map(({ action }) => action)).toEqual(changed ? ['key.expire'] : []);
  });
});

test('a hash moves from the one that was proven to another, and no other does', () => {
  const to = `$2b$04$${'b'.repeat(53)}`;
  const networks = found({ allowFrom: ['10.0.0.0/8'] });
  const plan = planRehash([{ id: KEY.id, from: HASH, to }], [networks]);
  expect(plan.result).toEqual([KEY.id]);
  expect(plan.writes).toMatchObject([{ rows: 1 }]);
  expect(plan.writes[0]?.params).toEqual(
    expect.arrayContaining([KEY.id, `$from=10.0.0.0/8${HASH}`, `$from=10.0.0.0/8${to}`]),
  );
  expect(plan.drafts).toMatchObject([{ action: 'key.rehash', keyId: KEY.id, keyName: 'a' }]);
  expect(Object.keys(plan.drafts[0]?.after ?? {})).toEqual(['credential']);
  for (const move of [
    { id: 'gone', from: HASH, to },
    { id: KEY.id, from: to, to: HASH },
    { id: KEY.id, from: HASH, to: HASH },
  ])
    expect(planRehash([move], [networks])).toEqual({ writes: [], drafts: [], result: [] });
});
