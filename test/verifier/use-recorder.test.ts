import { describe, expect, test, vi } from 'vitest';
import type { ApiKey } from '../../src/domain/api-key.js';
import type { KeysError } from '../../src/domain/errors.js';
import { DAY_MS, dayOf, type UseReport } from '../../src/domain/use.js';
import type { Keyring } from '../../src/keyring/keyring.js';
import { UseRecorder } from '../../src/verifier/use-recorder.js';
import { underFakeTime } from '../support/fake-time.js';
import { faultyProxy } from '../support/faulty-proxy.js';
import { freshKeyring, make } from '../support/keyrings.js';
import { atEnd } from '../support/lifetime.js';
import type { RawDatabase } from '../support/raw-database.js';
import { daysOf, recording } from '../support/recording.js';
import type { TOKENS } from '../support/sqld.js';
import {
  DEFAULT_ENGINE,
  ENGINES,
  type EngineName,
  LOCAL_ENGINES,
  rawDatabase,
  START,
  storeOf,
} from '../support/stores.js';

describe.each(ENGINES)('a recorder reports use, on %s', (engine) => {
  test('of thousands of keys every five seconds and not sooner, in reports that leave others their turn', async () => {
    const store = storeOf(await freshKeyring(engine));
    const reports: number[] = [];
    const record = store.use.record.bind(store.use);
    let turns = 0;
    store.use.record = async (report) => {
      reports.push(report.uses.length);
      setImmediate(() => void turns++);
      await record(report);
    };
    const { recorder } = recording(store);
    for (let i = 0; i < 3500; i++) recorder.used(`key ${i}`, START.getTime());
    await new Promise(setImmediate);
    expect(reports).toEqual([]);
    await recorder.flush();
    expect(reports).toEqual([1000, 1000, 1000, 500]);
    expect(turns).toBeGreaterThanOrEqual(3);
  });
});

describe.each(LOCAL_ENGINES)('while the store refuses what is counted, on %s', (engine) => {
  test('an outage is one warning, and what was counted meanwhile is written afterwards', async () => {
    const keyring = await freshKeyring(engine);
    const { key } = await make(keyring, 'a');
    const db = await rawDatabase(keyring.location, engine);
    const [fail, mend] = [
      "create trigger full before insert on key_days begin select raise(abort, 'no'); end",
      'drop trigger full',
    ];
    const { recorder, warnings } = recording(storeOf(keyring));
    await recorder.start();
    const useAndFlush = async () => {
      recorder.used(key.id, START.getTime());
      await recorder.flush();
    };
    await db.exec(fail);
    for (let i = 0; i < 3; i++) await useAndFlush();
    expect(warnings.map(({ code }) => code)).toEqual(['conflict']);
    expect(recorder.failures).toBe(3);
    await db.exec(mend);
    await recorder.flush();
    expect(await daysOf(keyring, key.id)).toEqual([[dayOf(START), 'valid', 3, null]]);
    await db.exec(fail);
    await useAndFlush();
    expect(warnings).toHaveLength(2);
    await db.exec(mend);
    await recorder.close();
    expect(await daysOf(keyring, key.id)).toEqual([[dayOf(START), 'valid', 4, null]]);
  });

  test('a report that no store takes does not hold up the others for ever', async () => {
    const keyring = await freshKeyring(engine);
    const { key } = await make(keyring, 'a');
    const { recorder } = recording(storeOf(keyring));
    recorder.used(key.id, -DAY_MS); // a clock before 1970
    for (let i = 0; i < 10; i++) await recorder.flush();
    recorder.used(key.id, START.getTime());
    await recorder.close();
    expect(await daysOf(keyring, key.id)).toEqual([[dayOf(START), 'valid', 1, null]]);
  });
});

