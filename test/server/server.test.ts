import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { ANY, ask, forwarded, JSON_TYPE, scene, serving } from '../support/auth-servers.js';
import { another, freshKeyring, make } from '../support/keyrings.js';
import { DEFAULT_ENGINE } from '../support/stores.js';

test('serves /healthz and /metrics, and answers 404 to other paths', async () => {
  const { keyring, address } = await scene();
  const { key, keyString } = await make(keyring, 'metric');
  await ask(address, '/auth', { headers: forwarded(keyString) });
  await ask(address, '/auth', { headers: forwarded('x') });
  expect((await ask(address, '/healthz')).json()).toEqual({ status: 'ok' });
  const { text, headers } = await ask(address, '/metrics');
  expect(headers['content-type']).toMatch(/^text\/plain/);
  expect(text).toContain('unlockos_keys_verdicts_total{endpoint="auth",verdict="valid"} 1');
  expect(text).toContain('unlockos_keys_verdicts_total{endpoint="auth",verdict="invalid"} 1');
  expect(text).toContain('unlockos_keys_bcrypt_comparisons_total 1');
  expect(text).toMatch(/process_cpu_seconds_total 0?\.?\d/);
  expect((await ask(address, '/metrics')).text).toContain('{endpoint="auth",verdict="valid"} 1\n');
  expect(text).toMatch(/unlockos_keys_request_seconds_count\{endpoint="auth"\} 2/);
  expect(text).not.toContain(key.id);
  expect(text).not.toContain('check-ins');
  for (const url of ['/', '/Auth', '/auth/', '/keys', '/verify/x', '/metrics/..'])
    expect((await ask(address, url)).status).toBe(404);
  expect((await ask(address, '/metrics', { method: 'DELETE' })).status).toBe(405);
});

test('logs one line per request, with the key id if the secret is proven, and never a secret or a query', async () => {
  const { keyring, address, lines, log } = await scene();
  const { key, keyString } = await make(keyring, 'a');
  await ask(address, '/auth', { headers: forwarded(keyString, `/check-ins/${keyString}?q=${keyString}`) });
  await ask(address, '/auth', { headers: forwarded(`${keyString.slice(0, -6)}AAAAAA`) });
  await log.flush();
  expect(lines()).toMatchObject([
    { message: 'request', endpoint: 'auth', method: 'GET', status: 200, verdict: 'valid', keyId: key.id },
    { message: 'request', path: '/check-ins', status: 401, verdict: 'invalid' },
  ]);
  expect(lines()[1]).not.toHaveProperty('keyId');
  expect(JSON.stringify(lines())).not.toContain(keyString.slice(23));
});

test('a request that tries to write a line of its own into the log, or to break one, is one line of JSON', async () => {
  const { keyring, address, lines, log } = await scene();
  const { keyString } = await make(keyring, 'a');
  const forgery = '{"level":"info","message":"request","status":200,"verdict":"valid"}';
  const paths = [
    '\n',
    '\r\n',
    '%0a',
    '%0D%0A',
    '\u2028',
    '%E2%80%A8',
    '\u0085',
    '\u001b[2J',
    '%1b%5b2J',
    '\u202e',
    '"}',
    '\\',
    '%00',
    '%',
    '%ff',
  ];
  const uris = paths.flatMap((each) => [`/check-ins/${each}${forgery}`, `/plans?${each}${forgery}`]);
  let sent = 0;
  for (const uri of uris)
    for (const method of ['GET', `GET${encodeURIComponent(forgery)}`]) {
      const headers = forwarded(keyString, encodeURI(uri), method);
      await ask(address, '/auth', { headers });
      sent += 1;
      const plain = forwarded(keyString, uri, method);
      if (/[^\x20-\x7e]/.test(uri)) continue; // not in a header
      await ask(address, '/auth', { headers: plain });
      sent += 1;
    }
  await log.flush();
  expect(lines()).toHaveLength(sent);
  expect(sent).toBeGreaterThan(90);
  const names = new Set(lines().flatMap((line) => Object.keys(line)));
  expect([...names].sort()).toEqual(
    ['endpoint', 'keyId', 'level', 'message', 'method', 'ms', 'path', 'status', 'time', 'verdict'].filter((name) =>
      names.has(name),
    ),
  );
  for (const line of lines()) expect(JSON.stringify(line)).toMatch(/^[\x20-\x7e]*$/);
});

test.each([
  ['a header that never ends', 'GET /auth HTTP/1.1\r\nHost: x\r\n'],
  [
    'a body that never comes',
    'POST /verify HTTP/1.1\r\nHost: x\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{',
  ],
])('a client that is slow with %s is cut, and others are served meanwhile', async (_, start) => {
  const { address } = await scene({ limits: { headers: 200, request: 300, check: 50 } });
  const [host = '', port = ''] = address.split(':');
  const socket = net.connect({ host, port: Number(port) });
  socket.write(start);
  let text = '';
  socket.on('data', (part) => {
    text += part;
  });
  const closed = once(socket, 'close');
  expect((await ask(address, '/healthz')).status).toBe(200);
  await closed;
  expect(text).toMatch(/^HTTP\/1\.1 408/);
});

test('stop() does not wait for idle connections', async () => {
  let asked: () => void = () => {};
  let release: () => void = () => {};
  const pinged = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const ping = () => {
    asked();
    return held;
  };
  const { server, address } = await scene({ ...ANY, ping, limits: { stop: 600_000 } });
  const [host = '', port = ''] = address.split(':');
  const agent = new http.Agent({ keepAlive: true });
  onTestFinished(() => agent.destroy());
  const verify = http.request({ host, port, path: '/verify', method: 'POST', headers: JSON_TYPE, agent });
  verify.write('{"key":');
  const health = http.get({ host, port, path: '/healthz', agent });
  await pinged;
  await ask(address, '/nothing'); // the server has seen both connections by then
  const stopped = server.stop();
  verify.end('"x"}');
  release();
  for (const [reply] of await Promise.all([verify, health].map((request) => once(request, 'response')))) {
    reply.resume();
    expect([reply.statusCode, reply.headers.connection]).toEqual([200, 'close']);
  }
  await stopped;
});

test('stop() answers requests in progress, accepts no others, and writes when keys were last used', async () => {
  const keyring = await freshKeyring(DEFAULT_ENGINE);
  const { keyString } = await make(keyring, 'a');
  const { server, address } = await serving(await another(keyring, DEFAULT_ENGINE), ANY);
  const [host = '', port = ''] = address.split(':');
  await ask(address, '/auth', { headers: forwarded(keyString) });
  const request = http.request({ host, port, path: '/verify', method: 'POST', headers: JSON_TYPE, agent: false });
  request.write('{"key":');
  await once(request, 'socket').then(([socket]) => (socket.connecting ? once(socket, 'connect') : null));
  await ask(address, '/healthz'); // the server has seen the connection by then
  const stopped = server.stop();
  request.end(`"${keyString}"}`);
  const [reply] = (await once(request, 'response')) as [http.IncomingMessage];
  let text = '';
  for await (const part of reply) text += part;
  expect(JSON.parse(text).verdict).toBe('valid');
  await stopped;
  await expect(ask(address, '/healthz')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  expect((await keyring.show('a')).lastUsedAt).not.toBeNull();
});
