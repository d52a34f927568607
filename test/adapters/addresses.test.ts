import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { getConnInfo } from '@hono/node-server/conninfo';
import express from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';
import { expect, onTestFinished, test } from 'vitest';
import { protect as protectExpress } from '../../src/adapters/express.js';
import { protect as protectFastify } from '../../src/adapters/fastify.js';
import { protect as protectHono } from '../../src/adapters/hono.js';
import { protect as protectWeb } from '../../src/adapters/web.js';
import type { KeyVerifier } from '../../src/http/types.js';
import { freshKeyring, make } from '../support/keyrings.js';
import { KEY } from '../support/outcomes.js';
import { DEFAULT_ENGINE } from '../support/stores.js';

const ok = () => Response.json({});

/** Servers with the option `address` as their documentation has it, and without. */
const SERVERS: Record<string, (verifier: KeyVerifier, known: boolean) => http.Server | Promise<http.Server>> = {
  express(verifier, known) {
    const app = express().set('trust proxy', 1);
    app.get('/', protectExpress(verifier, known ? { address: (req) => req.ip } : {}), (_, res) => void res.json({}));
    return http.createServer(app);
  },
  async fastify(verifier, known) {
    const app = fastify({ trustProxy: '127.0.0.1' });
    app.get('/', { onRequest: protectFastify(verifier, known ? { address: ({ ip }) => ip } : {}) }, async () => ({}));
    await app.ready();
    return app.server;
  },
  hono(verifier, known) {
    const app = new Hono();
    app.use(protectHono(verifier, known ? { address: (c) => getConnInfo(c).remote.address } : {}));
    return http.createServer(getRequestListener(app.get('/', ok).fetch));
  },
  web(verifier, known) {
    const pass = protectWeb(verifier);
    const fetch = async (request: Request, { incoming }: { incoming: http.IncomingMessage }) => {
      const answer = await pass(request, known ? incoming.socket.remoteAddress : null);
      return answer.ok ? ok() : answer.response;
    };
    return http.createServer(getRequestListener((request, env) => fetch(request, env as never)));
  },
};

async function status(server: http.Server, headers: Record<string, string>): Promise<unknown> {
  if (!server.listening) await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close().closeAllConnections());
  const answer = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, { headers });
  return [answer.status, ((await answer.json()) as { code?: string }).code];
}

test.each(
  Object.entries(SERVERS),
)('%s hands the address on that it was told to, and trusts no header by itself', async (name, serve) => {
  const keyring = await freshKeyring(DEFAULT_ENGINE);
  const verifier = await keyring.verifier({ environment: 'test' });
  onTestFinished(() => verifier.close());
  const here = await make(keyring, 'here', { allowFrom: ['127.0.0.0/8'] });
  const there = await make(keyring, 'there', { allowFrom: ['192.0.2.7'] });
  const bearer = ({ keyString }: { keyString: string }) => ({ authorization: `Bearer ${keyString}` });
  const from = { 'x-forwarded-for': '192.0.2.7', 'x-real-ip': '192.0.2.7', forwarded: 'for=192.0.2.7' };
  const known = await serve(verifier, true);
  const unknown = await serve(verifier, false);
  const reads = name === 'express' || name === 'fastify'; // they were told to trust a proxy
  expect(await status(known, bearer(here))).toEqual([200, undefined]);
  expect(await status(known, { ...bearer(here), ...from })).toEqual(reads ? [403, 'wrong_address'] : [200, undefined]);
  expect(await status(known, { ...bearer(there), ...from })).toEqual(reads ? [200, undefined] : [403, 'wrong_address']);
  for (const headers of [{}, from]) {
    expect(await status(unknown, { ...bearer(here), ...headers })).toEqual([403, 'wrong_address']);
    expect(await status(unknown, { ...bearer(there), ...headers })).toEqual([403, 'wrong_address']);
  }
});

test('a getter that throws is no address but a 503, and one of another address has the request verified again', async () => {
  const asked: unknown[] = [];
  const verifier: KeyVerifier = {
    verify: async (_, needs) => {
      asked.push(needs?.address);
      return { verdict: 'valid', key: KEY };
    },
  };
  const heard: unknown[] = [];
  const broken = protectHono(verifier, {
    address: () => {
      throw new Error('no connection');
    },
    onUnavailable: (error) => heard.push(error),
  });
  const headers = {
    authorization: `Bearer ${(await import('../../src/domain/key-parts.js')).mintKeyString('test').keyString}`,
  };
  expect((await new Hono().use(broken).get('/', ok).request('/', { headers })).status).toBe(503);
  expect([heard.length, asked]).toEqual([1, []]);
  const gates = ['192.0.2.1', '192.0.2.1', '192.0.2.2', null].map((address) =>
    protectHono(verifier, { address: () => address }),
  );
  const app = new Hono();
  for (const each of gates) app.use(each);
  expect((await app.get('/', ok).request('/', { headers })).status).toBe(200);
  expect(asked).toEqual(['192.0.2.1', '192.0.2.2', undefined]);
});
