import type { KeyStore } from '../../src/domain/key-store.js';
import type { WatchSide } from '../../src/domain/watch.js';
import { openStore } from '../../src/store/open.js';
import { KeptCredentials } from '../../src/verifier/kept-credentials.js';
import { atEnd } from './lifetime.js';
import { change, type EngineName, freshStore, newKey, options } from './stores.js';

/** The `maxStaleMs` of tests. */
export const MAX = 1000;

/** A store, and the same one through another connection. */
export async function twoStores(engine: EngineName): Promise<{ changing: KeyStore; watched: KeyStore }> {
  const changing = await freshStore(engine);
  const watched = await openStore(changing.location, options(engine, { create: false }));
  atEnd(() => watched.close().catch(() => {}));
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
export async function byHand(engine: EngineName) {
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
    watched,
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
