import { describe, expect, test } from 'vitest';
import type { KeysError } from '../../src/domain/errors.js';
import { DAY_MS, dayOf } from '../../src/domain/use.js';
import { openStore } from '../../src/store/open.js';
import { Verifier, type VerifierOptions } from '../../src/verifier/verifier.js';
import { faultyProxy } from '../support/faulty-proxy.js';
import { freshKeyring, make } from '../support/keyrings.js';
import { atEnd } from '../support/lifetime.js';
import { daysOf, recording } from '../support/recording.js';
import { TOKENS } from '../support/sqld.js';
import { ENGINES, type EngineName, options, START, storeOf } from '../support/stores.js';
import { verdictOf } from '../support/verifiers.js';

/** A verifier as a server opens it: it announces itself. */
async function opened(
  engine: EngineName,
  location: string,
  clock: { now: number },
  { token, ...more }: Partial<VerifierOptions> & { token?: string } = {},
): Promise<{ verifier: Verifier; warnings: KeysError[] }> {
  const store = await openStore(location, options(engine, { create: false, ...(token !== undefined && { token }) }));
  const warnings: KeysError[] = [];
  atEnd(() => store.close().catch(() => {}));
  const onWarning = (warning: KeysError) => void warnings.push(warning);
  const verifier = await Verifier.open(store, { environment: 'test', now: () => clock.now, onWarning, ...more });
  atEnd(() => verifier.close().catch(() => {}));
  return { verifier, warnings };
}

describe.each(ENGINES)('a verifier counts use, on %s', (engine) => {
  test('by day and verdict, once the secret is proven, and a refusal is no use', async () => {
    const keyring = await freshKeyring(engine);
    const clock = { now: START.getTime() };
    const rateLimit = { limit: 3, windowSeconds: 3600 };
    const { key, keyString } = await make(keyring, 'a', { rateLimit });
    const { verifier } = await opened(engine, keyring.location, clock);
    for (let i = 0; i < 5; i++) await verdictOf(verifier, keyString, ['plan:read', 'not a scope /etc/passwd']);
    await verifier.close();
    expect((await keyring.show('a')).lastUsedAt).toBeNull();
    const today = dayOf(START);
    expect(await daysOf(keyring, key.id)).toEqual([[today, 'missing_scope', 5, 'plan:read']]);

    const next = (await opened(engine, keyring.location, clock)).verifier;
    const verdicts: string[] = [];
    for (let i = 0; i < 4; i++) verdicts.push(await verdictOf(next, keyString));
    expect(verdicts).toEqual(['valid', 'valid', 'valid', 'rate_limited']); // refusals used nothing of the limit
    await keyring.disable('a');
    clock.now += DAY_MS;
    await verdictOf(next, keyString);
    await verdictOf(next, `${keyString?.slice(0, -1)}x`);
    const { verdict } = await next.verify(keyString);
    expect(verdict).toBe('inactive');
    await next.close();
    expect(await daysOf(keyring, key.id)).toEqual([
      [today, 'missing_scope', 5, 'plan:read'],
      [today, 'rate_limited', 1, null],
      [today, 'valid', 3, null],
      [today + 1, 'inactive', 2, null],
    ]);
    expect((await keyring.show('a')).lastUsedAt).toEqual(START);
    expect((await keyring.auditVerify()).problems).toEqual([]);
  });

  test('two servers that write at once add up', async () => {
    const keyring = await freshKeyring(engine);
    const clock = { now: START.getTime() };
    const { key, keyString } = await make(keyring, 'a');
    const servers = await Promise.all([1, 2, 3].map(() => opened(engine, keyring.location, clock)));
    for (const { verifier } of servers) for (let i = 0; i < 7; i++) await verifier.verify(keyString);
    await Promise.all(servers.map(({ verifier }) => verifier.close()));
    expect(await daysOf(keyring, key.id)).toEqual([[dayOf(START), 'valid', 21, null]]);
  });

  test('the store knows which servers record, and which do not', async () => {
    const keyring = await freshKeyring(engine);
    const clock = { now: Date.now() };
    const use = storeOf(keyring).use;
    const { verifier } = await opened(engine, keyring.location, clock);
    const blind = (await opened(engine, keyring.location, clock, { markUsed: false })).verifier;
    await expect.poll(async () => (await use.recording()).recorders).toHaveLength(2);
    const records = async () => (await use.recording()).recorders.map((each) => each.records).sort();
    expect(await records()).toEqual([false, true]);
    await blind.close();
    expect(await records()).toEqual([true]);
    await verifier.close();
    const { recorded, unrecorded, recorders } = await use.recording();
    expect([recorded.length, unrecorded.length, recorders]).toEqual([1, 1, []]);
  });
});

describe('a verifier on a server', () => {
  test('refuses a token that may only read, unless it is to record nothing', async () => {
    const keyring = await freshKeyring('sqld');
    const clock = { now: Date.now() };
    const { keyString } = await make(keyring, 'a');
    const open = (more: object) => opened('sqld', keyring.location, clock, { token: TOKENS.readOnly, ...more });
    await expect(open({})).rejects.toMatchObject({
      code: 'marks_refused',
      hint: expect.stringContaining('--no-marks'),
    });
    const { verifier, warnings } = await open({ markUsed: false });
    expect(await verdictOf(verifier, keyString)).toBe('valid');
    await verifier.close();
    expect(warnings).toEqual([]);
    await expect(open({ token: TOKENS.foreign })).rejects.toMatchObject({ code: 'unauthorized' });
  });

  test('starts while the store does not answer, with a warning', async () => {
    const keyring = await freshKeyring('sqld');
    const { keyString } = await make(keyring, 'a');
    const proxy = await faultyProxy(keyring.location);
    await proxy.refuse();
    const { verifier, warnings } = await opened('sqld', proxy.url, { now: Date.now() });
    expect(warnings.map(({ code }) => code)).toEqual(['store_unavailable']);
    await proxy.listen();
    expect(await verdictOf(verifier, keyString)).toBe('valid');
    await verifier.close();
    expect((await keyring.show('a')).lastUsedAt).not.toBeNull();
  });

  test.each([
    'cut-before-reply',
    'cut-reply',
    'gateway-timeout',
    'drop',
  ] as const)('counts once after %s', async (fault) => {
    const keyring = await freshKeyring('sqld');
    const { key } = await make(keyring, 'a');
    const proxy = await faultyProxy(keyring.location);
    const store = await openStore(proxy.url, options('sqld', { create: false }));
    atEnd(() => store.close());
    const { recorder } = recording(store);
    await recorder.start();
    for (let i = 1; i <= 4; i++) {
      recorder.used(key.id, START.getTime());
      proxy.at(i <= 2 ? i : 2, fault);
      await recorder.flush();
    }
    await recorder.close();
    expect(await daysOf(keyring, key.id)).toEqual([[dayOf(START), 'valid', 4, null]]);
  });
});
