import { describe, expect, test } from 'vitest';
import { freshKeyring, make } from '../support/keyrings.js';
import { DEFAULT_ENGINE, ENGINES, markUsed, RECORDED_ALWAYS, rawDatabase, START, storeOf } from '../support/stores.js';
import { unguarded } from '../support/unguarded.js';

const DAY = 86_400_000;
const onDay = (days: number) => new Date(START.getTime() + days * DAY);

describe.each(ENGINES)('the keys to prune, on %s', (engine) => {
  test('meet one of the conditions, oldest first; a key in an overlap and a damaged key are left alone', async () => {
    const clock = { now: START };
    const keyring = await freshKeyring(engine, clock);
    const names = async (query: Parameters<typeof keyring.prunable>[0]) =>
      (await keyring.prunable(query)).map(({ name }) => name);
    for (const [day, name, more] of [
      [0, 'expired', { expiresAt: onDay(10) }],
      [1, 'never', { mode: 'live', labels: { team: 'x' } }],
      [2, 'damaged', {}],
      [3, 'rotated', {}],
    ] as const) {
      clock.now = onDay(day);
      await make(keyring, name, more);
    }
    clock.now = onDay(99);
    const { retired } = await keyring.rotate('rotated', { overlapMs: 2 * DAY });
    const db = await rawDatabase(keyring.location, engine);
    await unguarded(db, engine, "update api_keys set created_at = 'x' where name = 'damaged'");
    clock.now = onDay(100);

    for (const query of [{ unusedSince: onDay(50) }, { neverUsedBefore: onDay(50), expired: true }]) {
      await expect(keyring.prunable(query)).rejects.toMatchObject({
        code: 'guarded',
        message: expect.stringContaining('is not known: no server has recorded any use yet'),
      });
      expect((await keyring.prunable({ ...query, force: true })).length).toBeGreaterThan(0);
    }
    await db.exec(RECORDED_ALWAYS);
    expect(await names({ expired: true })).toEqual(['expired']);
    expect(await names({ unusedSince: onDay(50) })).toEqual(['expired', 'never']);
    expect(await names({ neverUsedBefore: onDay(50), mode: 'live' })).toEqual(['never']);
    expect(await names({ neverUsedBefore: onDay(50), labels: { team: 'y' } })).toEqual([]);
    expect(await names({ unusedSince: onDay(1) })).toEqual(['expired']);
    clock.now = onDay(102);
    expect(await names({ expired: true })).toEqual(['expired', retired.name]);
  });

  test('are known only where their use was recorded all the time', async () => {
    const onDay = (day: number) => new Date(START.getTime() + (day - 100) * DAY); // recording that begins in the future counts for nothing
    const clock = { now: onDay(0) };
    const keyring = await freshKeyring(engine, clock);
    await make(keyring, 'before');
    clock.now = onDay(30);
    await make(keyring, 'later');
    clock.now = onDay(100);
    const db = await rawDatabase(keyring.location, engine);
    const spans = async (...all: [records: 0 | 1, since: number, until: number][]) => {
      await db.exec('delete from recorder_spans');
      for (const [records, since, until] of all)
        await db.exec(
          `insert into recorder_spans values (${records}, ${onDay(since).getTime()}, ${onDay(until).getTime()})`,
        );
    };
    const never = () => keyring.prunable({ neverUsedBefore: onDay(60) });
    await spans([1, 20, 99.9]);
    expect((await never()).map(({ name }) => name)).toEqual(['later']); // the other may have been used before it was recorded
    expect(await keyring.prunable({ neverUsedBefore: onDay(60), force: true })).toHaveLength(2);
    expect(await keyring.prunable({ unusedSince: onDay(60) })).toHaveLength(2);
    const refusals: [Parameters<typeof spans>, RegExp][] = [
      [[[1, 62, 100]], /has been recorded since .* only/],
      [[[1, 20, 98]], /no server has recorded use since/],
      [
        [
          [1, 20, 70],
          [1, 75, 100],
        ],
        /recorded since .* only/,
      ],
      [
        [
          [1, 20, 100],
          [0, 90, 91],
        ],
        /a server checked keys without recording their use .*--no-marks/,
      ],
    ];
    for (const [all, why] of refusals) {
      await spans(...all);
      await expect(never()).rejects.toMatchObject({ code: 'guarded', message: expect.stringMatching(why) });
      expect(await keyring.prunable({ expired: true })).toEqual([]);
    }
    for (const gap of [
      [
        [1, 20, 70],
        [1, 70.9, 100],
      ],
      [[1, 60.5, 100]],
      [
        [1, 20, 100],
        [0, 10, 40],
      ],
    ] as Parameters<typeof spans>[]) {
      await spans(...gap);
      await never();
    }
  });

  test('are asked for with a condition', async () => {
    const keyring = await freshKeyring(engine);
    for (const query of [{}, { mode: 'test' }, { expired: false }] as const)
      await expect(keyring.prunable(query)).rejects.toMatchObject({
        code: 'usage',
        message: 'prune needs at least one condition',
        hint: 'expired, unusedSince or neverUsedBefore',
      });
  });
});

