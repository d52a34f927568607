import { onTestFinished } from 'vitest';
import type { CreatedKey, CreateInput, Keyring } from '../../src/keyring/keyring.js';
import { openStore } from '../../src/store/open.js';
import { type BindingName, type Clock, freshStore, keyringOver, options, START } from './stores.js';

export const input = (name: string, more: Partial<CreateInput> = {}): CreateInput => ({
  name,
  mode: 'test',
  scopes: ['checkin:read'],
  ...more,
});

export async function freshKeyring(binding: BindingName, clock: Clock = { now: START }): Promise<Keyring> {
  return keyringOver(await freshStore(binding), clock);
}

export async function make(keyring: Keyring, name: string, more: Partial<CreateInput> = {}): Promise<CreatedKey> {
  const [made] = await keyring.create([input(name, more)]);
  if (!made) throw new Error('nothing was made');
  return made;
}

/** The same store through another connection, as another process would have it. */
export async function another(keyring: Keyring, binding: BindingName, clock?: Clock): Promise<Keyring> {
  const store = await openStore(keyring.store.location, options(binding, { create: false }));
  onTestFinished(() => store.close().catch(() => {}));
  return keyringOver(store, clock);
}
