import { describe, expect, test } from 'vitest';
import { checksum, mintKeyString } from '../../src/domain/key-parts.js';
import { freshKeyring, make } from '../support/keyrings.js';
import { ENGINES } from '../support/stores.js';

/** A key string with the id of a real one, another secret and a good checksum: anybody can write it. */
function forged(real: string): string {
  const body = real.slice(0, 23) + mintKeyString('test').secret;
  return body + checksum(body);
}

describe.each(ENGINES)('a leaked key string, on %s', (engine) => {
  test('disables its key, with the reason in the audit log; again, it changes nothing', async () => {
    const keyring = await freshKeyring(engine);
    const { key, keyString } = await make(keyring, 'ci');
    const options = { reason: 'pasted into a chat', operationId: 'leak-2026-11' };
    expect(await keyring.disableLeaked(keyString, options)).toMatchObject({ changed: true, key: { id: key.id } });
    expect((await keyring.verify(keyString)).verdict).toBe('inactive');
    expect(await keyring.disableLeaked(keyString)).toMatchObject({ changed: false });
    expect((await keyring.auditList({ action: 'key.disable' })).map(({ op, reason }) => ({ op, reason }))).toEqual([
      { op: options.operationId, reason: options.reason },
    ]);
  });

  const NO_KEY_STRING = { code: 'usage', message: 'the text is not a key string', hint: /61 characters/ };
  const mistyped = (id: string) => ({
    code: 'usage',
    message: `the key string of ${id} has a wrong checksum: it was mistyped or cut`,
    hint: new RegExp(`unlockos-keys disable ${id}$`),
  });
  const notGenuine = (id: string) => ({
    code: 'not_found',
    message: `the key string of ${id} is not genuine: there is no such key, or its secret is another`,
    hint: new RegExp(`unlockos-keys disable ${id}$`),
  });

  test.each<[string, (real: string) => string, (id: string) => { code: string; message: string; hint: RegExp }]>([
    ['with a wrong checksum', (real) => `${real.slice(0, -1)}${real.endsWith('0') ? '1' : '0'}`, mistyped],
    ['cut', (real) => real.slice(0, 60), () => NO_KEY_STRING],
    ['that is none', () => 'hello', () => NO_KEY_STRING],
    ['with the id of a key and another secret', forged, notGenuine],
    ['with the id of no key', () => mintKeyString('test').keyString, notGenuine],
  ])('%s disables nothing', async (_, spoil, told) => {
    const keyring = await freshKeyring(engine);
    const { keyString } = await make(keyring, 'ci');
    const text = spoil(keyString);
    for (const attempt of [() => keyring.proveLeaked(text), () => keyring.disableLeaked(text)]) {
      const error = await attempt().catch((thrown: unknown) => thrown);
      const { hint, ...rest } = told(text.slice(10, 22));
      expect(error).toMatchObject({ ...rest, hint: expect.stringMatching(hint) });
      expect(JSON.stringify(error)).not.toContain(keyString.slice(24, 50));
    }
    expect((await keyring.verify(keyString)).verdict).toBe('valid');
  });
});
