import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import express from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';
import { expect, onTestFinished, test } from 'vitest';
import { protect as protectExpress } from '../../src/adapters/express.js';
import { protect as protectFastify } from '../../src/adapters/fastify.js';
import { protect as protectHono } from '../../src/adapters/hono.js';
import { protect as protectWeb } from '../../src/adapters/web.js';
import { mintKeyString } from '../../src/domain/key-parts.js';
import type { KeyVerifier } from '../../src/http/types.js';
import { runExample } from '../support/examples.js';
import { KEY } from '../support/outcomes.js';

const { keyString } = mintKeyString('test');

const verifier: KeyVerifier = {
  verify: async (given) => (given === keyString ? { verdict: 'valid', key: KEY } : { verdict: 'invalid' }),
};

const SERVERS: Record<string, () => Promise<http.Server>> = {
  async express() {
    const app = express();
    await runExample('adapters/express.ts', { app, protect: protectExpress, verifier });
    return http.createServer(app);
  },
  async fastify() {
    const app = fastify();
    await runExample('adapters/fastify.ts', { app, protect: protectFastify, verifier });
    await app.ready();
    return app.server;
  },
  async hono() {
    const app = new Hono();
    await runExample('adapters/hono.ts', { app, protect: protectHono, verifier });
    return http.createServer(getRequestListener(app.fetch));
  },
  async web() {
    const plans = await runExample('adapters/web.ts', { protect: protectWeb, verifier }, 'plans');
    return http.createServer(getRequestListener(plans as (request: Request) => Promise<Response>));
  },
};

test.each(Object.keys(SERVERS))('the example for %s lets the right key through, and no other', async (adapter) => {
  const server = await SERVERS[adapter]?.();
  if (!server) throw new Error('no server');
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close().closeAllConnections());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/plans`;
  const reply = await fetch(url, { headers: { Authorization: `Bearer ${keyString}` } });
  expect([reply.status, await reply.json()]).toEqual([200, { for: KEY.id }]);
  const refused = await fetch(url, { headers: { Authorization: `Bearer ${mintKeyString('test').keyString}` } });
  expect([refused.status, refused.headers.get('content-type')]).toEqual([401, 'application/problem+json']);
});
