import { describe, expect, onTestFinished, test } from 'vitest';
import { checksum, mintKeyString } from '../../src/domain/key-string.js';
import { Keyring } from '../../src/keyring/keyring.js';
import { openStore } from '../../src/store/open.js';
import { Verifier, type VerifierOptions } from '../../src/verifier/verifier.js';
import { type FaultyProxy, faultyProxy } from '../support/faulty-proxy.js';
import { freshKeyring, input, make } from '../support/keyrings.js';
import { TOKENS } from '../support/sqld.js';
import { BINDINGS, BY, ENGINES, type EngineName, options, rawDatabase, START } from '../support/stores.js';

interface Scene {
  readonly keyring: Keyring;
  readonly verifier: Verifier;
  readonly clock: { now: number };
}

/** A keyring, and a verifier with a connection of its own, as another process has it. */
async function scene(engine: EngineName, more: Partial<VerifierOptions> & { token?: string } = {}): Promise<Scene> {
  const keyring = await freshKeyring(engine);
  const clock = { now: START.getTime() };
  return { keyring, clock, verifier: await verifierAt(keyring, engine, clock, more) };
}

async function verifierAt(
  keyring: Keyring,
  engine: EngineName,
  clock: { now: number },
  { token, ...more }: Partial<VerifierOptions> & { token?: string } = {},
): Promise<Verifier> {
  const access = token === undefined ? {} : { token };
  const store = await openStore(keyring.store.location, options(engine, { create: false, ...access }));
  const verifier = new Verifier(store, { environment: 'test', now: () => clock.now, ...more });
  onTestFinished(() => verifier.close().catch(() => {}));
  return verifier;
}

/** The same key with another secret and a right checksum: what somebody sends who knows its id. */
function forged(keyString: string | null): string {
  const body = `${(keyString ?? '').slice(0, 23)}${mintKeyString('test').secret}`;
  return body + checksum(body);
}

const verdictOf = async (verifier: Verifier, keyString: unknown, scopes?: string[]) =>
  (await verifier.verify(keyString, { scopes })).verdict;

