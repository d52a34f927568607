import { describe, expect, test } from 'vitest';
import type { ApiKey } from '../../src/domain/api-key.js';
import { type Keeping, planDelete, planPurge, planRestore } from '../../src/store/deleted-changes.js';
import { auditState } from '../../src/store/planned.js';
import { credentialRowOf, credentialWith, PLAIN_KEY } from '../support/key-rows.js';
import { refusal } from '../support/refusal.js';

const AT = new Date('2026-11-23T10:00:00.000Z');
const WEEK_LATER = new Date('2026-11-30T10:00:00.000Z');
const KEY = PLAIN_KEY;
const found = credentialWith;
const KEEPING: Keeping = { seq: 5, now: AT.getTime(), keepDeleted: '7d' };

describe('a deleted key', () => {
  test('is kept as long as the policy says, with what it was', () => {
    const plan = planDelete(found(), KEEPING);
    expect(plan.result).toEqual({ ...KEY, keptUntil: WEEK_LATER });
    expect(plan.drafts).toEqual([
      {
        action: 'key.delete',
        keyId: KEY.id,
        keyName: 'a',
        before: auditState(found()),
        after: { keptUntil: WEEK_LATER.toISOString() },
      },
    ]);
    expect(plan.writes).toHaveLength(3);
    expect(plan.writes[0]?.params).toEqual(expect.arrayContaining([5, KEY.id, WEEK_LATER.getTime()]));
    expect(plan.writes.at(-1)).toMatchObject({ rows: 1, params: [KEY.id] });
    expect(() => plan.readBack?.check([[]])).not.toThrow();
    expect(refusal(() => plan.readBack?.check([[credentialRowOf(found())]])).code).toBe('store_corrupt');
  });

  test.each<[string, Partial<ApiKey>, Partial<Keeping>]>([
    ['when that was asked for', {}, { purge: true }],
    ['where the policy keeps none', {}, { keepDeleted: '0' }],
    ['that is damaged', { damaged: ['name'] }, {}],
    ['that nobody got', { labels: { 'manifest/delivery': 'pending' } }, {}],
  ])('is not kept %s', (_what, key, keeping) => {
    const plan = planDelete(found(key), { ...KEEPING, ...keeping });
    expect(plan.result.keptUntil).toBeNull();
    expect(plan.writes).toHaveLength(1);
    expect(plan.drafts[0]?.after).toBeNull();
    expect(planDelete(found(key), { ...KEEPING, ...keeping, leaked: true }).drafts[0]?.after).toEqual({ leaked: true });
  });

  test('is marked where it leaked', () => {
    const plan = planDelete(found(), { ...KEEPING, leaked: true });
    expect(plan.drafts[0]?.after).toEqual({ keptUntil: WEEK_LATER.toISOString(), leaked: true });
  });

  test.each<[string, Partial<ApiKey>]>([
    ['changed', { updatedAt: WEEK_LATER }],
    ['used', { lastUsedAt: AT }],
    ['disabled', { status: 'inactive' }],
  ])('is left alone if it was %s since it was seen', (_what, change) => {
    expect(() => planDelete(found(change), KEEPING, { ...KEY, ...change })).not.toThrow();
    expect(refusal(() => planDelete(found(change), KEEPING, KEY))).toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('"a" (3xbb3bje4dr5)'),
    });
  });
});

describe('a key that is restored', () => {
  const kept = { seq: 5, credential: found() };

  test('is inactive, under its name or another, and was changed now', () => {
    for (const [name, is] of [
      [null, 'a'],
      ['b', 'b'],
    ] as const) {
      const plan = planRestore(kept, name, [], WEEK_LATER);
      const key = { ...KEY, name: is, status: 'inactive', updatedAt: WEEK_LATER };
      expect(plan.result).toEqual(key);
      expect(plan.drafts).toEqual([
        {
          action: 'key.restore',
          keyId: KEY.id,
          keyName: is,
          before: { status: 'active', ...(name && { name: 'a' }) },
          after: { status: 'inactive', ...(name && { name }) },
        },
      ]);
      expect(plan.writes[0]).toMatchObject({ rows: 1, params: expect.arrayContaining([5, KEY.id, is]) });
      expect(() => plan.readBack?.check([[credentialRowOf({ ...found(), key: plan.result })]])).not.toThrow();
      expect(refusal(() => plan.readBack?.check([[]])).code).toBe('store_corrupt');
    }
  });

  test('has the time of its last use again', () => {
    const used = { seq: 5, credential: found({ lastUsedAt: AT }) };
    const [without, with_] = [kept, used].map((each) => planRestore(each, null, [], WEEK_LATER).writes);
    expect([without?.length, with_?.length]).toEqual([3, 4]);
    expect(with_?.[1]).toMatchObject({ rows: 1, params: [AT.getTime(), 5] });
  });

  test('does not take the name of another', () => {
    const other = { ...KEY, id: '6jhnb3g233yz', name: 'A' };
    expect(refusal(() => planRestore(kept, null, [other], AT))).toMatchObject({
      code: 'name_taken',
      message: expect.stringContaining('"A" exists (6jhnb3g233yz), so key 3xbb3bje4dr5'),
      hint: expect.stringContaining('restore 3xbb3bje4dr5 --name'),
    });
  });
});

test('a key that is removed for good leaves a row in the log', () => {
  expect(planPurge(found())).toMatchObject({
    writes: [{ params: expect.arrayContaining([KEY.id]) }],
    drafts: [{ action: 'key.purge', keyId: KEY.id, keyName: 'a', before: null, after: null }],
    result: KEY,
  });
});
