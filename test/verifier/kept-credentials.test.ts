import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Credential } from '../../src/domain/credential.js';
import type { KeyStore } from '../../src/domain/key-store.js';
import type { WatchSide } from '../../src/domain/watch.js';
import { openStore } from '../../src/store/open.js';
import { KeptCredentials } from '../../src/verifier/kept-credentials.js';
import { change, ENGINES, type EngineName, freshStore, newKey, options, rawDatabase } from '../support/stores.js';
import { unguarded } from '../support/unguarded.js';

const MAX = 1000;

/** A real side of a store of which every question and every answer can be held up. */
function heldUp(watch: WatchSide, hold: () => Promise<void>): WatchSide {
  const around = async <T>(ask: () => Promise<T>): Promise<T> => {
    await hold();
    const answer = await ask();
    await hold();
    return answer;
  };
  return {
    credentials: (ids) => around(() => watch.credentials(ids)),
    since: (head) => around(() => watch.since(head)),
  };
}

/** Waits for all of these, and lets everything through that they wait for. */
async function lettingAllThrough(held: (() => void)[], waiting: Promise<void>[]): Promise<void> {
  let over = false;
  const all = Promise.all(waiting).finally(() => {
    over = true;
  });
  all.catch(() => {}); // told below
  while (!over) {
    held.shift()?.();
    await new Promise(setImmediate);
  }
  await all;
}

async function twoStores(engine: EngineName): Promise<{ changing: KeyStore; watched: KeyStore }> {
  const changing = await freshStore(engine);
  const watched = await openStore(changing.location, options(engine, { create: false }));
  onTestFinished(() => watched.close().catch(() => {}));
  return { changing, watched };
}

interface Call {
  readonly asks: 'rows' | 'log';
  /** Settles when the store has answered. */
  readonly executed: Promise<unknown>;
  /** Lets the answer through. */
  answer(): Promise<void>;
}

/** A real side of a store that is asked at once, and whose answers arrive when a test says so. Key `a` is kept. */
async function byHand(engine: EngineName) {
  const { changing, watched } = await twoStores(engine);
  const rows = ['a', 'b', 'c'].map((name) => newKey(name));
  const [a, b, c] = (await changing.create(rows, change())).map(({ key: { id } }) => id) as [string, string, string];
  const calls: Call[] = [];
  const held = async <T>(asks: Call['asks'], asked: Promise<T>): Promise<T> => {
    const arrives = new Promise<void>((resolve) => {
      calls.push({
        asks,
        executed: asked,
        answer: async () => {
          await asked;
          resolve();
          await new Promise(setImmediate);
        },
      });
    });
    const answer = await asked;
    await arrives;
    return answer;
  };
  const clock = { wall: 0, real: 0 };
  const watch: WatchSide = {
    credentials: (ids) => held('rows', watched.watch.credentials(ids)),
    since: (head) => held('log', watched.watch.since(head)),
  };
  const kept = new KeptCredentials(watch, MAX, () => ({ ...clock }));
  const first = kept.read(a);
  await calls.shift()?.answer();
  await first;
  return {
    changing,
    kept,
    ids: { a, b, c },
    pass: (ms: number) => {
      clock.wall += ms;
      clock.real += ms;
    },
    ask: (id: string) => kept.credential(id, { ...clock }),
    /** The next call that the store got. */
    next: (asks: Call['asks']): Call => {
      const call = calls.shift();
      if (call?.asks !== asks) throw new Error(`asked for ${call?.asks}`);
      return call;
    },
    calls,
  };
}

/** What a verdict goes by. */
const stateOf = (credential: Credential | null): string =>
  credential === null ? 'none' : `${credential.key.status} ${credential.key.rateLimit.limit}`;

type Step =
  | { readonly do: 'change' | 'ask'; readonly key: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'release'; readonly nth: number }
  | { readonly do: 'add' };

