import { describe, expect, test } from 'vitest';
import { byHand, MAX } from '../support/kept-by-hand.js';
import { change, ENGINES } from '../support/stores.js';

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
    pass(251);
    const later = ask(ids.a);
    expect(calls).toHaveLength(1);
    await next('log').answer();
    expect((await later)?.key.id).toBe(ids.a);
    pass(20_000);
    await hanging.answer();
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
  });
});
