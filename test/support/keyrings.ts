import { onTestFinished } from 'vitest';
import type { ApiKey } from '../../src/domain/api-key.js';
import type { Peppers } from '../../src/domain/peppers.js';
import type { CreateInput } from '../../src/keyring/creation.js';
import type { Keyring } from '../../src/keyring/keyring.js';
import { openStore } from '../../src/store/open.js';
import { type Clock, type EngineName, freshLocation, freshStore, keyringOver, options, START } from './stores.js';

export const input = (name: string, more: Partial<CreateInput> = {}): CreateInput => ({
  name,
  mode: 'test',
  scopes: ['checkin:read'],
  ...more,
});

export async function freshKeyring(
  engine: EngineName,
  clock: Clock = { now: START },
  peppers?: Peppers,
): Promise<Keyring> {
  return keyringOver(await freshStore(engine), clock, peppers);
}

/** Creates a key; fails the test if that fails. */
export async function make(
  keyring: Keyring,
  name: string,
  more: Partial<CreateInput> = {},
): Promise<{ key: ApiKey; keyString: string }> {
  const [made] = await keyring.create([input(name, more)]);
  if (made?.keyString == null) throw new Error('nothing was made');
  return { key: made.key, keyString: made.keyString };
}

/** The same store through another connection, as another process would have it. */
export async function another(keyring: Keyring, engine: EngineName, clock?: Clock): Promise<Keyring> {
  const store = await openStore(keyring.location, options(engine, { create: false }));
  onTestFinished(() => store.close().catch(() => {}));
  return keyringOver(store, clock);
}

/** A store to copy into, new or at `location`; with `receive` false it is opened as any other command opens it. */
export async function receiver(engine: EngineName, location?: string, receive = true): Promise<Keyring> {
  const store = await openStore(
    location ?? (await freshLocation(engine)),
    options(engine, receive ? { receive } : { create: false }),
  );
  onTestFinished(() => store.close().catch(() => {}));
  return keyringOver(store);
}
