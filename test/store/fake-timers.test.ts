import { describe, expect, test, vi } from 'vitest';
import { openStore } from '../../src/store/open.js';
import { freshKeyring, make } from '../support/keyrings.js';
import { startSqld } from '../support/sqld.js';
import { ENGINES, keyringOver, options } from '../support/stores.js';

// The tests of an application replace the timers and move nobody's on: nothing of ours may wait for them.

async function underFakeTimers(act: () => Promise<unknown>): Promise<void> {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'setImmediate', 'Date', 'performance'] });
  try {
    await act();
  } finally {
    vi.useRealTimers(); // before what the helpers do at the end of a test
  }
}

describe.each(ENGINES)('under fake timers, on %s', (engine) => {
  test('keys are made, verified, limited and counted, also where two writers meet', async () => {
    const keyring = await freshKeyring(engine);
    await underFakeTimers(async () => {
      const { keyString } = await make(keyring, 'a', { rateLimit: '1/m' });
      const stores = await Promise.all(
        [1, 2, 3].map(() => openStore(keyring.location, options(engine, { create: false }))),
      );
      const keyrings = stores.map((store) => keyringOver(store));
      await Promise.all(keyrings.map((each, i) => make(each, `at once ${i}`)));
      const verifier = await (keyrings[0] as (typeof keyrings)[number]).verifier({
        environment: 'test',
        rateLimit: 'shared',
      });
      expect((await verifier.verify(keyString)).verdict).toBe('valid');
      expect((await verifier.verify(keyString)).verdict).toBe('rate_limited');
      await verifier.close();
      expect((await keyring.show('a')).lastUsedAt).not.toBeNull();
      for (const each of keyrings.slice(1)) await each.close();
    });
  });
});

test('a key that was disabled works for maxStaleMs, although the clocks stand still', async () => {
  const keyring = await freshKeyring('sqld');
  const { keyString } = await make(keyring, 'a');
  const { setImmediate } = globalThis;
  await underFakeTimers(async () => {
    const store = await openStore(keyring.location, options('sqld', { create: false }));
    const verifier = await keyringOver(store).verifier({ environment: 'test', maxStaleMs: 200, rateLimit: 'off' });
    const verdict = async () => (await verifier.verify(keyString)).verdict;
    expect(await verdict()).toBe('valid');
    await keyring.disable('a');
    while ((await verdict()) === 'valid') await new Promise((resolve) => setImmediate(resolve));
    expect(await verdict()).toBe('inactive');
    await verifier.close();
  });
});

test('a server that does not answer is given up in time all the same', async () => {
  const server = await startSqld();
  await underFakeTimers(async () => {
    const keyring = keyringOver(await openStore(server.url, options('sqld')));
    await make(keyring, 'a');
    const impatient = keyringOver(await openStore(server.url, options('sqld', { timeoutMs: 500 })));
    server.freeze();
    await expect(impatient.list()).rejects.toMatchObject({ code: 'store_unavailable' });
    server.resume();
    for (const each of [impatient, keyring]) await each.close();
  });
});