const KEYS = 4;
const key = fc.integer({ min: 0, max: KEYS - 1 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('ask' as const), key }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('change' as const), key }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      ms: fc.constantFrom(1, 100, 260, 900, 950, 1000, 1001, 46_000, 60_001),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('release' as const), nth: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.constant({ do: 'add' as const }) },
);

const runs = fc.record({
  steps: fc.array(step, { minLength: 5, maxLength: 40 }),
  holding: fc.boolean(),
  going: fc.constantFrom('both', 'wall', 'real'),
});

describe.each(ENGINES)('on %s', (engine) => {
  test('whatever is changed, and however long questions and answers take, nobody gets what was over for maxStaleMs', async () => {
    const { changing, watched } = await twoStores(engine);
    let names = 0;
    await fc.assert(
      fc.asyncProperty(runs, async ({ steps, holding, going }) => {
        const created = await changing.create(
          Array.from({ length: KEYS }, () => newKey(`key ${names++}`)),
          change(),
        );
        const ids = created.map(({ key: { id } }) => id);
        const clock = { wall: 1_000_000, real: 5000 };
        const held: (() => void)[] = [];
        const hold = () => (holding ? new Promise<void>((go) => held.push(go)) : Promise.resolve());
        const kept = new KeptCredentials(heldUp(watched.watch, hold), MAX, () => ({ ...clock }));
        // The true time. One clock stands still while the machine sleeps, and the other may be set back; not both in one run.
        let time = 0;
        const history = ids.map(() => [{ state: 'active 600', from: 0 }]);
        const asked: Promise<void>[] = [];
        const ask = async (nth: number) => {
          const id = ids[nth] as string;
          const start = time;
          const credential = (await kept.credential(id, { ...clock })) ?? (await kept.read(id));
          const end = time;
          const states = history[nth] ?? [];
          const possible = states.filter(
            ({ from }, i) => from <= end && (states[i + 1]?.from ?? Number.POSITIVE_INFINITY) >= start - MAX,
          );
          expect(possible.map(({ state }) => state)).toContain(stateOf(credential));
        };
        for (const each of steps) {
          if (each.do === 'ask') asked.push(ask(each.key));
          if (each.do === 'release') held.splice(each.nth % Math.max(1, held.length), 1)[0]?.();
          if (each.do === 'add') await changing.create([newKey(`other ${names++}`)], change());
          if (each.do === 'wait') {
            time += each.ms;
            clock.wall += going === 'real' ? -each.ms : each.ms;
            clock.real += going === 'wall' ? 0 : each.ms;
          }
          if (each.do === 'change') {
            const states = history[each.key] ?? [];
            const limit = 1 + states.length;
            states.push({ state: `active ${limit}`, from: time });
            await changing.edit(ids[each.key] as string, { rateLimit: { limit, windowSeconds: 60 } }, change());
          }
          await new Promise(setImmediate);
        }
        await lettingAllThrough(held, asked);
        await lettingAllThrough(
          held,
          ids.map((_, nth) => ask(nth)),
        );
      }),
      { numRuns: engine === 'sqld' ? 25 : 60 },
    );
  });
});

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

