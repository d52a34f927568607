import { expect, test } from 'vitest';
import { ANY, ask, forwarded, type Headers, scene } from '../support/auth-servers.js';
import { make } from '../support/keyrings.js';

test('behind Envoy, another method is compared with that of the request, not with one that the client claims', async () => {
  const { keyring, address } = await scene();
  const { keyString } = await make(keyring, 'a');
  const status = async (headers: Headers) =>
    (await ask(address, '/auth/envoy/check-ins', { headers: { authorization: `Bearer ${keyString}`, ...headers } }))
      .status;
  expect(await status({ 'x-http-method-override': 'DELETE', 'x-forwarded-method': 'DELETE' })).toBe(400);
  expect(await status({ 'x-http-method-override': 'GET', 'x-forwarded-method': 'DELETE' })).toBe(200);
});

test('without rules, which decide by the method, a server does not look at another one', async () => {
  const { keyring, address } = await scene(ANY);
  const { keyString } = await make(keyring, 'a');
  const headers = { ...forwarded(keyString), 'x-http-method-override': 'DELETE' };
  expect((await ask(address, '/auth', { headers })).status).toBe(200);
});

test.each<[string[], number]>([
  [['websocket', 'h2c'], 400],
  [['h2c', 'websocket'], 400],
  [['websocket', 'WebSocket'], 200],
])('of several protocols in which a client could go on, each must be allowed: %j', async (upgrade, expected) => {
  const { keyring, address } = await scene(ANY);
  const { keyString } = await make(keyring, 'a');
  const headers = { ...forwarded(keyString), connection: 'Upgrade', upgrade };
  expect((await ask(address, '/auth', { headers })).status).toBe(expected);
});