describe.each(LOCAL_ENGINES)('what was counted is written, on %s', (engine) => {
  const written = async (keyring: Keyring) =>
    Promise.all((await keyring.list()).keys.map(async ({ id }) => (await daysOf(keyring, id)).map((each) => each[2])));

  test('in several reports where it is much, none of it twice', async () => {
    const keyring = await freshKeyring(engine);
    const [first, last] = [(await make(keyring, 'a')).key.id, (await make(keyring, 'b')).key.id];
    const { recorder, warnings } = recording(storeOf(keyring));
    await recorder.start();
    recorder.used(first, START.getTime());
    for (let i = 0; i < 11_000; i++) recorder.used(`unknown ${i}`, START.getTime());
    recorder.used(last, START.getTime());
    await recorder.close();
    await recorder.close();
    expect(await written(keyring)).toEqual([[1], [1]]);
    expect([warnings, recorder.failures]).toEqual([[], 0]);
    const { recorded, recorders } = await storeOf(keyring).use.recording();
    expect([recorded.length, recorders]).toEqual([1, []]);
  });

  test('also after a warning that failed', async () => {
    const keyring = await freshKeyring(engine);
    const { key } = await make(keyring, 'a');
    const db = await rawDatabase(keyring.location, engine);
    const onWarning = () => {
      throw new Error('no log');
    };
    const store = storeOf(keyring);
    const recorder = new UseRecorder(store, { host: 'api-1', records: true, onWarning, now: () => START.getTime() });
    atEnd(() => recorder.stop());
    await recorder.start();
    await db.exec("create trigger full before insert on key_days begin select raise(abort, 'no'); end");
    recorder.used(key.id, START.getTime());
    await recorder.flush();
    expect(recorder.failures).toBe(1);
    await db.exec('drop trigger full');
    await recorder.close();
    expect(await written(keyring)).toEqual([[1]]);
  });
});

