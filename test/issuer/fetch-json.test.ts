import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { fetchJson } from '../../src/issuer/fetch-json.js';
import { certificate } from '../support/certificate.js';

const MAX = 262_144;
/** What no message repeats. */
const SENT = 'hunter2';

/** An HTTPS server that answers in this way, and what a client needs to ask it. */
async function serving(answer: (request: IncomingMessage, reply: ServerResponse) => unknown, timeoutMs = 20_000) {
  const { key, cert } = certificate('localhost');
  const server = createServer({ key, cert }, (request, reply) => void answer(request, reply)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = new URL(`https://localhost:${(server.address() as AddressInfo).port}/keys?of=x`);
  return { url, fetch: () => fetchJson(url, { ca: cert, timeoutMs }), server };
}

const message = (work: Promise<object>) =>
  work.then(
    (found) => `took ${JSON.stringify(found)}`,
    (error: Error) => error.message,
  );

test('reads an object, and asks for JSON at the whole address', async () => {
  const asked: unknown[] = [];
  const { fetch } = await serving(({ method, url, headers }, reply) => {
    asked.push(method, url, headers.accept, headers.connection);
    reply.write('{"keys":[');
    setImmediate(() => reply.end('"é"]}'));
  });
  expect(await fetch()).toEqual({ keys: ['é'] });
  expect(asked).toEqual(['GET', '/keys?of=x', 'application/json', 'close']);
});

test.each([
  ['of exactly the size that is allowed', MAX, 'took {}'],
  ['of a byte more', MAX + 1, `answered with more than ${MAX} bytes`],
])('an answer %s', async (_, length, said) => {
  const { fetch } = await serving((_request, reply) => reply.end(`{}${' '.repeat(length - 2)}`));
  expect(await message(fetch())).toBe(said);
});

test.each<[string, (reply: ServerResponse) => unknown, string]>([
  ['another status', (reply) => reply.writeHead(201).end('{}'), 'answered with status 201'],
  ['a redirect', (reply) => reply.writeHead(302, { location: '/x' }).end('{}'), 'answered with status 302'],
  ['a list', (reply) => reply.end(`["${SENT}"]`), 'did not answer with a JSON object'],
  ['a text', (reply) => reply.end(`"${SENT}"`), 'did not answer with a JSON object'],
  ['null', (reply) => reply.end('null'), 'did not answer with a JSON object'],
  ['nothing', (reply) => reply.end(), 'did not answer with a JSON object'],
  ['what is no JSON', (reply) => reply.end(`{"a":${SENT}`), 'did not answer with a JSON object'],
  [
    'what is no UTF-8',
    (reply) => reply.end(Buffer.from('{"a":"\u00ff"}', 'latin1')),
    'did not answer with a JSON object',
  ],
  [
    'less than it announced',
    (reply) => {
      reply.writeHead(200, { 'content-length': '100' });
      reply.write('{}');
      setImmediate(() => reply.destroy());
    },
    'broke off its answer',
  ],
  ['nothing, and a broken connection', (reply) => reply.destroy(), 'cannot be reached (ECONNRESET)'],
])('%s is refused, and not repeated', async (_, answer, said) => {
  const { fetch } = await serving((_request, reply) => answer(reply));
  expect(await message(fetch())).toBe(said);
});

test('an answer that comes bit by bit has no more time than another', async () => {
  const { fetch, server } = await serving((_request, reply) => {
    reply.write('{');
    const drip = setInterval(() => reply.write(' '), 20);
    reply.once('close', () => clearInterval(drip));
  }, 300);
  expect(await message(fetch())).toBe('did not answer within 300 ms');
  const open = () => new Promise((resolve) => server.getConnections((_, count) => resolve(count)));
  await expect.poll(open).toBe(0);
});

test('a server that is not there, and one whose certificate is not trusted, are named as such', async () => {
  expect(await message(fetchJson(new URL('https://127.0.0.1:1/')))).toBe('cannot be reached (ECONNREFUSED)');
  const { url } = await serving((_request, reply) => reply.end('{}'));
  expect(await message(fetchJson(url))).toBe('cannot be reached (DEPTH_ZERO_SELF_SIGNED_CERT)');
});
