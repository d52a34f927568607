import { describe, expect, test } from 'vitest';
import { byHand, MAX } from '../support/kept-by-hand.js';
import type { RawDatabase } from '../support/raw-database.js';
import { change, ENGINES, rawDatabase } from '../support/stores.js';
import { unguarded } from '../support/unguarded.js';

describe.each(ENGINES)('with answers that come late, on %s', (engine) => {
  test('a row that arrives when the log has gone on is used in its own time only', async () => {
    const { changing, kept, ids, pass, ask, next } = await byHand(engine);
    const late = kept.read(ids.b);
    const row = next('rows');
    await row.executed;
    for (const id of [ids.b, ids.c]) {
      await changing.setStatus(id, 'inactive', change());
      pass(MAX + 1);
      const asked = ask(ids.a);
      await next('log').answer();
      expect((await asked)?.key.status).toBe('active');
      await row.answer();
      await late;
      expect(ask(ids.b)).toBeNull();
    }
  });

  test('a row that is read again is as old as the question for it', async () => {
    const { changing, ids, pass, ask, next } = await byHand(engine);
    pass(45_000);
    const asked = ask(ids.a);
    const row = next('rows');
    await next('log').answer();
    expect((await asked)?.key.status).toBe('active');
    await row.executed;
    await changing.setStatus(ids.a, 'inactive', change());
    pass(MAX + 1);
    await row.answer();
    const again = ask(ids.a);
    await next('log').answer();
    expect(await again).toBeNull();
  });

  test('a credential is as old as the question that extended it, not as the answer', async () => {
    const { changing, ids, pass, ask, next } = await byHand(engine);
    pass(MAX + 1);
    const asked = ask(ids.a);
    const question = next('log');
    await question.executed;
    await changing.setStatus(ids.a, 'inactive', change());
    pass(MAX * 0.9);
    await question.answer();
    expect((await asked)?.key.status).toBe('active');
    pass(MAX * 0.1 + 1);
    const again = ask(ids.a);
    await next('log').answer();
    expect(await again).toBeNull();
  });

  test('of two answers about a row, the one to the later question stays', async () => {
    const { changing, kept, ids, pass, ask, next } = await byHand(engine);
    const earlier = kept.read(ids.b);
    const row = next('rows');
    await row.executed;
    await changing.setStatus(ids.b, 'inactive', change());
    pass(1);
    const later = kept.read(ids.b);
    await next('rows').answer();
    expect((await later)?.key.status).toBe('inactive');
    await row.answer();
    expect((await earlier)?.key.status).toBe('active');
    expect(ask(ids.b)).toMatchObject({ key: { status: 'inactive' } });
  });

  test('a row that could not be read again for a minute is used no longer, whatever the log says', async () => {
    const { ids, pass, ask, calls } = await byHand(engine);
    for (let ms = 0; ms <= 60_000; ms += MAX) {
      const asked = ask(ids.a);
      for (const each of calls.splice(0)) if (each.asks === 'log') await each.answer();
      expect((await asked)?.key.id).toBe(ids.a);
      pass(MAX);
    }
    expect(ask(ids.a)).toBeNull();
  });

  test('a question that hangs holds up only those who joined it', async () => {
    const { ids, pass, ask, next, calls } = await byHand(engine);
    pass(MAX + 1);
    const joined = [ask(ids.a), ask(ids.a)];
    const hanging = next('log');
    pass(250);
    joined.push(ask(ids.a));
    expect(calls).toHaveLength(0);
    pass(1);
    const later = ask(ids.a);
    expect(calls).toHaveLength(1);
    await next('log').answer();
    expect((await later)?.key.id).toBe(ids.a);
    await hanging.answer(); // says less than the later one
    pass(MAX * 0.9);
    expect(ask(ids.a)).toMatchObject({ key: { id: ids.a } });
    expect(calls).toEqual([]);
    for (const each of joined) expect((await each)?.key.id).toBe(ids.a);
  });

  test('an answer is no use to a request that came long after the question', async () => {
    const { changing, ids, pass, ask, next } = await byHand(engine);
    pass(MAX + 1);
    const first = ask(ids.a);
    const question = next('log');
    await question.executed;
    await changing.setStatus(ids.a, 'inactive', change());
    pass(MAX + 1);
    const second = ask(ids.a);
    await question.answer();
    expect((await first)?.key.status).toBe('active'); // as it was when the request came
    await next('log').answer();
    expect(await second).toBeNull();
  });

  test('near the end of its time a credential is given at once, and the store is asked for the next', async () => {
    const { ids, pass, ask, next, calls } = await byHand(engine);
    pass(MAX * 0.9);
    expect(ask(ids.a)).toMatchObject({ key: { id: ids.a } });
    expect(calls).toEqual([]);
    pass(1);
    for (let i = 0; i < 10; i++) expect(ask(ids.a)).toMatchObject({ key: { id: ids.a } });
    expect(calls).toHaveLength(1);
    await next('log').answer();
    pass(MAX * 0.9);
    expect(ask(ids.a)).toMatchObject({ key: { id: ids.a } });
    expect(calls).toEqual([]);
    pass(MAX * 0.1 - 1);
    expect(ask(ids.a)).toMatchObject({ key: { id: ids.a } });
    await next('log').answer();
    pass(MAX);
    expect(ask(ids.a)).toMatchObject({ key: { id: ids.a } });
    pass(1);
    const asked = ask(ids.a);
    expect(asked).toBeInstanceOf(Promise);
    await next('log').answer();
    expect((await asked)?.key.id).toBe(ids.a);
  });
});

