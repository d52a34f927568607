import { describe, expect, test } from 'vitest';
import { dayOf, dayText } from '../../src/domain/use.js';
import { beginningOf } from '../../src/keyring/usage.js';
import { freshKeyring, make } from '../support/keyrings.js';
import { type Clock, DEFAULT_ENGINE, rawDatabase, recordUse, START, storeOf } from '../support/stores.js';

// How use is counted and stored is tested on every engine, in test/store/use.test.ts.

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** Yesterday: the store takes no counts that are much older, or later than its own clock. */
const NOW = new Date(beginningOf(2, new Date()).getTime() + 10 * HOUR);
const at = (days: number) => new Date(NOW.getTime() + days * DAY);
const dayAt = (days: number) => dayText(dayOf(at(days)));

/** A keyring whose keys `a`, `b` and `c` were made 100 days ago. */
async function scene() {
  const clock: Clock = { now: at(-100) };
  const keyring = await freshKeyring(DEFAULT_ENGINE, clock);
  const keys = [];
  for (const name of ['a', 'b', 'c']) keys.push((await make(keyring, name)).key);
  clock.now = NOW;
  const [a, b, c] = keys as [(typeof keys)[0], (typeof keys)[0], (typeof keys)[0]];
  const uses = (key: typeof a, days: number, times: number, verdict: 'valid' | 'expired' | 'wrong_address' = 'valid') =>
    recordUse(storeOf(keyring), {
      uses: [{ id: key.id, verdict, times, at: at(days), detail: verdict === 'valid' ? null : (verdict[0] as string) }],
    });
  const spans = async (...all: [since: number, until: number][]) => {
    const db = await rawDatabase(keyring.location, DEFAULT_ENGINE);
    await db.exec('delete from recorder_spans');
    for (const [since, until] of all)
      await db.exec(`insert into recorder_spans values (1, ${at(since).getTime()}, ${at(until).getTime()})`);
  };
  return { clock, keyring, a, b, c, uses, spans };
}

describe('usage', () => {
  test('is of 30 days with today, of the keys that were used or refused, those with the most use first', async () => {
    const { keyring, a, b, c, uses } = await scene();
    await uses(a, 0, 2);
    await uses(a, -29, 3);
    await uses(a, -30, 100);
    await uses(b, 0, 7);
    await uses(b, 0, 1, 'expired');
    const told = async (query = {}) =>
      (await keyring.usage(query)).map(({ key, used, refused }) => [key.name, used, refused]);
    expect(await told()).toEqual([
      ['b', 7, 1],
      ['a', 5, 0],
    ]);
    await uses(c, 0, 5);
    await uses(c, 0, 1, 'wrong_address');
    expect(await told()).toEqual([
      ['b', 7, 1],
      ['c', 5, 1],
      ['a', 5, 0],
    ]);
    expect(await told({ since: at(-30) })).toEqual([
      ['a', 105, 0],
      ['b', 7, 1],
      ['c', 5, 1],
    ]);
    expect(await told({ since: NOW })).toEqual([
      ['b', 7, 1],
      ['c', 5, 1],
      ['a', 2, 0],
    ]);
    expect(await told({ since: at(9) })).toEqual(await told({ since: NOW })); // no day comes after today
  });

  test('of keys that were refused only is told as well, and of those that are asked for even without any', async () => {
    const { keyring, a, b, uses } = await scene();
    await uses(a, 0, 1, 'expired');
    expect((await keyring.usage()).map(({ key }) => key.name)).toEqual(['a']);
    expect((await keyring.usage({ keys: [b, a] })).map(({ key, used, refused }) => [key.name, used, refused])).toEqual([
      ['b', 0, 0],
      ['a', 0, 1],
    ]);
    expect((await keyring.knownUse([b])).uses).toMatchObject([{ key: b, used: 0, lastRefusal: null }]);
  });

  test('is known since the key was made, since recording began, or not at all', async () => {
    const { keyring, a, spans } = await scene();
    const since = async () => (await keyring.usage({ keys: [a] }))[0]?.recordedSince;
    expect(await since()).toBeNull();
    await spans([-50, 0]);
    expect(await since()).toEqual(at(-50));
    await spans([-200, 0]);
    expect(await since()).toEqual(a.createdAt);
  });
});

describe('use by day', () => {
  test('is told for each day, with every verdict and the last refusal', async () => {
    const { keyring, a, b, uses, spans } = await scene();
    await spans([-3, -2], [-1, 0]);
    await uses(a, -2, 4);
    await uses(b, -2, 9);
    await uses(a, -1, 1, 'wrong_address');
    await uses(a, -1 + 1 / 24, 2, 'expired');
    await uses(a, -3, 1, 'expired');
    await uses(a, -3 + 1 / 24, 1, 'wrong_address');
    await uses(a, -5, 1);
    await spans([-3, -2], [-1, 0]);
    const days = await keyring.usageByDay('a', { since: at(-5) });
    const key = await keyring.show('a');
    const none = { key, refusals: {}, lastRefusedAt: null, lastRefusal: null };
    expect(days).toEqual([
      { ...none, day: dayAt(-5), used: 1, refused: 0 },
      { ...none, day: dayAt(-4), used: null, refused: null },
      {
        key,
        day: dayAt(-3),
        used: 0,
        refused: 2,
        refusals: { expired: 1, wrong_address: 1 },
        lastRefusedAt: at(-3 + 1 / 24),
        lastRefusal: { verdict: 'wrong_address', detail: 'w' },
      },
      { ...none, day: dayAt(-2), used: 4, refused: 0 },
      {
        key,
        day: dayAt(-1),
        used: 0,
        refused: 3,
        refusals: { wrong_address: 1, expired: 2 },
        lastRefusedAt: at(-1 + 1 / 24),
        lastRefusal: { verdict: 'expired', detail: 'e' },
      },
      { ...none, day: dayAt(0), used: 0, refused: 0 },
    ]);
  });

  test('goes back 90 days at most, and is not known before the key was made', async () => {
    const { clock, keyring, spans } = await scene();
    await spans([-200, 0]);
    const used = async (name: string, since?: Date) =>
      (await keyring.usageByDay(name, since && { since })).map((each) => each.used);
    expect(await used('a', at(-365))).toEqual(Array(91).fill(0));
    expect(await used('a')).toEqual(Array(30).fill(0));
    expect(await used('a', at(9))).toEqual([0]);
    clock.now = at(-1);
    await make(keyring, 'young');
    clock.now = NOW;
    expect(await used('young', at(-3))).toEqual([null, null, 0, 0]);
  });

  test('goes on to the day of a count that is ahead of this clock', async () => {
    const { clock, keyring, a, uses } = await scene();
    await uses(a, 0, 2);
    clock.now = at(-1);
    expect((await keyring.usageByDay('a', { since: at(-1) })).map(({ day, used }) => [day, used])).toEqual([
      [dayAt(-1), null],
      [dayAt(0), 2],
    ]);
  });
});

test('so many days with today begin at midnight UTC', () => {
  expect(beginningOf(1, START)).toEqual(new Date('2026-11-23T00:00:00Z'));
  expect(beginningOf(30, START)).toEqual(new Date('2026-10-25T00:00:00Z'));
});
