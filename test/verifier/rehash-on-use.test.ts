import { expect, onTestFinished, test, vi } from 'vitest';
import type { HashMove } from '../../src/domain/key-store.js';
import type { StoreScheme } from '../../src/domain/secret-hash.js';
import { underFakeTime } from '../support/fake-time.js';
import { atEnd } from '../support/lifetime.js';
import type { TOKENS } from '../support/sqld.js';
import { DEFAULT_ENGINE, type EngineName } from '../support/stores.js';

const modules = underFakeTime(async () => ({
  ...(await import('../../src/verifier/rehash-on-use.js')),
  ...(await import('../../src/hashing/bcrypt-thread.js')),
  ...(await import('../../src/domain/peppers.js')),
  ...(await import('../../src/domain/secret-hash.js')),
  ...(await import('../../src/domain/key-parts.js')),
  ...(await import('../../src/store/open.js')),
  stores: await import('../support/stores.js'),
  sqld: await import('../support/sqld.js'),
}));

/** A real store with `count` keys whose hashes are of bcrypt, and what rehashes them. */
async function scene({ count = 1, engine = DEFAULT_ENGINE, token = 'full', readOnly = false }: SceneOptions = {}) {
  const { RehashOnUse, BcryptThread, Peppers, newPepper, mintKeyString, guardTag, openStore, stores, sqld } = modules();
  const [pepper, other] = [newPepper(), newPepper()];
  const made = await stores.freshStore(engine);
  const parts = Array.from({ length: count }, () => mintKeyString('test'));
  const rows = parts.map(({ id, body }, i) => stores.newKey(`key ${i}`, { id, guard: guardTag(body) }));
  await made.create(rows, stores.change());
  const scheme: StoreScheme = `hmac-sha256:${pepper.id}`;
  await made.settings.setHashScheme(scheme, stores.change());
  const access = engine === 'sqld' ? { token: sqld.TOKENS[token] } : {};
  const store = readOnly
    ? await stores.afflictedStore(made.location, DEFAULT_ENGINE, 'read-only')
    : await openStore(made.location, stores.options(engine, { create: false, ...access }));
  atEnd(() => store.close());
  const asked: (readonly HashMove[])[] = [];
  const rehash = store.rehash.bind(store);
  store.rehash = (moves, change) => {
    asked.push(moves);
    return rehash(moves, change);
  };
  const bcrypt = new BcryptThread();
  onTestFinished(() => bcrypt.close());
  const rehashing = new RehashOnUse(store, Peppers.parse(pepper.line, 'here'), bcrypt, () => stores.BY);
  const credentialOf = async (nth: number) => {
    const found = await store.credential(parts[nth]?.id ?? '');
    if (!found) throw new Error('no such key');
    return found;
  };
  return {
    rehashing,
    made,
    other,
    credentialOf,
    db: await stores.rawDatabase(made.location, engine),
    use: async (nth = 0, change: { scheme?: StoreScheme | null } = {}) =>
      rehashing.note(parts[nth] as (typeof parts)[number], { ...(await credentialOf(nth)), ...change }),
    hashOf: async (nth = 0) => (await credentialOf(nth)).hash,
    /** How many keys were in each write since the last time. */
    asked: () => asked.splice(0).map((moves) => moves.length),
    NEW: `$hmac-sha256$v=1,k=${pepper.id}$`,
    OLD: '$2b$04$',
  };
}
interface SceneOptions {
  readonly count?: number;
  readonly engine?: EngineName;
  readonly token?: keyof typeof TOKENS;
  readonly readOnly?: boolean;
}

