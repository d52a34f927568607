import { cpSync } from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openStore } from '../../src/store/open.js';
import { Verifier } from '../../src/verifier/verifier.js';
import { another, input, make } from '../support/keyrings.js';
import { startSqld } from '../support/sqld.js';
import { keyringOver, markUsed, options, START, scratch, storeOf } from '../support/stores.js';
import { behindProxy, verdictOf } from '../support/verifiers.js';

// Many keys on a server, with `maxStaleMs`. The proxy counts the requests that reach the server.

const MAX = 1000;
const KEYS = 1000;

/** A verifier that has verified all of these keys, and counts from then on. */
async function fleet(count: number, timeoutMs = 30_000) {
  const { keyring, clock, proxy, verifier } = await behindProxy(timeoutMs, { maxStaleMs: MAX, rateLimit: 'off' });
  const keyStrings: string[] = [];
  while (keyStrings.length < count) {
    const inputs = Array.from({ length: Math.min(500, count) }, (_, i) => input(`key ${keyStrings.length + i}`));
    for (const { keyString } of await keyring.create(inputs)) keyStrings.push(keyString ?? '');
  }
  for (
    let i = 0;
    i < count;
    i += 50 // a verifier takes no more first proofs at once than 64
  )
    await Promise.all(keyStrings.slice(i, i + 50).map((each) => verifier.verify(each)));
  let counted = proxy.bodies.length;
  return {
    keyring,
    clock,
    proxy,
    verifier,
    keyStrings,
    /** What all keys are answered at once, by verdict. */
    all: async () => {
      const verdicts = await Promise.all(keyStrings.map((each) => verdictOf(verifier, each)));
      const tally: Record<string, number> = {};
      for (const verdict of verdicts) tally[verdict] = (tally[verdict] ?? 0) + 1;
      return tally;
    },
    /** Requests since the last time, as what they ask for. */
    asked: () => {
      const bodies = proxy.bodies.slice(counted);
      counted += bodies.length;
      return bodies.map((body) => (body.includes('from \\"api_keys\\"') ? 'rows' : 'log'));
    },
  };
}

test(`${KEYS} busy keys cost one small question an interval, and one more for each key that was changed`, async () => {
  const { keyring, clock, keyStrings, all, asked, proxy } = await fleet(KEYS);
  for (let interval = 0; interval < 5; interval++) {
    clock.now += MAX + 1;
    for (let i = 0; i < 3; i++) expect(await all()).toEqual({ valid: KEYS });
    expect(asked()).toEqual(['log']);
  }
  expect(proxy.bodies.at(-1)?.length).toBeLessThan(1000);
  await keyring.disable('key 7');
  await keyring.create(Array.from({ length: 100 }, (_, i) => input(`other ${i}`)));
  clock.now += MAX + 1;
  expect(await all()).toEqual({ valid: KEYS - 1, inactive: 1 });
  expect(asked()).toEqual(['log', 'rows']);
  const used = await keyring.list({ limit: 100 });
  await markUsed(
    storeOf(keyring),
    used.keys.map(({ id }) => ({ id, at: START })),
  );
  clock.now += MAX + 1;
  expect(await all()).toEqual({ valid: KEYS - 1, inactive: 1 });
  expect(asked()).toEqual(['log']);
  expect(keyStrings).toHaveLength(KEYS);
});

test('every row is read again once a minute, many in one request', async () => {
  const { clock, all, asked } = await fleet(300);
  for (let ms = 0; ms < 60_000; ms += MAX) {
    clock.now += MAX;
    expect(await all()).toEqual({ valid: 300 });
  }
  const requests = asked();
  const again = requests.filter((each) => each === 'rows').length;
  expect(again).toBeGreaterThanOrEqual(3);
  expect(again).toBeLessThanOrEqual(6);
  expect(requests.length - again).toBeLessThanOrEqual(60);
});

