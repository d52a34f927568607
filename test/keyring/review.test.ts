import { expect, test } from 'vitest';
import type { ApiKey } from '../../src/domain/api-key.js';
import { freshKeyring, input, make } from '../support/keyrings.js';
import { type Clock, change, DEFAULT_ENGINE, markUsed, recordUse, storeOf } from '../support/stores.js';

// What each query finds is tested on every engine, in test/store/list-query.test.ts.

const DAY = 86_400_000;
/** Yesterday: the store takes no use that is much older, or later than its own clock. */
const NOW = new Date(Date.now() - DAY);
const at = (days: number) => new Date(NOW.getTime() + days * DAY);

/** A keyring with keys that were made on some days, and `now` on the last one of them. */
async function scene(now: number, keys: readonly (readonly [day: number, name: string, more?: object])[]) {
  const clock: Clock = { now: NOW };
  const keyring = await freshKeyring(DEFAULT_ENGINE, clock);
  for (const [day, name, more] of keys) {
    clock.now = at(day);
    await make(keyring, name, more);
  }
  clock.now = at(now);
  const found = async (name: string) => {
    const { check: _, worst, ...finding } = (await keyring.review()).find(({ check }) => check === name) ?? {};
    return { ...finding, worst: worst?.map((key: ApiKey) => key.name) };
  };
  return { clock, keyring, found };
}

test('an empty store has nothing to look at, and every check says so', async () => {
  const { keyring } = await scene(0, []);
  const findings = await keyring.review();
  expect(findings.map(({ check, what }) => [check, what])).toEqual([
    ['never-expires', 'live keys that never expire'],
    ['unused', 'active keys that were not used for 90 days, as far as use was recorded'],
    ['expiring', 'active keys that expire within 14 days'],
    ['old', 'active keys that are older than a year'],
    ['undelivered', 'keys that were created and never handed out'],
    ['refused', 'keys that were refused 100 times or more in 30 days'],
    ['overlap-in-use', 'rotated keys that are still in use'],
  ]);
  for (const { count, worst, list } of findings) expect([count, worst, list[0]]).toEqual([0, [], 'list']);
});

test('live keys that never expire, the oldest first', async () => {
  const live = { mode: 'live' } as const;
  const { keyring, found } = await scene(9, [
    [1, 'b', live],
    [2, 'a', live],
    [3, 'off', live],
    [3, 'test'],
    [3, 'ends', { ...live, expiresAt: at(90) }],
    [4, 'c', live],
    [5, 'd', live],
  ]);
  await keyring.disable('off');
  expect(await found('never-expires')).toEqual({
    what: 'live keys that never expire',
    count: 4,
    worst: ['b', 'a', 'c'],
    list: ['list', '--status', 'active', '--mode', 'live', '--never-expires', '--sort', 'created'],
  });
  for (const name of ['a', 'b', 'c']) await keyring.disable(name);
  expect(await found('never-expires')).toMatchObject({ what: 'live key that never expires', count: 1, worst: ['d'] });
});

test('active keys that were not used for 90 days', async () => {
  const { keyring, found } = await scene(0, [
    [-100, 'off'],
    [-99, 'long ago'],
    [-98, 'never'],
    [-97, 'longer ago'],
    [-97, 'used'],
    [-80, 'young'],
  ]);
  await keyring.disable('off');
  for (const [name, day] of [
    ['long ago', -91],
    ['longer ago', -95],
    ['used', -89],
  ] as const)
    await markUsed(storeOf(keyring), [{ id: (await keyring.show(name)).id, at: at(day) }]);
  expect(await found('unused')).toMatchObject({
    count: 3,
    worst: ['never', 'longer ago', 'long ago'],
    list: ['list', '--status', 'active', '--unused-for', '90d', '--sort', 'last-used'],
  });
  for (const name of ['never', 'longer ago']) await keyring.disable(name);
  expect(await found('unused')).toMatchObject({
    count: 1,
    what: 'active key that was not used for 90 days, as far as use was recorded',
  });
});

