import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Credential } from '../../src/domain/credential.js';
import type { WatchSide } from '../../src/domain/watch.js';
import { KeptCredentials } from '../../src/verifier/kept-credentials.js';
import { MAX, twoStores } from '../support/kept-by-hand.js';
import { change, ENGINES, newKey } from '../support/stores.js';

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