describe.each(ENGINES)('with several questions on the way, on %s', (engine) => {
  test('a row of an earlier head is used until it is too old, and nothing is asked for it', async () => {
    const { changing, kept, ids, pass, ask, next, calls } = await byHand(engine);
    const late = kept.read(ids.b);
    const row = next('rows');
    await row.executed;
    await changing.setStatus(ids.c, 'inactive', change());
    pass(MAX * 0.9 + 1);
    ask(ids.a);
    await next('log').answer();
    await row.answer();
    await late;
    expect(ask(ids.b)).toMatchObject({ key: { id: ids.b } });
    pass(MAX * 0.1 - 1);
    expect(ask(ids.b)).toMatchObject({ key: { id: ids.b } });
    pass(1);
    expect([ask(ids.b), calls]).toEqual([null, []]);
  });

  test('a row of a later head is extended by the next question, from when it was asked for', async () => {
    const { changing, kept, ids, pass, ask, next, calls } = await byHand(engine);
    pass(MAX + 1);
    const asked = ask(ids.a);
    const question = next('log');
    await changing.setStatus(ids.c, 'inactive', change());
    pass(500);
    const later = kept.read(ids.b);
    await next('rows').answer();
    await later;
    pass(MAX);
    const extended = ask(ids.b);
    ask(ids.b);
    await next('log').answer();
    expect(await extended).toMatchObject({ key: { id: ids.b } });
    await question.answer();
    await asked;
    pass(MAX * 0.9);
    expect(ask(ids.b)).toMatchObject({ key: { id: ids.b } });
    expect(calls).toEqual([]);
  });

  test('a row that was read after the question is not as old as the question', async () => {
    const { changing, kept, ids, pass, ask, next, calls } = await byHand(engine);
    pass(MAX + 1);
    await changing.setStatus(ids.c, 'inactive', change());
    const asked = ask(ids.a);
    const question = next('log');
    await question.executed;
    pass(500);
    const later = kept.read(ids.b);
    await next('rows').answer();
    await later;
    await question.answer();
    expect((await asked)?.key.id).toBe(ids.a);
    pass(MAX * 0.9);
    expect(ask(ids.b)).toMatchObject({ key: { id: ids.b } });
    expect(calls).toEqual([]);
  });

  test('a row at the known head says that nothing else was changed', async () => {
    const { kept, ids, pass, ask, next, calls } = await byHand(engine);
    pass(500);
    const read = kept.read(ids.b);
    await next('rows').answer();
    await read;
    pass(MAX * 0.9);
    expect(ask(ids.a)).toMatchObject({ key: { id: ids.a } });
    expect(calls).toEqual([]);
  });

  test('an answer from before another one is no use to a request that came long after', async () => {
    const { changing, ids, pass, ask, next } = await byHand(engine);
    await changing.setStatus(ids.c, 'inactive', change());
    pass(MAX + 1);
    const first = ask(ids.a);
    const question = next('log');
    await question.executed;
    await changing.setStatus(ids.a, 'inactive', change());
    pass(MAX + 1);
    const second = ask(ids.a);
    const later = next('log');
    await later.executed;
    await question.answer();
    expect((await first)?.key.status).toBe('active'); // as it was when the request came
    await later.answer();
    expect(await second).toBeNull();
  });

  test('an answer that comes after a later one takes nothing back', async () => {
    const { changing, ids, pass, ask, next } = await byHand(engine);
    await changing.setStatus(ids.b, 'inactive', change());
    pass(MAX + 1);
    const first = ask(ids.a);
    const question = next('log');
    await question.executed;
    await changing.setStatus(ids.c, 'inactive', change());
    pass(MAX + 1);
    const second = ask(ids.a);
    await next('log').answer();
    await question.answer();
    for (const each of [first, second]) expect((await each)?.key.id).toBe(ids.a);
    pass(MAX + 1);
    const third = ask(ids.a);
    await next('log').answer();
    expect((await third)?.key.id).toBe(ids.a);
  });

  test('a request joins the question that is on the way, whatever else was answered', async () => {
    const { ids, pass, ask, next, calls } = await byHand(engine);
    pass(MAX + 1);
    const first = ask(ids.a);
    const question = next('log');
    pass(MAX + 1);
    const second = ask(ids.a);
    const later = next('log');
    await question.answer();
    const third = ask(ids.a);
    expect(calls).toEqual([]);
    await later.answer();
    for (const each of [first, second, third]) expect((await each)?.key.id).toBe(ids.a);
  });

  test('a question that failed is asked again by the next request', async () => {
    const { watched, ids, pass, ask, calls } = await byHand(engine);
    await watched.close();
    pass(MAX + 1);
    for (let i = 0; i < 2; i++) {
      await expect(ask(ids.a)).rejects.toMatchObject({ code: 'store_unavailable' });
      expect(calls.splice(0)).toHaveLength(1);
    }
  });
});