test('whatever is done to a key is seen within maxStaleMs: by another process, and back again', async () => {
  const { keyring, clock, verifier } = await fleet(3);
  const other = await another(keyring, 'sqld');
  const { key, keyString } = await make(other, 'one');
  const later = async (scopes?: string[]) => {
    clock.now += MAX + 1;
    return verdictOf(verifier, keyString, scopes);
  };
  expect(await later()).toBe('valid');
  await other.disable('one');
  expect(await later()).toBe('inactive');
  await other.enable('one');
  expect(await later()).toBe('valid');
  await other.edit('one', { allowFrom: ['10.0.0.0/8'] });
  expect(await later()).toBe('wrong_address');
  await other.edit('one', { allowFrom: [] });
  await other.rotate('one', { overlapMs: 3_600_000 });
  expect(await later()).toBe('valid');
  clock.now += 3_600_000;
  expect(await later()).toBe('expired');
  await other.delete(key.id, {});
  expect(await later()).toBe('invalid');
  await other.restore(key.id, { name: 'two' });
  expect(await later()).toBe('inactive');
});

test('while the server is down, nobody is let in on what is too old, and one question is asked for all', async () => {
  const { clock, proxy, all, asked, verifier, keyStrings } = await fleet(100, 2000);
  proxy.always('unavailable');
  expect(await all()).toEqual({ valid: 100 });
  clock.now += MAX + 1;
  const ends = await Promise.allSettled(keyStrings.map((each) => verifier.verify(each)));
  for (const end of ends) expect(end).toMatchObject({ reason: { code: 'store_unavailable' } });
  const attempts = asked();
  expect(attempts.length).toBeLessThanOrEqual(4);
  expect(new Set(attempts)).toEqual(new Set(['log']));
  proxy.always(null);
  expect(await all()).toEqual({ valid: 100 });
  expect(asked()).toEqual(['log']);
});

test('a lost answer near the end of the time costs nobody a verdict', async () => {
  const { clock, proxy, all, asked } = await fleet(10);
  proxy.at(1, 'swallow');
  const lost = proxy.requests + 1;
  clock.now += MAX - 1;
  expect(await all()).toEqual({ valid: 10 });
  await proxy.arrived(lost);
  clock.now += 300;
  expect(await all()).toEqual({ valid: 10 });
  expect(asked()).toEqual(['log', 'log']);
});

test('through a replica, a change at the primary is seen as soon', async () => {
  const primary = await startSqld();
  const open = async (url: string) => {
    const store = await openStore(url, options('sqld'));
    onTestFinished(() => store.close().catch(() => {}));
    return store;
  };
  const keyring = keyringOver(await open(primary.url));
  const { keyString } = await make(keyring, 'a');
  const replica = await startSqld({ replicaOf: primary });
  const clock = { now: START.getTime() };
  const now = () => clock.now;
  const store = await open(replica.url);
  const verifier = new Verifier(store, {
    environment: 'test',
    maxStaleMs: MAX,
    rateLimit: 'off',
    now,
    markUsed: false,
  });
  onTestFinished(() => verifier.close());
  for (let round = 0; round < 20; round++) {
    expect(await verdictOf(verifier, keyString)).toBe('valid');
    await keyring.disable('a');
    clock.now += MAX + 1;
    expect(await verdictOf(verifier, keyString)).toBe('inactive');
    await keyring.enable('a');
    clock.now += MAX + 1;
  }
});

test('another store under the same address, whose log is as long', async () => {
  const [here, there] = [scratch(), scratch()];
  const server = await startSqld({ dir: here });
  const open = async () => {
    const store = await openStore(server.url, options('sqld'));
    onTestFinished(() => store.close().catch(() => {}));
    return store;
  };
  const keyring = keyringOver(await open());
  const { keyString } = await make(keyring, 'a');
  await server.stop();
  cpSync(path.join(here, 'data'), path.join(there, 'data'), { recursive: true });
  await server.start();
  await make(keyring, 'b');
  const clock = { now: START.getTime() };
  const verifier = new Verifier(await open(), {
    environment: 'test',
    maxStaleMs: MAX,
    now: () => clock.now,
    markUsed: false,
  });
  onTestFinished(() => verifier.close());
  expect(await verdictOf(verifier, keyString)).toBe('valid');
  const { seq } = await keyring.auditHead();
  await server.stop();
  const another = await startSqld({ dir: there, port: server.port });
  const replaced = keyringOver(await open());
  await replaced.disable('a');
  expect((await replaced.auditHead()).seq).toBe(seq);
  for (let i = 0; i < 2; i++) {
    clock.now += MAX + 1;
    expect(await verdictOf(verifier, keyString)).toBe('inactive');
  }
  await another.stop();
  await server.start();
  clock.now += MAX + 1;
  expect(await verdictOf(verifier, keyString)).toBe('valid');
});
