import { describe, expect, test } from 'vitest';
import { mintKeyString } from '../../src/domain/key-parts.js';
import { identifyOffline } from '../../src/keyring/identity.js';
import { freshKeyring, make } from '../support/keyrings.js';
import { ENGINES } from '../support/stores.js';

describe.each(ENGINES)('on %s', (engine) => {
  test('identify reads what a key string says, and looks up its id', async () => {
    const keyring = await freshKeyring(engine);
    const { keyString, key } = await make(keyring, 'a');
    const stranger = mintKeyString('live');
    expect(await keyring.identify(keyString)).toEqual({
      recognised: true,
      checksum: 'good',
      mode: 'test',
      id: key.id,
      key,
    });
    expect(await keyring.identify(`${keyString.slice(0, 60)}${keyString[60] === 'a' ? 'b' : 'a'}`)).toMatchObject({
      checksum: 'bad',
      key,
    });
    expect(await keyring.identify(stranger.keyString)).toEqual({
      recognised: true,
      checksum: 'good',
      mode: 'live',
      id: stranger.id,
      key: null,
    });
    expect(await keyring.identify('hello')).toEqual({ recognised: false });
  });
});

test('without a store, no key is looked up, and a masked or cut key string is not recognised', () => {
  const { keyString, id } = mintKeyString('live');
  expect(identifyOffline(keyString)).toEqual({ recognised: true, checksum: 'good', mode: 'live', id, key: null });
  for (const text of [`unlk_live_${id}_…`, keyString.slice(0, 60), `${keyString}0`, ` ${keyString}`, ''])
    expect(identifyOffline(text)).toEqual({ recognised: false });
});
