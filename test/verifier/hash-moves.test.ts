import { describe, expect, onTestFinished, test } from 'vitest';
import { idWithin, parseKeyString } from '../../src/domain/key-parts.js';
import type { KeyStore } from '../../src/domain/key-store.js';
import { newPepper, Peppers } from '../../src/domain/peppers.js';
import { hashSecret, hashWithPepper } from '../../src/domain/secret-hash.js';
import { openStore } from '../../src/store/open.js';
import { Verifier } from '../../src/verifier/verifier.js';
import { freshKeyring, make } from '../support/keyrings.js';
import { ENGINES, type EngineName, options, rawDatabase, START } from '../support/stores.js';
import { forged, verdictOf } from '../support/verifiers.js';

const pepper = newPepper();
const peppers = Peppers.parse(pepper.line, 'here');

/** A real store. Each of its next answers about a key is preceded by the next of `steps`. */
function preceded(store: KeyStore, steps: (() => Promise<unknown>)[]): KeyStore {
  return new Proxy(store, {
    get(target, name) {
      if (name === 'version')
        return () => {
          if (target.version() !== null) void steps.shift()?.(); // a local write is done when the call returns
          return target.version();
        };
      if (name === 'credential')
        return async (id: string) => {
          if (target.version() === null) await steps.shift()?.();
          return target.credential(id);
        };
      const value = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** A verifier, and another connection that stores other hashes of the same secret, as another process does. */
async function scene(engine: EngineName) {
  const keyring = await freshKeyring(engine, undefined, peppers);
  const { keyString } = await make(keyring, 'a');
  const parsed = parseKeyString(keyString);
  if (!parsed.ok) throw new Error('not a key string');
  const db = await rawDatabase(keyring.location, engine);
  const hashes = {
    pepper: hashWithPepper(parsed.body, pepper.id, peppers),
    bcrypt: await hashSecret(parsed.secret, 4),
    second: await hashSecret(parsed.secret, 4),
    third: await hashSecret(parsed.secret, 4),
  };
  const steps: (() => Promise<unknown>)[] = [];
  const store = await openStore(keyring.location, options(engine, { create: false, durable: false }));
  const verifier = new Verifier(preceded(store, steps), { environment: 'test', now: () => START.getTime(), peppers });
  onTestFinished(() => verifier.close().catch(() => {}));
  const move = (to: keyof typeof hashes) => () => db.exec(`update api_keys set hash = '${hashes[to]}'`);
  return {
    verifier,
    keyString,
    steps,
    move,
    disable: () => db.exec("update api_keys set status = 'inactive'"),
    remove: () => db.exec('delete from api_keys'),
  };
}

describe.each(ENGINES)('a hash that moves while the secret is proven, on %s', (engine) => {
  test.each(['pepper', 'bcrypt'] as const)('to %s: the key is proven anew', async (to) => {
    const { verifier, keyString, steps, move } = await scene(engine);
    const verdict = verdictOf(verifier, keyString);
    steps.push(move(to));
    expect(await verdict).toBe('valid');
    expect(steps).toEqual([]);
    expect(await verdictOf(verifier, forged(keyString))).toBe('invalid');
  });

  test('for many callers at once, each gets the true verdict', async () => {
    const { verifier, keyString, steps, move } = await scene(engine);
    const asked = Array.from({ length: 20 }, (_, i) => (i % 4 === 3 ? forged(keyString) : keyString));
    const verdicts = asked.map((each) => verdictOf(verifier, each));
    steps.push(move('bcrypt'), ...Array(9).fill(async () => {}), move('pepper'));
    expect(await Promise.all(verdicts)).toEqual(asked.map((each) => (each === keyString ? 'valid' : 'invalid')));
  });

  test('and is disabled after that: the verdict is about the last read', async () => {
    const { verifier, keyString, steps, move, disable } = await scene(engine);
    const verdict = verdictOf(verifier, keyString);
    steps.push(move('bcrypt'), disable);
    expect(await verdict).toBe('inactive');
  });

  test('and is deleted after that', async () => {
    const { verifier, keyString, steps, remove } = await scene(engine);
    const verdict = verdictOf(verifier, keyString);
    steps.push(remove);
    expect(await verdict).toBe('invalid');
  });

  test('again and again: there is no verdict, and never the wrong one', async () => {
    const { verifier, keyString, steps, move } = await scene(engine);
    const verdict = verdictOf(verifier, keyString);
    for (let i = 0; i < 100; i++) steps.push(move('bcrypt'), move('second'), move('third'));
    await expect(verdict).rejects.toMatchObject({
      code: 'store_busy',
      message: expect.stringContaining(idWithin(keyString)),
      hint: expect.stringContaining('again'),
    });
    expect(verifier.counters.bcrypt).toBe(5);
  });
});