describe.each(ENGINES)('while the log is damaged, or another one, on %s', (engine) => {
  /** The hash of the row of the log that is `back` rows before the last one is replaced; puts it back. */
  async function damage(db: RawDatabase, back = 0): Promise<() => Promise<void>> {
    const [[seq, hash] = []] = await db.rows(
      `select seq, hash from audit_events order by seq desc limit 1 offset ${back}`,
    );
    await unguarded(db, engine, `update audit_events set hash = zeroblob(64) where seq = ${seq}`);
    return () => unguarded(db, engine, `update audit_events set hash = '${hash}' where seq = ${seq}`);
  }
  /** The log becomes another one: a question after what is known of it finds nothing. */
  const exchange = (db: RawDatabase) =>
    unguarded(
      db,
      engine,
      `update audit_events set hash = '${'a'.repeat(64)}' where seq = (select max(seq) from audit_events)`,
    );

  test.each([
    'damaged',
    'sound',
  ])('a row that was read at a %s end is used in its own time, also when all others are forgotten', async (end) => {
    const { changing, kept, ids, pass, ask, next } = await byHand(engine);
    const db = await rawDatabase(changing.location, engine);
    const mend = end === 'damaged' ? await damage(db) : async () => {};
    const late = kept.read(ids.b);
    const row = next('rows');
    await row.executed;
    await mend();
    pass(MAX + 1);
    const asked = ask(ids.a);
    await next('log').answer();
    await asked;
    await exchange(db);
    pass(MAX * 0.9 + 1);
    ask(ids.a);
    await next('log').answer();
    expect(ask(ids.a)).toBeNull();
    await row.answer();
    await late;
    if (end === 'damaged') return expect(ask(ids.b)).toBeNull();
    const again = ask(ids.b);
    expect(again).toBeInstanceOf(Promise);
    await next('log').answer();
    expect(await again).toBeNull();
  });

  test('nobody knows what was changed after a row that was read at a damaged end', async () => {
    const { changing, kept, ids, pass, ask, next } = await byHand(engine);
    const db = await rawDatabase(changing.location, engine);
    await changing.setStatus(ids.c, 'inactive', change());
    const mend = await damage(db);
    pass(100);
    const read = kept.read(ids.b);
    await next('rows').answer();
    await read;
    await mend();
    await changing.setStatus(ids.b, 'inactive', change());
    await changing.setStatus(ids.c, 'active', change());
    for (const back of [1, 2]) await damage(db, back);
    pass(MAX - 99);
    const asked = ask(ids.a);
    await next('log').answer();
    expect((await asked)?.key.id).toBe(ids.a);
    pass(100);
    expect(ask(ids.b)).toBeNull();
  });
});
