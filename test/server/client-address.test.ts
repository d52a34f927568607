import { expect, test } from 'vitest';
import { forwardedFor, readClientAddress } from '../../src/server/client-address.js';
import { ANY, ask, JSON_TYPE, scene } from '../support/auth-servers.js';
import { make } from '../support/keyrings.js';
import { refusal } from '../support/refusal.js';

test.each([
  [['192.0.2.7'], 1, '192.0.2.7'],
  [['198.51.100.1, 192.0.2.7'], 1, '192.0.2.7'],
  [['198.51.100.1,\t192.0.2.7 '], 2, '198.51.100.1'],
  [['a, b', 'c , d'], 1, 'd'],
  [['a, b', 'c , d'], 3, 'b'],
  [['a, b', 'c , d'], 4, 'a'],
  [['a, b', 'c , d'], 5, undefined],
  [['192.0.2.7'], 2, undefined],
  [['192.0.2.7,'], 1, ''],
  [[',192.0.2.7'], 2, ''],
  [[',192.0.2.7'], 3, undefined],
  [[''], 1, ''],
  [[], 1, ''],
  [[], 2, undefined],
])('of %j, hop %i is %j', (lines, hops, text) => {
  expect(forwardedFor(lines, hops)).toBe(text);
});

test('--client-address takes x-forwarded-for and how many proxies there are, and nothing else', () => {
  expect([readClientAddress('x-forwarded-for:1'), readClientAddress('X-Forwarded-For:9')]).toEqual([1, 9]);
  for (const text of [
    '',
    'x-forwarded-for',
    'x-forwarded-for:0',
    'x-forwarded-for:-1',
    'x-forwarded-for:10',
    'x-real-ip:1',
  ])
    expect(refusal(() => readClientAddress(text))).toMatchObject({ code: 'usage' });
});

const ENDPOINTS = ['/auth', '/auth/nginx', '/auth/envoy/x'];

test('the address counts from the proxy; what a client puts before it, and what is none, lets nobody in', async () => {
  const { keyring, address, lines } = await scene({ ...ANY, hops: 1 });
  const { keyString } = await make(keyring, 'a', { allowFrom: ['192.0.2.7', '2001:db8::/32'] });
  const authorization = `Bearer ${keyString}`;
  for (const url of ENDPOINTS)
    for (const [from, status] of [
      ['192.0.2.7', 200],
      ['::ffff:192.0.2.7', 200],
      ['2001:db8::1', 200],
      ['198.51.100.1, 192.0.2.7', 200],
      [['198.51.100.1', '192.0.2.7'], 200],
      ['192.0.2.7, 198.51.100.1', 403],
      [['192.0.2.7', '198.51.100.1'], 403],
      ['192.0.2.7:4711', 403],
      ['[2001:db8::1]', 403],
      ['2001:db8::1%eth0', 403],
      ['192.0.2.7, unknown', 403],
      ['192.0.2.7,', 403],
      [undefined, 403],
    ] as const) {
      const headers = { authorization, ...(from !== undefined && { 'x-forwarded-for': from as string }) };
      expect([url, from, (await ask(address, url, { headers })).status]).toEqual([url, from, status]);
    }
  const logged = lines().filter(({ verdict }) => verdict === 'wrong_address');
  expect(new Set(logged.map((line) => line.address))).toEqual(new Set(['198.51.100.1', null]));
  expect((await ask(address, '/metrics')).text).toMatch(/verdicts_total\{endpoint="auth",verdict="wrong_address"\} \d/);
});

test('by default no header is trusted, and a key that works from certain addresses is refused', async () => {
  const { keyring, address } = await scene(ANY);
  const { keyString } = await make(keyring, 'a', { allowFrom: ['192.0.2.7', '127.0.0.1'] });
  const headers = { authorization: `Bearer ${keyString}`, 'x-forwarded-for': '192.0.2.7', 'x-real-ip': '192.0.2.7' };
  for (const url of ENDPOINTS) {
    const { status, text } = await ask(address, url, { headers });
    expect([status, text.includes('wrong_address'), text.includes('192.0.2')]).toEqual([403, true, false]);
  }
  const verdict = async (more: object) => {
    const body = JSON.stringify({ key: keyString, ...more });
    return (await ask(address, '/verify', { method: 'POST', headers: { ...JSON_TYPE, ...headers }, body })).json();
  };
  expect(await verdict({})).toMatchObject({ verdict: 'wrong_address', address: null });
  expect(await verdict({ address: 'x' })).toMatchObject({ verdict: 'wrong_address', address: null });
  expect(await verdict({ address: '192.0.2.7' })).toMatchObject({ verdict: 'valid' });
});
