import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { DAY_MS, dayOf, recordedSince, type UseReport } from '../../src/domain/use.js';
import type { Statement } from '../../src/store/database.js';
import { readMigrations } from '../../src/store/migrations.js';
import { openStore } from '../../src/store/open.js';
import { NOW } from '../../src/store/raw-sql.js';
import { extended } from '../../src/store/use-counts.js';
import {
  change,
  ENGINES,
  freshLocation,
  freshStore,
  newKey,
  options,
  rawDatabase,
  recordUse,
  START,
} from '../support/stores.js';

const used = (id: string, times = 1, at = START) =>
  ({ id, verdict: 'valid', times, at, detail: null }) satisfies UseReport['uses'][number];
const refused = (id: string, detail: string, at = START, times = 1) =>
  ({ id, verdict: 'missing_scope', times, at, detail }) satisfies UseReport['uses'][number];
const today = dayOf(START);

describe.each(ENGINES)('the use of keys, on %s', (engine) => {
  test('adds up by day and verdict, whoever reports it, and once for each report', async () => {
    const store = await freshStore(engine);
    const [a, b] = [newKey('a'), newKey('b')];
    await store.create([a, b], change());
    const recorder = { id: randomUUID(), host: 'api-1' };
    const yesterday = new Date(START.getTime() - DAY_MS);
    const first = { recorder, uses: [used(a.id, 5), used(a.id, 3, yesterday), refused(a.id, 'plan:read', START, 2)] };
    await recordUse(store, first);
    await recordUse(store, first); // its answer was lost
    await recordUse(store, { uses: [used(a.id, 2), refused(a.id, 'plan:create', new Date(START.getTime() + 1))] });
    await recordUse(store, { recorder, batch: 2, uses: [used(b.id), used('0123456789ab')] });
    const totals = await store.use.totals([a.id, b.id], today - 1);
    expect(totals.get(a.id)).toEqual({
      used: 10,
      refused: 3,
      lastRefusedAt: new Date(START.getTime() + 1),
      lastRefusal: { verdict: 'missing_scope', detail: 'plan:create' },
    });
    expect(totals.get(b.id)).toEqual({ used: 1, refused: 0, lastRefusedAt: null, lastRefusal: null });
    expect((await store.use.totals([a.id], today)).get(a.id)?.used).toBe(7);
    expect((await store.use.days([a.id], today - 1)).map(({ day, verdict, times }) => [day, verdict, times])).toEqual([
      [today - 1, 'valid', 3],
      [today, 'missing_scope', 3],
      [today, 'valid', 7],
    ]);
    expect((await store.credential(a.id))?.key.lastUsedAt).toEqual(START);
    await store.delete(a.id, change());
    expect((await store.use.totals([a.id], 0)).size).toBe(0);
    expect(await (await rawDatabase(store.location, engine)).all('select count(*) as n from key_days')).toEqual([
      { n: 1 },
    ]);
    expect(await store.derivedProblems()).toEqual([]);
    expect((await store.check()).filter(({ status }) => status === 'failed')).toEqual([]);
  });

  test('goes with a deleted key, and comes back with it; a key that is purged takes it along', async () => {
    const store = await freshStore(engine);
    const [a, b] = [newKey('a'), newKey('b')];
    await store.create([a, b], change());
    const long = 'it\'s, "this": [1]\\';
    const uses = [used(a.id, 5), used(b.id), refused(a.id, long), refused(b.id, 'plan:read')];
    await recordUse(store, { uses });
    const before = await store.use.days([a.id], 0);
    expect(before).toHaveLength(2);
    await store.delete(a.id, change());
    await store.delete(b.id, change(), undefined, { purge: true });
    const db = await rawDatabase(store.location, engine);
    expect(await db.all('select count(*) as n from key_days')).toEqual([{ n: 0 }]);
    await store.deleted.restore(a.id, null, change());
    expect(await store.use.days([a.id], 0)).toEqual(before);
    for (const trigger of ['key_days_values', 'key_days_new_values']) await db.exec(`drop trigger ${trigger}`);
    const damaged = [
      "20000, 'a', x'ff', 1",
      "20001, 'B?', 1, 1",
      "20002, 'a', 0, 1",
      "x'ff', 'a', 1, 1",
      "20003, 'a', 'x', 1",
    ];
    for (const each of damaged)
      await db.exec(`insert into key_days select seq, ${each}, null from api_keys where id = '${a.id}'`);
    await store.delete(a.id, change()); // damaged counts keep nobody from deleting and restoring a key
    await store.deleted.restore(a.id, null, change());
    expect(await store.use.days([a.id], 0)).toEqual(before);
    expect((await store.use.known([a.id, b.id], today)).totals).toEqual(await store.use.totals([a.id, b.id], today));
    expect((await store.use.totals([a.id], today)).get(a.id)).toMatchObject({ used: 5, refused: 1 });
    expect((await store.use.known([], today)).recording).toEqual(await store.use.recording());
  });

  test('finds the keys that were refused often', async () => {
    const store = await freshStore(engine);
    const keys = ['alpha', 'bravo', 'charly'].map((name) => newKey(name));
    await store.create(keys, change());
    const [a, b, c] = keys as [(typeof keys)[0], (typeof keys)[0], (typeof keys)[0]];
    const ago = (days: number) => new Date(START.getTime() - days * DAY_MS);
    const locked = { ...used(a.id, 3), verdict: 'wrong_address' } as const;
    const uses = [locked, refused(a.id, 'x:y', ago(29), 4), refused(b.id, 'x:y', ago(30), 9), used(c.id, 9)];
    await recordUse(store, { uses });
    const names = async (refusedAtLeast: number, more = {}) =>
      (await store.list({ refusedAtLeast, now: START, sort: 'created', ...more })).keys.map(({ name }) => name);
    expect([await names(7), await names(8), await names(1, { search: 'bravo' })]).toEqual([['alpha'], [], []]);
    expect(await store.count({ refusedAtLeast: 1, now: START })).toBe(1);
  });

  test('a refusal is no use; days that are long over go, and the clock of the store bounds times', async () => {
    const store = await freshStore(engine);
    const key = newKey('a');
    await store.create([key], change());
    const [ahead, old] = [new Date(Date.now() + 400 * DAY_MS), new Date(Date.now() - 100 * DAY_MS)];
    await recordUse(store, { uses: [refused(key.id, 'plan:read')] });
    expect((await store.credential(key.id))?.key.lastUsedAt).toBeNull();
    await recordUse(store, { uses: [refused(key.id, 'plan:read', ahead), refused(key.id, 'plan:read', old)] });
    const days = (await store.use.days([key.id], 0)).map(({ day }) => day);
    expect(days).toEqual([today, dayOf(new Date())].sort()); // what is older than 90 days was not kept
    await (await rawDatabase(store.location, engine)).exec(
      'update recorders set batch = 0',
      'drop trigger key_days_values',
    );
    await (await rawDatabase(store.location, engine)).exec(
      `insert into key_days select seq, 1, 'valid', 1, 1, null from api_keys`,
    );
    expect(await store.use.trim()).toBe(1);
    expect(await store.use.trim()).toBe(0);
  });

  test('counts are removed when the last change or an earlier day of recording agrees with the clock', async () => {
    const ago = (days: number) => new Date(Date.now() - days * DAY_MS);
    const scene = async () => {
      const store = await freshStore(engine);
      const key = newKey('a');
      await store.create([key], change(ago(200)));
      await recordUse(store, { from: ago(150), at: ago(150), uses: [used(key.id, 1, ago(150))] });
      // The clock of this machine could be 150 days ahead, as far as the store knows.
      await recordUse(store, { from: ago(0), at: ago(0), uses: [used(key.id, 1, ago(0))] });
      await recordUse(store, { from: ago(0), at: ago(0) });
      const days = async () => (await store.use.days([key.id], 0)).map(({ day }) => day);
      expect(await days()).toEqual([dayOf(ago(150)), dayOf(ago(0))]);
      expect(await store.use.trim()).toBe(0);
      return { store, key, days };
    };
    const changed = await scene();
    await changed.store.setStatus(changed.key.id, 'inactive', change(ago(0)));
    await recordUse(changed.store, { from: ago(0), at: ago(0) });
    expect(await changed.days()).toEqual([dayOf(ago(0))]);
    const reported = await scene();
    await recordUse(reported.store, { from: ago(1), at: ago(1) });
    expect(await reported.days()).toEqual([dayOf(ago(0))]);
    const idle = await scene();
    const db = await rawDatabase(idle.store.location, engine);
    await db.exec(`insert into recorder_spans values (1, ${ago(1).getTime()}, ${Date.now()})`);
    expect(await idle.store.use.trim()).toBe(1);
    expect(await idle.days()).toEqual([dayOf(ago(0))]);
  });

  test('a clock that is behind removes no counts', async () => {
    const store = await freshStore(engine);
    const key = newKey('a');
    await store.create([key], change(new Date(Date.now() + 50 * DAY_MS)));
    const ahead = dayOf(new Date()) + 50;
    const db = await rawDatabase(store.location, engine);
    await db.exec(`insert into key_days select seq, ${ahead}, 'valid', 1, 1, null from api_keys`);
    await recordUse(store, {});
    expect(await store.use.trim()).toBe(0);
    await db.exec(`insert into recorder_spans values (1, ${Date.now() - DAY_MS}, ${Date.now() + 50 * DAY_MS})`);
    await store.setStatus(key.id, 'inactive', change(new Date()));
    await recordUse(store, {});
    expect(await store.use.trim()).toBe(0);
    await db.exec('delete from recorder_spans');
    expect(await store.use.trim()).toBe(1);
  });

  test('times of servers whose clock was ahead say nothing', async () => {
    const store = await freshStore(engine);
    await recordUse(store, { from: START, at: START });
    const later = Date.now() + 400 * DAY_MS;
    const db = await rawDatabase(store.location, engine);
    for (const records of [0, 1]) await db.exec(`insert into recorder_spans values (${records}, ${later}, ${later})`);
    expect(await store.use.recording()).toMatchObject({ recorded: [{ since: START, until: START }], unrecorded: [] });
    expect(await store.use.trim()).toBe(0);
  });

  test('knows since when and by whom use is recorded', async () => {
    const store = await freshStore(engine);
    const at = (minutes: number) => new Date(START.getTime() - minutes * 60_000);
    expect(await store.use.recording()).toEqual({ recorded: [], unrecorded: [], recorders: [] });
    const recorder = { id: randomUUID(), host: 'api-1' };
    await recordUse(store, { recorder, from: at(600), at: at(600) });
    await recordUse(store, { recorder, batch: 2, from: at(600), at: at(500) }); // held in memory over an outage
    await recordUse(store, { from: at(490), at: at(400), recorder: { id: randomUUID(), host: 'api-2' } });
    await recordUse(store, { from: at(100), at: at(0) });
    const { recorded, recorders } = await store.use.recording();
    expect(recorded).toEqual([
      { since: at(100), until: at(0) },
      { since: at(600), until: at(400) },
    ]);
    expect(recorders.map(({ host, seen }) => [host, seen])).toEqual([
      ['api-1', at(0)],
      ['api-2', at(400)],
      ['api-1', at(500)],
    ]);
    expect(recordedSince(await store.use.recording(), START)).toEqual(at(600));
    await recordUse(store, { recorder, batch: 3, ended: true, from: at(0), at: at(0) });
    expect((await store.use.recording()).recorders).toHaveLength(2);
    await recordUse(store, { records: false, recorder: { id: randomUUID(), host: 'blind' } });
    expect(recordedSince(await store.use.recording(), START)).toBeNull();
  });

  test('the time of a server that does not record stays one, when the clock moves on between two statements', async () => {
    const location = await freshLocation(engine);
    await (await freshStore(engine, location)).use.recording();
    const db = await rawDatabase(location, engine);
    const recorder = { id: randomUUID(), host: 'blind' };
    const [extend, begin] = extended({
      recorder,
      records: false,
      batch: 1,
      from: START,
      at: START,
      ended: false,
      uses: [],
    });
    const run = ({ sql, params }: Statement) => db.all(sql, ...params);
    const clock = async () => (await db.rows(`select ${NOW}`))[0]?.[0];
    await run(begin as Statement);
    await run(extend as Statement);
    for (const before = await clock(); (await clock()) === before; );
    await run(begin as Statement);
    expect(await db.rows('select count(*) from recorder_spans')).toEqual([[1]]);
  });

  test('a store of an earlier schema takes marks, and says that nothing was recorded', async () => {
    const location = await freshLocation(engine);
    const migrations = readMigrations().slice(0, 5);
    const older = await openStore(location, options(engine, { migrations }));
    const key = newKey('a');
    await older.create([key], change());
    const store = await openStore(location, options(engine, { create: false }));
    await recordUse(store, { uses: [used(key.id, 7)] });
    expect((await store.credential(key.id))?.key.lastUsedAt).toEqual(START);
    expect(await store.use.recording()).toEqual({ recorded: [], unrecorded: [], recorders: [] });
    expect((await store.use.totals([key.id], 0)).size).toBe(0);
    expect(await store.use.trim()).toBe(0);
    expect(await store.derivedProblems()).toEqual([]);
    await store.upgrade();
    await recordUse(store, { uses: [used(key.id, 7)] });
    expect((await store.use.totals([key.id], 0)).get(key.id)?.used).toBe(7);
    expect((await older.credential(key.id))?.key.name).toBe('a'); // a server of the version before goes on
    await recordUse(older, { uses: [used(key.id)] });
    await store.close();
    await older.close();
  });
});
