import { afterEach, expect, test } from 'vitest';
import { createVerifier, openKeyring } from '../src/index.js';
import { TOKENS } from './support/sqld.js';
import { freshLocation } from './support/stores.js';

const VARIABLES = ['UNLOCKOS_KEYS_AUTH_TOKEN', 'UNLOCKOS_KEYS_STORE'] as const;
afterEach(() => {
  for (const name of VARIABLES) delete process.env[name];
});

async function head(store: string, authToken?: string): Promise<number> {
  const keyring = await openKeyring({ store, authToken });
  try {
    return (await keyring.auditHead()).seq;
  } finally {
    await keyring.close();
  }
}

test('the library takes the token from the environment, for the store that it belongs to', async () => {
  const store = await freshLocation('sqld');
  await expect(head(store)).rejects.toMatchObject({ code: 'unauthorized' });
  process.env.UNLOCKOS_KEYS_AUTH_TOKEN = TOKENS.full;
  expect(await head(store)).toBe(1);
  const verifier = await createVerifier({ store, environment: 'test' });
  await verifier.close();
  process.env.UNLOCKOS_KEYS_STORE = store;
  expect(await head(store)).toBe(1);
  process.env.UNLOCKOS_KEYS_STORE = 'libsql://another.example';
  await expect(head(store)).rejects.toMatchObject({ code: 'unauthorized' });
  expect(await head(store, TOKENS.full)).toBe(1);
});

test('a variable that is empty is no token', async () => {
  const store = await freshLocation('sqld');
  process.env.UNLOCKOS_KEYS_AUTH_TOKEN = ' ';
  await expect(head(store)).rejects.toMatchObject({
    code: 'unauthorized',
    message: 'UNLOCKOS_KEYS_AUTH_TOKEN gave no token',
  });
});