test('keys that were used get their new hash together, a second after the first of them', async () => {
  const { rehashing, made, use, asked, hashOf, NEW, OLD } = await scene({ count: 3 });
  await use(0);
  await vi.advanceTimersByTimeAsync(999);
  await use(1);
  await use(1);
  expect([asked(), vi.getTimerCount()]).toEqual([[], 1]);
  await vi.advanceTimersByTimeAsync(1);
  expect([asked(), vi.getTimerCount()]).toEqual([[2], 0]);
  await rehashing.flush(); // waits for that write
  expect([asked(), rehashing.moved, rehashing.failures]).toEqual([[], 2, 0]);
  expect([await hashOf(0), await hashOf(1), await hashOf(2)]).toMatchObject([
    expect.stringContaining(NEW),
    expect.stringContaining(NEW),
    expect.stringContaining(OLD),
  ]);
  expect(await made.derivedProblems()).toEqual([]);
  await use(2);
  await vi.advanceTimersByTimeAsync(1000);
  expect(asked()).toEqual([1]);
  await rehashing.flush();
  expect(rehashing.moved).toBe(3);
});

test('at most a hundred in one write; the others are rehashed when they are used next', async () => {
  const { rehashing, use, asked } = await scene({ count: 101 });
  for (let i = 0; i < 101; i++) await use(i);
  await rehashing.flush();
  expect(asked()).toEqual([100]);
  await use(100);
  await rehashing.flush();
  expect([asked(), rehashing.moved]).toEqual([[1], 101]);
});

test('nothing is written where nothing can be, or nobody used a key', async () => {
  const { rehashing, use, asked, other } = await scene();
  await rehashing.flush();
  await use(0, { scheme: null }); // of a later version
  await use(0, { scheme: `hmac-sha256:${other.id}` }); // a pepper that this server does not have
  expect(vi.getTimerCount()).toBe(0);
  await rehashing.flush();
  expect([asked(), rehashing.moved, rehashing.failures]).toEqual([[], 0, 0]);
});

test('back to bcrypt, at its usual cost', async () => {
  const { rehashing, use, hashOf } = await scene();
  await use(0, { scheme: 'bcrypt' });
  await rehashing.flush();
  expect([(await hashOf()).slice(0, 7), rehashing.moved]).toEqual(['$2b$10$', 1]);
});

test('a flush is over when the one before it is', async () => {
  const { rehashing, use } = await scene({ count: 2 });
  await use(0, { scheme: 'bcrypt' }); // takes longer than a pepper
  const first = rehashing.flush();
  await use(1);
  await rehashing.flush();
  expect(rehashing.moved).toBe(2);
  await first;
});

test('a key that another process has rehashed meanwhile does not count', async () => {
  const { rehashing, use, db, hashOf } = await scene();
  await use();
  const hash = `$2b$04$${'b'.repeat(53)}`;
  await db.exec(`update api_keys set hash = '${hash}'`);
  await rehashing.flush();
  expect([rehashing.moved, rehashing.failures, await hashOf()]).toEqual([0, 0, hash]);
});

test('a write that fails is tried again when the key is used next', async () => {
  const { rehashing, use, db } = await scene();
  await db.exec("create trigger full before update on api_keys begin select raise(abort, 'no'); end");
  for (let i = 1; i <= 2; i++) {
    await use();
    await rehashing.flush();
    expect([rehashing.moved, rehashing.failures]).toEqual([0, i]);
  }
  await db.exec('drop trigger full');
  await rehashing.flush();
  expect(rehashing.moved).toBe(0);
  await use();
  await rehashing.flush();
  expect([rehashing.moved, rehashing.failures]).toEqual([1, 2]);
});

test.each([
  { engine: 'sqld', token: 'readOnly' },
  { readOnly: true },
] as const)('a store that may not be written to is not asked again: %o', async (how) => {
  const { rehashing, use, asked } = await scene({ count: 2, ...how });
  await use(0);
  const first = rehashing.flush();
  await use(1); // before the refusal is known
  await Promise.all([first, rehashing.flush()]);
  await use(0);
  await rehashing.flush();
  expect([asked(), rehashing.moved, rehashing.failures]).toEqual([[1], 0, 1]);
});