test('active keys that expire within 14 days, and are older than a year', async () => {
  const { keyring, found } = await scene(366, [
    [0, 'old', { expiresAt: at(366 + 14) }],
    [0.5, 'soon', { expiresAt: at(367) }],
    [0.7, 'next', { expiresAt: at(366 + 7) }],
    [1.5, 'young', { expiresAt: at(366 + 15) }],
    [2, 'over', { expiresAt: at(365) }],
  ]);
  expect(await found('expiring')).toMatchObject({
    count: 3,
    worst: ['soon', 'next', 'old'],
    list: ['list', '--expiring-within', '14d', '--sort', 'expires'],
  });
  expect(await found('old')).toMatchObject({
    count: 3,
    worst: ['old', 'soon', 'next'],
    list: ['list', '--status', 'active', '--older-than', '365d', '--sort', 'created'],
  });
  for (const name of ['soon', 'next']) await keyring.disable(name);
  expect(await found('expiring')).toMatchObject({ count: 1, what: 'active key that expires within 14 days' });
  expect(await found('old')).toMatchObject({ count: 1, what: 'active key that is older than a year' });
});

test('keys that were never handed out', async () => {
  const { keyring, found } = await scene(0, [[0, 'delivered']]);
  const names = ['one', 'two'];
  await keyring.make(await keyring.plan(names.map((name) => input(name))), { toDeliver: true });
  const list = ['list', '--undelivered', '--sort', 'created'];
  expect(await found('undelivered')).toMatchObject({ count: 2, worst: names, list });
  await storeOf(keyring).settle([(await keyring.show('one')).id], change());
  expect(await found('undelivered')).toMatchObject({
    count: 1,
    what: 'key that was created and never handed out',
    worst: ['two'],
  });
});

test('keys that were refused often in 30 days, those most often first', async () => {
  const { keyring, found } = await scene(
    0,
    ['few', 'a', 'b', 'c', 'd', 'before'].map((name) => [0, name] as const),
  );
  const refused = async (name: string, times: number, when = NOW) => {
    const { id } = await keyring.show(name);
    await recordUse(storeOf(keyring), { uses: [{ id, verdict: 'missing_scope', times, at: when, detail: 'x:y' }] });
  };
  await refused('few', 99);
  await refused('before', 999, at(-30));
  await refused('a', 100);
  await refused('b', 50);
  await refused('b', 150, at(-29));
  await refused('c', 150);
  await refused('d', 300);
  expect(await found('refused')).toEqual({
    what: 'keys that were refused 100 times or more in 30 days',
    count: 4,
    worst: ['d', 'b', 'c'],
    list: ['list', '--refused', '100'],
  });
});

test('rotated keys that are still in use, those that end first', async () => {
  const { clock, keyring, found } = await scene(
    -2,
    ['a', 'b', 'c', 'd', 'quiet', 'over'].map((name) => [-3, name] as const),
  );
  for (const [i, name] of ['d', 'b', 'a', 'c', 'quiet', 'over'].entries()) {
    const { retired } = await keyring.rotate(name, { overlapMs: name === 'over' ? 0 : (5 + i) * DAY });
    if (name !== 'quiet') await markUsed(storeOf(keyring), [{ id: retired.id, at: at(-2) }]);
  }
  clock.now = at(-1);
  const { what, count, worst, list } = await found('overlap-in-use');
  expect({ what, count, list }).toEqual({
    what: 'rotated keys that are still in use',
    count: 4,
    list: ['list', '--rotating'],
  });
  expect(worst?.map((name: string) => name[0])).toEqual(['d', 'b', 'a']);
  for (const name of ['b', 'a', 'c']) await keyring.finishRotation(name, { force: true });
  expect(await found('overlap-in-use')).toMatchObject({ count: 1, what: 'rotated key that is still in use' });
});