describe.each(ENGINES)('the verifier, on %s', (engine) => {
  test('gives every verdict, in its order, the key only after the proof', async () => {
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

  test('sees what another process did by its next call: disabled, enabled, renamed, deleted, made', async () => {
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

  test('runs bcrypt once for a key, however often and by however many at once it is asked, and never for a wrong secret', async () => {
    const { keyring, verifier } = await scene(engine);
    const { keyString } = await make(keyring, 'a');
    const wrong = Array.from({ length: 200 }, () => verdictOf(verifier, forged(keyString)));
    expect(new Set(await Promise.all(wrong))).toEqual(new Set(['invalid']));
    expect(verifier.counters.bcrypt).toBe(0);
    const right = Array.from({ length: 50 }, () => verdictOf(verifier, keyString));
    expect(new Set(await Promise.all(right))).toEqual(new Set(['valid']));
    expect(await verdictOf(verifier, forged(keyString))).toBe('invalid');
    expect(verifier.counters.bcrypt).toBe(1);
  });

  test('a key that was disabled while its secret was being proven is refused', async () => {
    const { keyring, clock } = await scene(engine);
    const slow = await make(new Keyring(keyring.store, { by: () => BY, now: () => START, hashCost: 12 }), 'slow');
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

  test('counts once for each request that proved its secret, and for no other', async () => {
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

  test('writes marks on closing, forward only, and changes nothing else by it', async () => {
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

  test('a hash that asks for too much, or that nobody knows, is refused at once, and bcrypt never runs', async () => {
    const { keyring, verifier } = await scene(engine);
    const { keyString } = await make(keyring, 'a');
    const db = await rawDatabase(keyring.store.location, engine);
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

  test('a proof holds for the hash that it was made against only', async () => {
    const { keyring, verifier } = await scene(engine);
    const { keyString } = await make(keyring, 'a');
    expect(await verdictOf(verifier, keyString)).toBe('valid');
    const db = await rawDatabase(keyring.store.location, engine);
    await db.exec(`update api_keys set hash = '$2b$04$${'a'.repeat(53)}'`);
    expect(await verdictOf(verifier, keyString)).toBe('invalid');
  });

  test('too many keys to prove at once are busy, not valid and not invalid; afterwards all verify', async () => {
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

  test('a store that was closed is neither valid nor invalid', async () => {
    const { keyring, verifier } = await scene(engine);
    const { keyString } = await make(keyring, 'a');
    await verifier.verify(keyString);
    await verifier.close();
    await expect(verifier.verify(keyString)).rejects.toMatchObject({ code: 'store_unavailable' });
  });

  test.each([
    { environment: 'Live' },
    { maxStaleMs: -1 },
    { maxStaleMs: 60_001 },
    { maxStaleMs: Number.NaN },
  ])('options that are none are refused: %j', async (wrong) => {
    await expect(scene(engine, wrong as Partial<VerifierOptions>)).rejects.toMatchObject({ code: 'usage' });
  });
});

describe.each(BINDINGS)('a verifier on a local store, on %s', (engine) => {
  test('a store that cannot be written verifies on, without marks', async () => {
    const { keyring, verifier } = await scene(engine);
    const { keyString } = await make(keyring, 'a');
    const db = await rawDatabase(keyring.store.location, engine);
    await db.exec("create trigger no_marks before update on key_usage begin select raise(abort, 'no'); end");
    expect(await verdictOf(verifier, keyString)).toBe('valid');
    await verifier.close();
    expect(verifier.counters.failedFlushes).toBe(1);
  });
});

describe('a verifier on a remote store', () => {
  test('with a token that may only read verifies, and gives up on marks', async () => {
    const { keyring, clock } = await scene('sqld');
    const { keyString } = await make(keyring, 'a');
    const verifier = await verifierAt(keyring, 'sqld', clock, { token: TOKENS.readOnly });
    expect(await verdictOf(verifier, keyString)).toBe('valid');
    await verifier.close();
    expect((await keyring.show('a')).lastUsedAt).toBeNull();
  });

  test('may use what it was told for so long as it was allowed to, and no longer', async () => {
    const { keyring, clock } = await scene('sqld');
    const { keyString } = await make(keyring, 'a');
    const verifier = await verifierAt(keyring, 'sqld', clock, { maxStaleMs: 1000 });
    expect(await verdictOf(verifier, keyString)).toBe('valid');
    await keyring.disable('a');
    clock.now += 1000;
    expect(await verdictOf(verifier, keyString)).toBe('valid');
    clock.now += 1;
    expect(await verdictOf(verifier, keyString)).toBe('inactive');
  });

  async function behindProxy(): Promise<Scene & { proxy: FaultyProxy }> {
    const { keyring, clock } = await scene('sqld');
    const proxy = await faultyProxy(keyring.store.location);
    const store = await openStore(proxy.url, options('sqld', { create: false }));
    const verifier = new Verifier(store, { environment: 'test', now: () => clock.now, markUsed: false });
    onTestFinished(() => verifier.close());
    return { keyring, clock, proxy, verifier };
  }

  test('asks one question a call, and none at all for an id that was unknown a second ago', async () => {
    const { keyring, clock, proxy, verifier } = await behindProxy();
    const { keyString } = await make(keyring, 'a');
    const unknown = mintKeyString('test').keyString;
    await verifier.verify(keyString); // proves the secret, and asks again
    const before = proxy.requests;
    await verifier.verify(keyString);
    expect(proxy.requests).toBe(before + 1);
    for (let i = 0; i < 5; i++) expect(await verdictOf(verifier, unknown)).toBe('invalid');
    expect(proxy.requests).toBe(before + 2);
    clock.now += 1000;
    expect(await verdictOf(verifier, unknown)).toBe('invalid');
    expect(proxy.requests).toBe(before + 3);
  });

  test('what is no key string never gets to the store', async () => {
    const { keyring, proxy, verifier } = await behindProxy();
    const { keyString } = await make(keyring, 'a');
    const before = proxy.requests;
    const wrong = keyString ?? '';
    for (let i = 0; i < wrong.length; i++) {
      const changed = wrong.slice(0, i) + (wrong[i] === 'x' ? 'y' : 'x') + wrong.slice(i + 1);
      expect(await verdictOf(verifier, changed), changed).toBe('invalid');
    }
    expect(proxy.requests).toBe(before);
    await verifier.verify(keyString);
    for (let i = 0; i < wrong.length; i++) {
      const changed = wrong.slice(0, i) + (wrong[i] === 'x' ? 'y' : 'x') + wrong.slice(i + 1);
      expect(await verdictOf(verifier, changed), changed).toBe('invalid');
    }
    expect(verifier.counters.bcrypt).toBe(1);
  });

  test('a flood of made-up ids is held to a few questions at a time, and a known key passes meanwhile', async () => {
    const { keyring, proxy, verifier } = await behindProxy();
    const { keyString } = await make(keyring, 'a');
    await verifier.verify(keyString);
    const before = proxy.requests;
    const flood = Promise.allSettled(
      Array.from({ length: 2000 }, () => verifier.verify(mintKeyString('test').keyString)),
    );
    expect(await verdictOf(verifier, keyString)).toBe('valid');
    const ends = await flood;
    for (const end of ends)
      expect(end).toMatchObject(
        end.status === 'fulfilled' ? { value: { verdict: 'invalid' } } : { reason: { code: 'store_busy' } },
      );
    expect(proxy.requests - before).toBeLessThanOrEqual(257);
  });

  test('a server that is gone is an error, not a verdict; when it is back, keys verify', async () => {
    const { keyring, proxy, verifier } = await behindProxy();
    const { keyString } = await make(keyring, 'a');
    await verifier.verify(keyString);
    await proxy.refuse();
    await expect(verifier.verify(keyString)).rejects.toMatchObject({ code: 'store_unavailable' });
    await proxy.listen();
    expect(await verdictOf(verifier, keyString)).toBe('valid');
  });
});