describe('while time stands still', () => {
  const modules = underFakeTime(async () => ({
    ...(await import('../../src/verifier/use-recorder.js')),
    stores: await import('../support/stores.js'),
    sqld: await import('../support/sqld.js'),
    opening: await import('../../src/store/open.js'),
  }));
  const SECOND = 1000;
  const MINUTE = 60 * SECOND;
  const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

  interface SceneOptions {
    readonly records?: boolean;
    readonly token?: keyof typeof TOKENS;
    readonly affliction?: 'read-only' | 'full';
    /** The answer to the nth request is lost, and then the server is gone. */
    readonly lost?: number;
  }

  /** A recorder over a real store with one key, and another connection to it. */
  async function scene(engine: EngineName, { records = true, token = 'full', affliction, lost }: SceneOptions = {}) {
    const { UseRecorder, stores, opening, sqld } = modules();
    const made = await stores.freshStore(engine);
    const key = stores.newKey('a');
    await made.create([key], stores.change());
    const access = engine === 'sqld' ? { token: sqld.TOKENS[token] } : {};
    const proxy = lost === undefined ? undefined : await faultyProxy(made.location);
    proxy?.at(lost ?? 0, 'cut-before-reply');
    for (let nth = 1; nth < 50; nth++) proxy?.at((lost ?? 0) + nth, 'unavailable');
    const store = affliction
      ? await stores.afflictedStore(made.location, stores.DEFAULT_ENGINE, affliction)
      : await opening.openStore(proxy?.url ?? made.location, stores.options(engine, { create: false, ...access }));
    atEnd(() => store.close().catch(() => {}));
    const clock = { now: START.getTime() };
    const warnings: string[] = [];
    const said: KeysError[] = [];
    const onWarning = (warning: KeysError) => {
      said.push(warning);
      warnings.push(warning.code);
    };
    const recorder = new UseRecorder(store, { host: 'api-1', records, onWarning, now: () => clock.now });
    const sent: UseReport[] = [];
    const record = store.use.record.bind(store.use);
    store.use.record = (report) => {
      sent.push(report);
      return record(report);
    };
    const db: RawDatabase = await stores.rawDatabase(made.location, engine);
    return {
      store,
      db,
      clock,
      recorder,
      warnings,
      said,
      use: (id = key.id) => recorder.used(id, clock.now),
      refuse: () => recorder.refused({ verdict: 'inactive', key: { id: key.id } as ApiKey }, clock.now),
      lock: () => db.exec('begin immediate'),
      unlock: () => db.exec('rollback'),
      /** The reports since the last time, those included that the store did not take. */
      sent: () => sent.splice(0),
      counted: async () => (await made.use.days([key.id], 0)).map(({ verdict, times }) => [verdict, times] as const),
    };
  }
  const timesOf = (reports: UseReport[]) => reports.map(({ uses }) => uses.map(({ times }) => times));

  describe.each(LOCAL_ENGINES)('on %s', (engine) => {
    test('five seconds after the first of them, uses and refusals are reported together', async () => {
      const { use, refuse, sent, counted } = await scene(engine);
      use();
      await pass(4999);
      refuse();
      use();
      expect(sent()).toEqual([]);
      await pass(1);
      expect(timesOf(sent())).toEqual([[2, 1]]);
      await pass(5 * MINUTE);
      expect([sent(), vi.getTimerCount()]).toEqual([[], 0]);
      refuse();
      await pass(5000);
      expect(timesOf(sent())).toEqual([[1]]);
      expect(await counted()).toEqual([
        ['inactive', 2],
        ['valid', 2],
      ]);
    });

    test('a server without requests reports each minute that it is there, and once that it stops', async () => {
      const { recorder, clock, sent } = await scene(engine);
      await recorder.start();
      const from = new Date(clock.now);
      expect(sent()).toMatchObject([{ batch: 1, records: true, from, at: from, ended: false, uses: [] }]);
      await recorder.flush();
      await pass(MINUTE - 1);
      expect(sent()).toEqual([]);
      clock.now += MINUTE;
      await pass(1);
      const at = new Date(clock.now);
      expect(sent()).toMatchObject([{ batch: 2, from, at, ended: false, uses: [] }]);
      await pass(MINUTE);
      expect(sent()).toMatchObject([{ batch: 3, from: at, at, ended: false }]);
      await recorder.close();
      expect(sent()).toMatchObject([{ batch: 4, ended: true }]);
      await recorder.close();
      await pass(2 * MINUTE);
      expect([sent(), vi.getTimerCount()]).toEqual([[], 0]);
    });

    test('what is used while it stops is reported as well', async () => {
      const { recorder, use, sent, counted } = await scene(engine);
      use();
      await recorder.close();
      use();
      expect(vi.getTimerCount()).toBe(0);
      await recorder.close();
      expect(sent()).toMatchObject([{ ended: true }, { ended: true }]);
      expect(await counted()).toEqual([['valid', 2]]);
    });

    test('a report is sent as it is until it arrives, and the next one begins where it ends', async () => {
      const { recorder, clock, use, lock, unlock, sent, counted } = await scene(engine);
      const from = new Date(clock.now);
      clock.now += SECOND;
      const at = new Date(clock.now);
      await lock();
      use();
      await recorder.flush();
      clock.now += SECOND;
      use();
      use();
      await recorder.flush();
      const [first, again] = sent();
      expect(first).toMatchObject({ batch: 1, from, at, uses: [{ times: 1 }] });
      expect(again).toBe(first);
      await unlock();
      await pass(4999);
      expect(sent()).toEqual([]);
      await pass(1);
      expect(sent()).toMatchObject([first, { batch: 2, from: at, at: new Date(clock.now), uses: [{ times: 2 }] }]);
      expect(await counted()).toEqual([['valid', 3]]);
      expect(vi.getTimerCount()).toBe(0);
    });

    test('nobody recorded in the time that a clock passed over when it was set', async () => {
      const { recorder, clock, sent } = await scene(engine);
      await recorder.start();
      const from = new Date(clock.now);
      await pass(MINUTE);
      clock.now += 15 * MINUTE + MINUTE; // as little is joined by the store anyhow
      await pass(MINUTE);
      const near = new Date(clock.now);
      clock.now += 365 * DAY_MS;
      await pass(MINUTE);
      const ahead = new Date(clock.now);
      expect(sent().map((each) => [each.from, each.at])).toEqual([
        [from, from],
        [from, from],
        [from, near],
        [new Date(ahead.getTime() - MINUTE), ahead],
      ]);
      clock.now -= 365 * DAY_MS;
      await recorder.close();
      expect(sent()).toMatchObject([{ from: ahead, at: near }]);
    });

    test('of several reports only the last one goes up to now, and says that the server stops', async () => {
      const { recorder, clock, use, sent } = await scene(engine);
      const from = new Date(clock.now);
      clock.now += SECOND;
      const at = new Date(clock.now);
      for (let i = 0; i < 2000; i++) use(`key ${i}`);
      const closing = recorder.close();
      await pass(0);
      await closing;
      expect(sent().map(({ uses, ...each }) => ({ ...each, uses: uses.length }))).toMatchObject([
        { batch: 1, from, at: from, ended: false, uses: 1000 },
        { batch: 2, from, at, ended: true, uses: 1000 },
      ]);
    });

    test('with fifty thousand keys it does not wait, unless the store takes nothing', async () => {
      const { use, lock, sent } = await scene(engine);
      await lock();
      for (let i = 1; i < 50_000; i++) use(`key ${i}`);
      await pass(0);
      expect(sent()).toEqual([]);
      use('one more');
      await pass(0);
      expect(timesOf(sent())).toEqual([Array(1000).fill(1)]);
      for (let i = 0; i < 50_001; i++) use(`other ${i}`);
      await pass(0);
      expect(sent()).toEqual([]);
      await pass(5000);
      expect(sent()).toHaveLength(1);
    });

    test('starts once the lock of another process is free, without a warning', async () => {
      const { recorder, lock, unlock, sent, warnings } = await scene(engine);
      await pass(MINUTE);
      await lock();
      const starting = recorder.start();
      await pass(2950);
      expect(sent()).toHaveLength(60);
      await unlock();
      await pass(50);
      await starting;
      expect([warnings, recorder.failures]).toEqual([[], 60]);
      expect(sent()).toMatchObject([{ batch: 1 }, { batch: 2 }]);
      await pass(MINUTE);
      expect([sent().length, recorder.failures]).toEqual([1, 60]);
    });

    test('starts after three seconds with a warning where the lock is not free', async () => {
      const { recorder, lock, unlock, use, sent, warnings, counted } = await scene(engine);
      await lock();
      const starting = recorder.start();
      await pass(3000);
      await starting;
      expect([warnings, sent().length]).toEqual([['store_busy'], 61]);
      use();
      await unlock();
      await recorder.close();
      expect(await counted()).toEqual([['valid', 1]]);
    });

    test('stops once the lock of another process is free, and after three seconds at the latest', async () => {
      const { recorder, lock, unlock, use, sent, counted } = await scene(engine);
      for (const waits of [50, 3000]) {
        use();
        await lock();
        const closing = recorder.close();
        await pass(waits - 1);
        if (waits === 50) await unlock();
        await pass(1);
        await closing;
        expect([sent().length, vi.getTimerCount()]).toEqual([waits === 50 ? 2 : 61, 0]);
      }
      await unlock();
      expect(await counted()).toEqual([['valid', 1]]);
    });

    test('a lock is an outage at the third attempt, and a later outage is another', async () => {
      const { recorder, lock, unlock, use, warnings } = await scene(engine);
      for (let outage = 0; outage < 2; outage++) {
        await lock();
        use();
        const seen: number[] = [];
        for (let i = 0; i < 4; i++) {
          await recorder.flush();
          seen.push(warnings.splice(0).length);
        }
        expect(seen).toEqual([0, 0, 1, 0]);
        await unlock();
        await recorder.flush();
      }
      expect(recorder.failures).toBe(8);
    });

    test('a report that the store refuses is dropped at the tenth attempt, one that finds a lock never', async () => {
      const { recorder, db, lock, unlock, use, counted, warnings } = await scene(engine);
      const flushes = async (times: number) => {
        for (let i = 0; i < times; i++) await recorder.flush();
      };
      const refusing = async (times: number) => {
        use();
        await db.exec("create trigger full before insert on key_days begin select raise(abort, 'no'); end");
        await flushes(times);
        await db.exec('drop trigger full');
        await recorder.flush();
      };
      await refusing(9);
      expect(await counted()).toEqual([['valid', 1]]);
      await refusing(10);
      expect(await counted()).toEqual([['valid', 1]]);
      expect(warnings).toEqual(['conflict', 'conflict']);
      use();
      await lock();
      await flushes(15);
      await unlock();
      await recorder.flush();
      expect(await counted()).toEqual([['valid', 2]]);
    });

    test('what was counted after a report that is dropped is written at its time', async () => {
      const { recorder, db, use, counted } = await scene(engine);
      use();
      await db.exec("create trigger full before insert on key_days begin select raise(abort, 'no'); end");
      await recorder.flush();
      use();
      use();
      for (let i = 0; i < 9; i++) await recorder.flush();
      await db.exec('drop trigger full');
      await pass(5000);
      expect(await counted()).toEqual([['valid', 2]]);
    });

    test('a fault of ours is reported as one, and is dropped as well', async () => {
      const { recorder, use, warnings, said, counted } = await scene(engine);
      use(7n as never); // no JSON can hold it
      for (let i = 0; i < 10; i++) await recorder.flush();
      expect(warnings).toEqual(['internal']);
      expect(said[0]).toMatchObject({
        message: 'the use of keys cannot be recorded: the use of keys could not be written',
        hint: expect.stringContaining('keys are checked all the same'),
        cause: { code: 'internal', cause: expect.any(TypeError) },
      });
      use();
      await recorder.flush();
      expect(await counted()).toEqual([['valid', 1]]);
    });

    test('a store that is not there now is a warning at the start, and one that refuses is an error', async () => {
      const gone = await scene(engine);
      await gone.store.close();
      await gone.recorder.start();
      expect(gone.warnings).toEqual(['store_unavailable']);
      gone.recorder.stop();
      const refusing = await scene(engine);
      await refusing.db.exec("create trigger full before insert on recorders begin select raise(abort, 'no'); end");
      await expect(refusing.recorder.start()).rejects.toMatchObject({ code: 'conflict' });
      expect([refusing.warnings, vi.getTimerCount()]).toEqual([[], 0]);
    });

    test('one that records nothing says so, and warns of nothing', async () => {
      const { recorder, sent, warnings, lock, unlock } = await scene(engine, { records: false });
      await recorder.start();
      await pass(0);
      expect(sent()).toMatchObject([{ batch: 1, records: false, ended: false, uses: [] }]);
      await pass(MINUTE);
      expect(sent()).toMatchObject([{ batch: 2, records: false }]);
      await recorder.close();
      expect(sent()).toMatchObject([{ batch: 3, records: false, ended: true }]);
      await lock();
      for (let i = 0; i < 3; i++) await recorder.flush();
      await unlock();
      const unheard = await scene(engine, { records: false });
      await unheard.store.close();
      await unheard.recorder.start();
      await pass(0);
      expect(unheard.sent()).toHaveLength(1);
      await unheard.recorder.close();
      expect([unheard.sent(), unheard.warnings, warnings, vi.getTimerCount()]).toEqual([[], [], [], 0]);
    });
  });

  test.each([
    ['unauthorized', 'sqld', { token: 'readOnly' }],
    ['store_read_only', DEFAULT_ENGINE, { affliction: 'read-only' }],
  ] as const)('a store that takes no reports, %s, is asked each minute', async (code, engine, how) => {
    const { recorder, use, sent, warnings } = await scene(engine, how);
    use();
    await recorder.flush();
    expect([sent().length, warnings]).toEqual([1, [code]]);
    await pass(MINUTE - 1);
    expect(sent()).toEqual([]);
    await pass(1);
    expect(sent()).toHaveLength(1);
  });

  test.each([
    ['unauthorized', 'sqld', { token: 'readOnly' }],
    ['store_read_only', DEFAULT_ENGINE, { affliction: 'read-only' }],
  ] as const)('a store that may not be written to, %s, is refused at the start', async (code, engine, how) => {
    const { recorder, store, sent } = await scene(engine, how);
    await expect(recorder.start()).rejects.toMatchObject({
      code: 'marks_refused',
      message: expect.stringContaining(store.location),
      hint: expect.stringContaining('--no-marks'),
      cause: { code },
    });
    const blind = await scene(engine, { ...how, records: false });
    await blind.recorder.start();
    expect(blind.warnings).toEqual([]);
    blind.recorder.stop();
    sent();
    await pass(2 * MINUTE);
    expect([sent().length, blind.sent().length]).toEqual([0, 1]); // one that was on the way
  });

  test('a disk that is full at the start is a warning', async () => {
    const { recorder, db, warnings } = await scene(DEFAULT_ENGINE, { affliction: 'full' });
    await db.exec(
      'create table filler (bytes)',
      'create trigger fill after insert on recorders begin insert into filler values (zeroblob(100000)); end',
    );
    await recorder.start();
    expect(warnings).toEqual(['store_full']);
  });

  test('so is a server that is gone when it has carried out the first report', async () => {
    const { recorder, warnings } = await scene('sqld', { lost: 3 }); // after two reads
    const starting = recorder.start();
    await vi.waitFor(async () => {
      await pass(1000);
      expect(warnings).toHaveLength(1);
    });
    await starting;
    expect(warnings).toEqual(['outcome_unknown']);
  });

  test('a token that may do nothing is refused as such', async () => {
    const foreign = await scene('sqld', { token: 'foreign' });
    await expect(foreign.recorder.start()).rejects.toMatchObject({ code: 'unauthorized' });
    foreign.sent();
    await pass(2 * MINUTE);
    expect(foreign.sent()).toEqual([]);
  });
});
