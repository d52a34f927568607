import { describe, expect, onTestFinished, test } from 'vitest';
import { mintKeyString } from '../../src/domain/key-parts.js';
import type { NewKey } from '../../src/domain/key-store.js';
import { guardTag, hashSecret } from '../../src/domain/secret-hash.js';
import { Keyring } from '../../src/keyring/keyring.js';
import { Verifier, type VerifierOptions } from '../../src/verifier/verifier.js';
import { runExample } from '../support/examples.js';
import { input, make } from '../support/keyrings.js';
import {
  BY,
  change,
  DEFAULT_ENGINE,
  ENGINES,
  LOCAL_ENGINES,
  newKey,
  rawDatabase,
  START,
  storeOf,
} from '../support/stores.js';
import { forged, scene, verdictOf, verifierAt } from '../support/verifiers.js';

/** The parts of a sound key, to be stored with one of them wrong. */
async function parts() {
  const minted = mintKeyString('test');
  return { ...minted, guard: guardTag(minted.body), hash: await hashSecret(minted.secret, 4) };
}
type Parts = Awaited<ReturnType<typeof parts>>;

describe.each(ENGINES)('the verifier, on %s', (engine) => {
  test('gives every verdict, in order, and the key only after the proof', async () => {
    const { keyring, verifier, clock } = await scene(engine, { rateLimit: 'off' });
    const { key, keyString } = await make(keyring, 'a', { expiresAt: new Date(START.getTime() + 1000) });
    const live = await make(keyring, 'b', { mode: 'live' });
    expect(await verifier.verify(keyString, { scopes: ['checkin:read'] })).toEqual({ verdict: 'valid', key });
    expect(await verifier.verify(keyString, { scopes: ['checkin:read', 'plan:read'] })).toEqual({
      verdict: 'missing_scope',
      key,
      missingScopes: ['plan:read'],
    });
    expect(await verifier.verify(live.keyString)).toMatchObject({ verdict: 'wrong_environment', environment: 'test' });
    for (const wrong of [forged(keyString), mintKeyString('test').keyString, `${keyString} `, '', null, [keyString], 7])
      expect(await verifier.verify(wrong)).toEqual({ verdict: 'invalid' });
    clock.now += 1000;
    expect(await verdictOf(verifier, keyString)).toBe('expired');
    await keyring.disable('a');
    expect(await verdictOf(verifier, keyString)).toBe('inactive');
  });

  test('sees a change by another process on the next call: disabled, enabled, renamed, deleted, created', async () => {
    const { keyring, verifier } = await scene(engine);
    const { keyString } = await make(keyring, 'a');
    expect(await verdictOf(verifier, keyString)).toBe('valid');
    for (let round = 0; round < 5; round++) {
      await keyring.disable('a');
      expect(await verdictOf(verifier, keyString)).toBe('inactive');
      await keyring.enable('a');
      expect(await verdictOf(verifier, keyString)).toBe('valid');
    }
    await keyring.edit('a', { name: 'renamed' });
    expect(await verifier.verify(keyString)).toMatchObject({ key: { name: 'renamed' } });
    await keyring.delete('renamed');
    expect(await verdictOf(verifier, keyString)).toBe('invalid');
    const other = await make(keyring, 'other');
    expect(await verdictOf(verifier, other.keyString)).toBe('valid');
  });

  test('runs bcrypt once per key, also for concurrent calls, and never for a wrong secret', async () => {
    const { keyring, verifier } = await scene(engine);
    const { keyString } = await make(keyring, 'a');
    const wrong = Array.from({ length: 200 }, () => verdictOf(verifier, forged(keyString)));
    expect(new Set(await Promise.all(wrong))).toEqual(new Set(['invalid']));
    expect(verifier.counters.bcrypt).toBe(0);
    const right = Array.from({ length: 50 }, () => verdictOf(verifier, keyString));
    expect(new Set(await Promise.all(right))).toEqual(new Set(['valid']));
    expect(await verdictOf(verifier, forged(keyString))).toBe('invalid');
    for (let i = 0; i < 3; i++) expect(await verdictOf(verifier, keyString)).toBe('valid');
    expect(verifier.counters.bcrypt).toBe(1);
  });

  test.each<[string, string, (mine: Parts, other: Parts) => Partial<NewKey>]>([
    ['nothing', 'valid', () => ({})],
    ['the mode', 'invalid', () => ({ mode: 'live' })],
    ['the guard tag', 'invalid', (_, other) => ({ guard: other.guard })],
    ['the hash', 'invalid', (_, other) => ({ hash: other.hash })],
    ['guard tag and hash', 'invalid', (_, { guard, hash }) => ({ guard, hash })],
    ['the id', 'invalid', (_, { id }) => ({ id })],
  ])('proves each part by itself: with %s of another key in the row it is %s', async (_, verdict, wrong) => {
    const { keyring, verifier, clock } = await scene(engine);
    const [mine, other] = [await parts(), await parts()];
    const { id, guard, hash } = mine;
    await storeOf(keyring).create([newKey('a', { id, guard, hash, ...wrong(mine, other) })], change());
    const live = await verifierAt(keyring, engine, clock, { environment: 'live' });
    expect([await verdictOf(verifier, mine.keyString), await verdictOf(live, mine.keyString)]).toEqual([
      verdict,
      verdict === 'valid' ? 'wrong_environment' : verdict,
    ]);
  });

  test('refuses a key that is disabled while bcrypt runs', async () => {
    const { keyring, clock } = await scene(engine);
    const slow = await make(new Keyring(storeOf(keyring), { by: () => BY, now: () => START, hashCost: 12 }), 'slow');
    const { keyString } = await make(keyring, 'a');
    for (;;) {
      const verifier = await verifierAt(keyring, engine, clock);
      let ahead = true;
      const first = verifier.verify(slow.keyString).then(() => (ahead = false)); // bcrypt takes one at a time: the other waits
      const verdict = verifier.verify(keyString);
      await keyring.disable('a');
      const inTime = ahead; // else this machine took longer for the change than for a slow proof: once more
      await first;
      if (inTime) return expect((await verdict).verdict).toBe('inactive');
      await keyring.enable('a');
    }
  });

  test('counts a request against the limit once, and only if its secret is right', async () => {
    const { keyring, verifier, clock } = await scene(engine);
    const { keyString } = await make(keyring, 'a', { rateLimit: { limit: 10, windowSeconds: 60 } });
    for (let i = 0; i < 30; i++) await verifier.verify(forged(keyString));
    await verifier.verify(keyString, { scopes: ['plan:read'] });
    const verdicts = await Promise.all(Array.from({ length: 30 }, () => verifier.verify(keyString)));
    expect(verdicts.filter(({ verdict }) => verdict === 'valid')).toHaveLength(10);
    const refused = verdicts.find(({ verdict }) => verdict === 'rate_limited');
    expect(refused).toMatchObject({ rate: { limit: 10, remaining: 0, resetMs: 60_000 }, retryAfterMs: 6000 });
    clock.now += 6000;
    expect(await verdictOf(verifier, keyString)).toBe('valid');
    expect(await verdictOf(verifier, keyString)).toBe('rate_limited');
    clock.now -= 3_600_000;
    expect(await verdictOf(verifier, keyString)).toBe('valid');
  });

  test('close() writes when keys were last used, only forward, and changes nothing else', async () => {
    const { keyring, clock } = await scene(engine);
    const { key, keyString } = await make(keyring, 'a');
    await make(keyring, 'unused');
    const head = await keyring.auditHead();
    const verifier = await verifierAt(keyring, engine, clock);
    clock.now += 5000;
    await verifier.verify(keyString);
    clock.now -= 4000;
    await verifier.verify(forged(keyString));
    await verifier.close();
    expect((await keyring.show('a')).lastUsedAt).toEqual(new Date(START.getTime() + 5000));
    expect((await keyring.show('unused')).lastUsedAt).toBeNull();
    const earlier = await verifierAt(keyring, engine, { now: START.getTime() });
    await earlier.verify(keyString);
    await earlier.close();
    expect(await keyring.show('a')).toEqual({ ...key, lastUsedAt: new Date(START.getTime() + 5000) });
    expect(await keyring.auditHead()).toEqual(head);
    expect((await keyring.auditVerify()).problems).toEqual([]);
  });

  test('refuses a hash of a very high cost or an unknown form without running bcrypt', async () => {
    const { keyring, verifier } = await scene(engine);
    const { keyString } = await make(keyring, 'a');
    const db = await rawDatabase(keyring.location, engine);
    for (const stored of [
      `$2b$31$${'a'.repeat(53)}`,
      `$2y$99$${'a'.repeat(53)}`,
      '',
      'plain',
      `$sha1$${'a'.repeat(53)}`,
    ]) {
      await db.exec(`update api_keys set hash = '${stored}'`);
      expect(await verdictOf(verifier, keyString)).toBe('invalid');
    }
    expect(verifier.counters.bcrypt).toBe(0);
  });

  test('a proof is valid only for the hash that it was made with', async () => {
    const { keyring, verifier } = await scene(engine);
    const { keyString } = await make(keyring, 'a');
    expect(await verdictOf(verifier, keyString)).toBe('valid');
    const db = await rawDatabase(keyring.location, engine);
    await db.exec(`update api_keys set hash = '$2b$04$${'a'.repeat(53)}'`);
    expect(await verdictOf(verifier, keyString)).toBe('invalid');
  });

  test('rejects with store_busy when too many keys wait for bcrypt; all of them verify later', async () => {
    const { keyring, verifier } = await scene(engine);
    const made = await keyring.create(Array.from({ length: 80 }, (_, i) => input(`key ${i}`)));
    const first = await Promise.allSettled(made.map(({ keyString }) => verifier.verify(keyString)));
    for (const each of first)
      expect(each).toMatchObject(
        each.status === 'fulfilled' ? { value: { verdict: 'valid' } } : { reason: { code: 'store_busy' } },
      );
    expect(first.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThanOrEqual(64);
    for (const { keyString } of made) expect(await verdictOf(verifier, keyString)).toBe('valid');
  });

  test('rejects after the store was closed', async () => {
    const { keyring, verifier } = await scene(engine);
    const { keyString } = await make(keyring, 'a');
    await verifier.verify(keyString);
    await verifier.close();
    await expect(verifier.verify(keyString)).rejects.toMatchObject({ code: 'store_unavailable' });
  });

  test('counts a refusal that a route tells it of, and nothing else', async () => {
    const { keyring, verifier, clock } = await scene(engine);
    const { key, keyString } = await make(keyring, 'a');
    const verdict = await verifier.verify(keyString);
    verifier.noteRefusal(verdict);
    verifier.noteRefusal({ verdict: 'invalid' });
    verifier.noteRefusal({ verdict: 'missing_scope', key, missingScopes: ['plan:read'] });
    await verifier.close();
    const day = Math.floor(clock.now / 86_400_000);
    expect(
      (await storeOf(keyring).use.days([key.id], 0)).map(({ day: on, ...each }) => [on, each.verdict, each.times]),
    ).toEqual([
      [day, 'missing_scope', 1],
      [day, 'valid', 1],
    ]);
  });

  test('asks a limiter of its program, and gives the verdict that follows, at once or later', async () => {
    const state = { limit: 5, windowSeconds: 60, remaining: 0, resetMs: 9 };
    const asked: unknown[][] = [];
    const answers = [
      { admitted: true, rate: state },
      { admitted: false, rate: state, retryAfterMs: 7 },
    ] as const;
    for (const later of [false, true])
      for (const decision of answers) {
        const rateLimit = {
          admit: (...given: unknown[]) => {
            asked.push(given);
            return later ? Promise.resolve(decision) : decision;
          },
        };
        const { keyring, verifier, clock } = await scene(engine, { rateLimit });
        const { key, keyString } = await make(keyring, 'a');
        expect(await verifier.verify(keyString)).toEqual(
          decision.admitted
            ? { verdict: 'valid', key, rate: state }
            : { verdict: 'rate_limited', key, rate: state, retryAfterMs: 7 },
        );
        expect(asked.pop()).toEqual([key.id, key.rateLimit, clock.now]);
      }
    const failing = await scene(engine, {
      rateLimit: {
        admit: () => {
          throw new Error('the counter is down');
        },
      },
    });
    const { keyString } = await make(failing.keyring, 'a');
    await expect(failing.verifier.verify(keyString)).rejects.toThrow('the counter is down');
  });

  test('works from a list of networks, by the address of the request', async () => {
    const { keyring, verifier } = await scene(engine);
    const { key, keyString } = await make(keyring, 'a', { allowFrom: ['192.0.2.0/24'] });
    expect(await verifier.verify(keyString, { address: '192.0.2.7' })).toMatchObject({ verdict: 'valid' });
    for (const [needs, address] of [
      [{ address: '::ffff:198.51.100.1' }, '198.51.100.1'],
      [{}, null],
      [undefined, null],
    ] as const)
      expect(await verifier.verify(keyString, needs)).toEqual({ verdict: 'wrong_address', key, address });
  });
});

describe('a verifier', () => {
  test('that is opened tells the store of it; one that records nothing counts neither uses nor refusals', async () => {
    const { keyring, clock } = await scene(DEFAULT_ENGINE);
    const { key, keyString } = await make(keyring, 'a');
    const store = storeOf(keyring);
    const options = { environment: 'test', now: () => clock.now } as const;
    const recorders = async () => (await store.use.recording()).recorders.map(({ records }) => records);
    const verifier = await Verifier.open(store, options);
    onTestFinished(() => verifier.close());
    expect(await recorders()).toEqual([true]);
    const blind = await verifierAt(keyring, DEFAULT_ENGINE, clock, { markUsed: false });
    expect(await verdictOf(blind, keyString)).toBe('valid');
    await keyring.disable('a');
    expect(await verdictOf(blind, keyString)).toBe('inactive');
    await blind.close();
    expect(await store.use.days([key.id], 0)).toEqual([]);
  });

  test.each([
    { environment: 'Live' },
    { environment: undefined },
    { maxStaleMs: -1 },
    { maxStaleMs: 60_001 },
    { maxStaleMs: Number.NaN },
    { rateLimit: 'none' },
    { rateLimit: null },
    { rateLimit: {} },
    { markUsed: 'no' },
    { pepperedOnly: 1 },
    { peppers: {} },
    { by: 'me' },
    { now: 5 },
    { onWarning: null },
    { enviroment: 'test' },
  ])('refuses invalid options: %o', async (wrong) => {
    const [name = ''] = Object.keys(wrong);
    await expect(scene(DEFAULT_ENGINE, wrong as Partial<VerifierOptions>)).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringMatching(new RegExp(`^verifier: options.*${name}`)),
    });
  });

  test.each<[unknown, RegExp]>([
    [null, /must be an object/],
    ['plan:read', /must be an object/],
    [['plan:read'], /unknown property "0"/],
    [{ scope: ['plan:read'] }, /unknown property "scope"/],
    [{ environment: 'live' }, /unknown property "environment"/],
    [{ scopes: 'plan:read' }, /needs.scopes must be an array/],
    [{ address: 5 }, /needs.address must be a string/],
  ])('refuses needs that it would have to pass over: %j', async (needs, message) => {
    const { keyring, verifier } = await scene(DEFAULT_ENGINE);
    const { keyString } = await make(keyring, 'a');
    for (const text of [keyString, 'rubbish'])
      await expect(verifier.verify(text, needs as never)).rejects.toMatchObject({
        code: 'usage',
        message: expect.stringMatching(message),
        hint: expect.stringContaining('verify('),
      });
  });
});

describe.each(LOCAL_ENGINES)('a verifier on a local store, on %s', (engine) => {
  test('verifies also when the store cannot be written', async () => {
    const { keyring, verifier } = await scene(engine);
    const { keyString } = await make(keyring, 'a');
    const db = await rawDatabase(keyring.location, engine);
    await db.exec("create trigger no_marks before update on key_usage begin select raise(abort, 'no'); end");
    expect(await verdictOf(verifier, keyString)).toBe('valid');
    await verifier.close();
    expect(verifier.counters.failedFlushes).toBe(1);
  });
});

test('the example in the docstring of verify runs', async () => {
  const { keyring, verifier } = await scene(DEFAULT_ENGINE);
  const { key, keyString } = await make(keyring, 'a', { scopes: ['plan:read'] });
  const printed: unknown[] = [];
  const console = { log: (text: unknown) => printed.push(text) };
  await runExample('verifier/verifier.ts', { verifier, keyString, console });
  expect(printed).toEqual([key.id]);
});
