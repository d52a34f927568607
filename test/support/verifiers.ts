import { onTestFinished } from 'vitest';
import { checksum, mintKeyString } from '../../src/domain/key-parts.js';
import type { Keyring } from '../../src/keyring/keyring.js';
import { openStore } from '../../src/store/open.js';
import { Verifier, type VerifierOptions } from '../../src/verifier/verifier.js';
import { type FaultyProxy, faultyProxy } from './faulty-proxy.js';
import { freshKeyring } from './keyrings.js';
import { type EngineName, options, START } from './stores.js';

export interface Scene {
  readonly keyring: Keyring;
  readonly verifier: Verifier;
  readonly clock: { now: number };
}

/** A keyring, and a verifier with its own connection, as in another process. */
export async function scene(
  engine: EngineName,
  more: Partial<VerifierOptions> & { token?: string } = {},
): Promise<Scene> {
  const keyring = await freshKeyring(engine);
  const clock = { now: START.getTime() };
  return { keyring, clock, verifier: await verifierAt(keyring, engine, clock, more) };
}

export async function verifierAt(
  keyring: Keyring,
  engine: EngineName,
  clock: { now: number },
  { token, ...more }: Partial<VerifierOptions> & { token?: string } = {},
): Promise<Verifier> {
  const access = token === undefined ? {} : { token };
  const patience = engine === 'sqld' ? { timeoutMs: 30_000 } : {}; // hundreds of verifications at once take a busy server long
  const store = await openStore(keyring.location, options(engine, { create: false, ...access, ...patience }));
  const verifier = new Verifier(store, { environment: 'test', now: () => clock.now, ...more });
  onTestFinished(() => verifier.close().catch(() => {}));
  return verifier;
}

/** The same key id with another secret and a correct checksum, as anyone who knows the id could make it. */
export function forged(keyString: string | null): string {
  const body = `${(keyString ?? '').slice(0, 23)}${mintKeyString('test').secret}`;
  return body + checksum(body);
}

export const verdictOf = async (verifier: Verifier, keyString: unknown, scopes?: string[]) =>
  (await verifier.verify(keyString, { scopes })).verdict;

/** A verifier that reaches its remote store through a proxy, which counts requests and can fail. */
export async function behindProxy(
  timeoutMs = 5000,
  more: Partial<VerifierOptions> = {},
): Promise<Scene & { proxy: FaultyProxy }> {
  const { keyring, clock } = await scene('sqld');
  const proxy = await faultyProxy(keyring.location);
  const store = await openStore(proxy.url, options('sqld', { create: false, timeoutMs }));
  const verifier = new Verifier(store, { environment: 'test', now: () => clock.now, markUsed: false, ...more });
  onTestFinished(() => verifier.close());
  return { keyring, clock, proxy, verifier };
}
