import { getEventListeners, once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import { gzipSync } from 'node:zlib';
import { expect, onTestFinished, test } from 'vitest';
import { type HttpRequest, Transport, type TransportError } from '../../src/http/transport.js';
import { certificate } from '../support/certificate.js';

async function listening(server: Server, secure = false, timeoutMs = 30_000): Promise<Transport> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const transport = new Transport({ secure, host: '127.0.0.1', port }, timeoutMs);
  onTestFinished(async () => {
    await transport.close();
    server.close();
  });
  return transport;
}

const answering = (listener: RequestListener) => listening(createServer(listener));
const GET: HttpRequest = { method: 'GET', path: '/x' };

async function fault(sent: Promise<unknown>): Promise<Pick<TransportError, 'fault' | 'message'>> {
  const error = await sent.then(
    () => null,
    (thrown: TransportError) => thrown,
  );
  return { fault: error?.fault as TransportError['fault'], message: `${error?.message}` };
}

test('a request says what it brings, and nothing that it does not', async () => {
  const seen: IncomingMessage[] = [];
  const transport = await answering((request, reply) => {
    seen.push(request);
    request.resume().on('end', () => reply.end());
  });
  await transport.send({ ...GET, token: '' }, 100);
  await transport.send({ ...GET, token: 'secret', headers: { 'x-more': '1' } }, 100);
  await transport.send({ method: 'POST', path: '/y', body: 'ä' }, 100);
  const [bare, known, post] = seen.map(({ method, url, headers }) => ({ method, url, ...headers }));
  expect(bare).toMatchObject({ method: 'GET', url: '/x' });
  expect(Object.keys(bare ?? {}).sort()).toEqual(['connection', 'host', 'method', 'url']);
  expect(known).toMatchObject({ authorization: 'Bearer secret', 'x-more': '1' });
  expect(post).toMatchObject({ method: 'POST', url: '/y', 'content-type': 'application/json', 'content-length': '2' });
});

test.each([
  [200, false],
  [299, false],
  [300, true],
  [302, true],
  [399, true],
  [400, false],
])('the response %d is a redirection: %j', async (status, redirect) => {
  const transport = await answering((_, reply) => reply.writeHead(status, { 'x-y': 'z' }).end('text'));
  const response = await transport.send(GET, 100);
  expect(response).toMatchObject({ status, redirect, text: 'text', headers: { 'x-y': 'z' } });
});

test('a response may be as long as is asked for, and not compressed', async () => {
  const transport = await answering(({ url }, reply) => {
    if (url === '/packed') reply.writeHead(200, { 'content-encoding': 'gzip' });
    reply.end(url === '/packed' ? gzipSync('x') : 'x'.repeat(10));
  });
  expect((await transport.send(GET, 10)).text).toHaveLength(10);
  expect(await fault(transport.send(GET, 9))).toEqual({ fault: 'garbled', message: 'more than 9 bytes' });
  expect(await fault(transport.send({ ...GET, path: '/packed' }, 100))).toMatchObject({
    fault: 'garbled',
    message: expect.stringMatching(/compressed/),
  });
});

test('what is not HTTP is garbled, and names what was wrong with it', async () => {
  const transport = await listening(createTcpServer((socket) => socket.end('SSH-2.0-x\r\n')));
  expect(await fault(transport.send(GET, 100))).toEqual({ fault: 'garbled', message: expect.stringMatching(/^HPE_/) });
});

test('a connection that is cut is broken, before the response and within it', async () => {
  const cut = await answering((request) => request.socket.destroy());
  expect(await fault(cut.send(GET, 100))).toEqual({ fault: 'broken', message: 'ECONNRESET' });
  const within = await answering((request, reply) => {
    reply.writeHead(200, { 'content-length': '10' });
    reply.write('x', () => request.socket.destroy());
  });
  expect(await fault(within.send(GET, 100))).toMatchObject({ fault: 'broken', message: expect.stringMatching(/./) });
});

test('a certificate that nobody vouches for is not trusted', async () => {
  const { cert, key } = certificate();
  const transport = await listening(
    createTlsServer({ cert, key }, (_, reply) => reply.end()),
    true,
  );
  expect(await fault(transport.send(GET, 100))).toEqual({
    fault: 'untrusted',
    message: expect.stringMatching(/SELF_SIGNED/),
  });
});

test('a request is given up when its signal says so, before and while it is under way, and listens to it no longer', async () => {
  const arrived: (() => void)[] = [];
  const transport = await answering((request, reply) => {
    if (request.url === '/answered') reply.end();
    else for (const each of arrived) each();
  });
  const given = { fault: expect.stringMatching(/unreachable|silent/), message: 'was not waited for any longer' };
  expect(await fault(transport.send({ ...GET, signal: AbortSignal.abort() }, 100))).toEqual(given);
  const stop = new AbortController();
  arrived.push(() => stop.abort());
  expect(await fault(transport.send({ ...GET, signal: stop.signal }, 100))).toEqual({ ...given, fault: 'silent' });
  const { signal } = new AbortController();
  await transport.send({ ...GET, path: '/answered', signal }, 100);
  expect([stop.signal, signal].flatMap((each) => getEventListeners(each, 'abort'))).toEqual([]);
});

test('a server that says nothing is given up, and the time that it had is named', async () => {
  const transport = await listening(
    createServer(() => {}),
    false,
    500,
  );
  expect((await fault(transport.send(GET, 100))).message).toBe('did not answer within 0.5 s');
});

test('closing ends the connections, and closes what never sent anything, too', async () => {
  const server = createServer((_, reply) => reply.end());
  const transport = await listening(server);
  const [[socket]] = await Promise.all([once(server, 'connection'), transport.send(GET, 100)]);
  const ended = once(socket, 'close');
  await transport.close();
  await ended;
  await new Transport({ secure: false, host: '127.0.0.1', port: 1 }, 1).close();
});
