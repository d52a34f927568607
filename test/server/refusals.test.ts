import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ANY, ask, forwarded, scene } from '../support/auth-servers.js';
import { make } from '../support/keyrings.js';

/** What the server answers to bytes, until it closes the connection. */
async function sent(address: string, text: string): Promise<string> {
  const [host = '', port = ''] = address.split(':');
  const socket = connect({ host, port: Number(port) });
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => {});
  let answer = '';
  socket.on('data', (part) => {
    answer += part;
  });
  socket.write(text);
  await once(socket, 'close');
  return answer;
}

const KIB = 1024;
const get = (path: string, headers = '') => `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers}\r\n`;

test('header blocks and queries are taken as large as nginx sends them', async () => {
  const { keyring, address } = await scene();
  const { keyString } = await make(keyring, 'a');
  const cookies = Object.fromEntries([1, 2, 3].map((i) => [`x-cookie-${i}`, 'c'.repeat(8000)]));
  const uri = `/check-ins?${'q'.repeat(8000)}`;
  for (const path of ['/auth', '/auth/nginx', '/auth/envoy/check-ins'])
    expect((await ask(address, path, { headers: { ...forwarded(keyString, uri), ...cookies } })).status, path).toBe(
      200,
    );
  expect((await ask(address, `/auth/envoy${uri}`, { headers: forwarded(keyString) })).status).toBe(200);
  const long = `/check-ins?${'q'.repeat(30 * KIB)}`;
  expect((await ask(address, '/auth', { headers: forwarded(keyString, long) })).status).toBe(200);
  const query = forwarded(keyString, `/check-ins?${'q'.repeat(8000)}&access_token=x`);
  expect((await ask(address, '/auth', { headers: query })).status).toBe(400);
  const many = {
    ...Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`x${i}`, '1'])),
    ...forwarded(keyString),
  };
  expect((await ask(address, '/auth', { headers: many })).status).toBe(200);
});

describe('every refusal is logged and counted', () => {
  test.each([
    ['a header block that is too large', get('/auth', `x: ${'a'.repeat(60 * KIB)}\r\n`), 431, 'headers_too_large'],
    ['what is not HTTP', 'what?\r\n\r\n', 400, 'malformed'],
    ['a header with a NUL', get('/auth', 'x: \0\r\n'), 400, 'malformed'],
    ['two lengths', get('/auth', 'Content-Length: 1\r\nContent-Length: 2\r\n'), 400, 'malformed'],
    ['a header that never ends', 'GET /auth HTTP/1.1\r\n', 408, 'timeout'],
    ['CONNECT', 'CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n', 405, 'method_not_allowed'],
    ['an expectation', get('/auth', 'Expect: more\r\n'), 417, 'expectation_failed'],
    ['an unknown path', get('/nothing'), 404, 'not_found'],
    ['a method that the path does not have', get('/verify'), 405, 'method_not_allowed'],
  ])('%s', async (_, text, status, verdict) => {
    const { address, lines, log } = await scene({
      ...ANY,
      logged: 'refused',
      limits: { headers: 200, request: 300, check: 50 },
    });
    const answer = await sent(address, text);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')).trim())).toMatchObject({ status, code: verdict });
    await log.flush();
    expect(lines()).toMatchObject([{ message: 'request', endpoint: 'other', status, verdict }]);
    expect((await ask(address, '/metrics')).text).toContain(
      `unlockos_keys_verdicts_total{endpoint="other",verdict="${verdict}"} 1`,
    );
  });

  test('a connection beyond the limit', async () => {
    const { address, lines, log } = await scene({ ...ANY, limits: { connections: 1 } });
    const [host = '', port = ''] = address.split(':');
    const first = connect({ host, port: Number(port) });
    onTestFinished(() => void first.destroy());
    await once(first, 'connect');
    expect(await sent(address, get('/healthz'))).toBe('');
    await log.flush();
    expect(lines()).toMatchObject([{ message: 'request', verdict: 'too_many_connections' }]);
  });

  test('but not a client that left', async () => {
    const { address, lines, log } = await scene(ANY);
    const [host = '', port = ''] = address.split(':');
    const socket = connect({ host, port: Number(port) });
    await once(socket, 'connect');
    socket.write('GET /auth HT');
    socket.resetAndDestroy();
    await once(socket, 'close');
    await ask(address, '/healthz');
    await log.flush();
    expect(lines()).toEqual([]);
  });
});