describe('the keys to prune', () => {
  /** Keys that were made on these days before now, in this order. */
  async function scene(keys: readonly (readonly [day: number, name: string, more?: object])[]) {
    const clock = { now: START };
    const keyring = await freshKeyring(DEFAULT_ENGINE, clock);
    for (const [day, name, more] of keys) {
      clock.now = onDay(day);
      await make(keyring, name, more);
    }
    clock.now = START;
    const db = await rawDatabase(keyring.location, DEFAULT_ENGINE);
    const names = async (query: Parameters<typeof keyring.prunable>[0]) =>
      (await keyring.prunable(query)).map(({ name }) => name);
    return { clock, keyring, db, names };
  }

  test('that meet several conditions come once, and all of them oldest first', async () => {
    const { db, names } = await scene([
      [-99, 'never'],
      [-98, 'expired', { expiresAt: onDay(-1) }],
      [-97, 'never and live', { mode: 'live', expiresAt: onDay(90) }],
      [-10, 'young and expired', { expiresAt: onDay(-1) }],
      [-9, 'young'],
    ]);
    await db.exec(RECORDED_ALWAYS);
    const query = { expired: true, unusedSince: onDay(-50), neverUsedBefore: onDay(-50) };
    expect(await names(query)).toEqual(['never', 'expired', 'never and live', 'young and expired']);
    expect(await names({ ...query, mode: 'live' })).toEqual(['never and live']);
    expect(await names({ neverUsedBefore: onDay(-50), expired: false })).toEqual([
      'never',
      'expired',
      'never and live',
    ]);
  });

  test('are none of which something cannot be read, and are once it can', async () => {
    const { db, names } = await scene([[-99, 'a', { expiresAt: onDay(-1) }]]);
    await unguarded(db, DEFAULT_ENGINE, "update api_keys set rate_limit = 'x'");
    expect(await names({ expired: true })).toEqual([]);
    await unguarded(db, DEFAULT_ENGINE, 'update api_keys set rate_limit = 600');
    expect(await names({ expired: true })).toEqual(['a']);
  });

  test('are not those that were used, where never is asked for', async () => {
    const { keyring, db, names } = await scene([
      [-99, 'never'],
      [-98, 'long ago'],
    ]);
    await markUsed(storeOf(keyring), [{ id: (await keyring.show('long ago')).id, at: onDay(-90) }]);
    await db.exec('delete from recorder_spans', RECORDED_ALWAYS);
    expect(await names({ neverUsedBefore: onDay(-50) })).toEqual(['never']);
    expect(await names({ neverUsedBefore: onDay(-50), force: true })).toEqual(['never']);
    expect(await names({ unusedSince: onDay(-50) })).toEqual(['never', 'long ago']);
  });

  test('are not those that still work beside their successor, and are once the overlap is over', async () => {
    const { clock, keyring, db, names } = await scene([
      [-99, 'a'],
      [-98, 'b'],
    ]);
    await db.exec(RECORDED_ALWAYS);
    await keyring.rotate('a', { overlapMs: DAY });
    expect(await names({ unusedSince: onDay(-50) })).toEqual(['b']);
    clock.now = onDay(1);
    expect(await names({ unusedSince: onDay(-50) })).toEqual([expect.stringMatching(/^a \(old/), 'b']);
  });

  test('are not known before all use was recorded, and it is said from when on they are', async () => {
    const { keyring, db } = await scene([[-99, 'a']]);
    const refused = async (query: Parameters<typeof keyring.prunable>[0]) =>
      keyring.prunable(query).then(
        () => null,
        ({ code, message, hint }) => ({ code, message, hint }),
      );
    const anyway = 'a key in use would look unused. To see them: list --unused-for; to do it anyway: --force';
    expect(await refused({ unusedSince: onDay(-50) })).toEqual({
      code: 'guarded',
      message: expect.stringMatching(
        new RegExp(`^whether keys were used since ${onDay(-50).toISOString()} is not known: no server`),
      ),
      hint: anyway,
    });
    await db.exec(`insert into recorder_spans values (1, ${onDay(-10).getTime()}, ${START.getTime()})`);
    for (const query of [
      { unusedSince: onDay(-50), neverUsedBefore: onDay(-9) },
      { unusedSince: onDay(-9), neverUsedBefore: onDay(-50) },
    ])
      expect(await refused(query)).toEqual({
        code: 'guarded',
        message: expect.stringContaining(`since ${onDay(-50).toISOString()} is not known`),
        hint: `it is known from 2027-01-03 on; ${anyway}`,
      });
    expect(await refused({ unusedSince: onDay(-9), neverUsedBefore: onDay(-9) })).toBeNull();
  });
});
