import { describe, expect, test } from 'vitest';
import type { KeysError } from '../../src/domain/errors.js';
import type { KeyStore } from '../../src/domain/key-store.js';
import { DAY_MS, dayOf } from '../../src/domain/use.js';
import type { Keyring } from '../../src/keyring/keyring.js';
import { UseRecorder } from '../../src/verifier/use-recorder.js';
import { freshKeyring, make } from '../support/keyrings.js';
import { atEnd } from '../support/lifetime.js';
import { ENGINES, LOCAL_ENGINES, rawDatabase, START, storeOf } from '../support/stores.js';

/** The part of a verifier that reports use, by itself. */
function recording(store: KeyStore) {
  const warnings: KeysError[] = [];
  const onWarning = (warning: KeysError) => void warnings.push(warning);
  const recorder = new UseRecorder(store, { host: 'api-1', records: true, onWarning, now: () => START.getTime() });
  atEnd(() => recorder.stop());
  return { recorder, warnings };
}

const daysOf = async (keyring: Keyring, id: string) =>
  (await storeOf(keyring).use.days([id], 0)).map(({ day, verdict, times, detail }) => [day, verdict, times, detail]);

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