describe.each(ENGINES)('what is read again, on %s', (engine) => {
  async function scene() {
    const { changing, watched } = await twoStores(engine);
    const rows = ['a', 'b', 'c'].map((name) => newKey(name));
    const [a, b, c] = (await changing.create(rows, change())).map(({ key: { id } }) => id);
    const clock = { wall: 0, real: 0 };
    const asked: string[] = [];
    const watch: WatchSide = {
      credentials(ids) {
        asked.push(`${ids.length} rows`);
        return watched.watch.credentials(ids);
      },
      since(head) {
        asked.push('log');
        return watched.watch.since(head);
      },
    };
    const kept = new KeptCredentials(watch, MAX, () => ({ ...clock }));
    const get = async (id = '') => (await kept.credential(id, { ...clock })) ?? (await kept.read(id));
    const pass = (ms: number) => {
      clock.wall += ms;
      clock.real += ms;
    };
    const asks = () => asked.splice(0);
    return { changing, a, b, c, get, pass, asks, db: await rawDatabase(changing.location, engine) };
  }

  test('only keys that the log names; after a change of the whole store, all of them', async () => {
    const { changing, a, b, get, pass, asks } = await scene();
    for (const id of [a, b]) await get(id);
    expect(asks()).toEqual(['1 rows', '1 rows']);
    await changing.setStatus(b ?? '', 'inactive', change());
    pass(MAX + 1);
    for (const id of [a, b]) await get(id);
    expect(asks()).toEqual(['log', '1 rows']);
    await changing.settings.setHashScheme('hmac-sha256:00000000', change());
    pass(MAX + 1);
    for (const id of [a, b]) expect((await get(id))?.outdated).toBe(true);
    expect(asks()).toEqual(['log', '1 rows', '1 rows']);
  });

  test('a row that was changed with SQL: within a minute, together with others in use', async () => {
    const { a, b, get, pass, asks, db } = await scene();
    for (const id of [a, b]) await get(id);
    await db.exec("update api_keys set status = 'inactive'");
    for (let ms = 0; ms < 44_000; ms += MAX) {
      pass(MAX);
      for (const id of [a, b]) expect((await get(id))?.key.status).toBe('active');
    }
    expect(new Set(asks().slice(2))).toEqual(new Set(['log']));
    pass(MAX + 1);
    const answers = async () => Promise.all([a, b].map(async (id) => (await get(id))?.key.status));
    await expect.poll(answers).toEqual(['inactive', 'inactive']);
    expect(asks().sort()).toEqual(['2 rows', 'log']);
  });

  test('a row that was changed with SQL, where nobody came by in between: after a minute', async () => {
    const { a, get, pass, db } = await scene();
    await get(a);
    await db.exec("update api_keys set status = 'inactive'");
    pass(60_001);
    expect((await get(a))?.key.status).toBe('inactive');
  });

  test('no row of a key that nobody has used for five minutes', async () => {
    const { a, b, c, get, pass, asks } = await scene();
    for (const id of [a, b, c]) await get(id);
    const forMinutes = async (minutes: number) => {
      for (let ms = 0; ms < minutes * 60_000; ms += MAX + 1) {
        pass(MAX + 1);
        for (const id of [b, c]) await get(id);
      }
      return asks();
    };
    expect(await forMinutes(4)).toContain('3 rows');
    await forMinutes(2);
    const later = await forMinutes(2);
    expect(later).toContain('2 rows');
    expect(later).not.toContain('3 rows');
  });

  test('every row, where the log is another one', async () => {
    const { a, b, get, pass, asks, db } = await scene();
    for (const id of [a, b]) await get(id);
    const last = 'seq = (select max(seq) from audit_events)';
    await unguarded(db, engine, `update audit_events set hash = '${'a'.repeat(64)}' where ${last}`);
    await db.exec("update api_keys set status = 'inactive'");
    for (let i = 0; i < 2; i++) {
      pass(MAX + 1);
      for (const id of [a, b]) expect((await get(id))?.key.status).toBe('inactive');
    }
    expect(asks().slice(2)).toEqual(['log', '1 rows', '1 rows', 'log']);
  });

  test('every row, while the end of the log is damaged: each in its own time', async () => {
    const { a, b, get, pass, asks, db } = await scene();
    await unguarded(
      db,
      engine,
      'update audit_events set hash = zeroblob(64) where seq = (select max(seq) from audit_events)',
    );
    for (const id of [a, b, a, b]) await get(id);
    expect(asks()).toEqual(['1 rows', '1 rows']);
    await db.exec("update api_keys set status = 'inactive'");
    pass(MAX + 1);
    for (const id of [a, b]) expect((await get(id))?.key.status).toBe('inactive');
    expect(asks()).toEqual(['1 rows', '1 rows']);
  });
});
