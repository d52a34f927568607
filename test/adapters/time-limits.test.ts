import http from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import fastify from 'fastify';
import { expect, onTestFinished, test } from 'vitest';
import { protect as protectExpress } from '../../src/adapters/express.js';
import { protect as protectFastify } from '../../src/adapters/fastify.js';
import type { Verdict } from '../../src/domain/verdict.js';
import type { KeyVerifier } from '../../src/http/types.js';
import { KEY } from '../support/outcomes.js';

const VERDICTS: Verdict[] = [{ verdict: 'valid', key: KEY }, { verdict: 'invalid' }];

/** A verifier that waits for `release`. */
function held(verdict: Verdict): KeyVerifier & { release: () => void } {
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  return { release, verify: () => released.then(() => verdict) };
}

async function get(server: http.Server): Promise<{ status: number; text: string }> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close().closeAllConnections());
  const { port } = server.address() as AddressInfo;
  const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { Authorization: 'Bearer x' } });
  return { status: response.status, text: await response.text() };
}

/** Long enough for a released verdict to reach the adapter and the route. */
const settled = () => new Promise((resolve) => setTimeout(resolve, 20));

test.each(
  VERDICTS,
)('express: after a timeout has answered, $verdict reaches neither route nor response', async (verdict) => {
  const [verifier, reached, app] = [held(verdict), [] as unknown[], express()];
  app.use((_req, res, next) => {
    setImmediate(() => res.status(504).end('late'));
    next();
  });
  app.get('/', protectExpress(verifier), (req, res) => {
    reached.push(req.apiKey);
    res.end();
  });
  app.use((error: unknown, _req: unknown, _res: unknown, _next: unknown) => void reached.push(error));
  expect(await get(http.createServer(app))).toEqual({ status: 504, text: 'late' });
  verifier.release();
  await settled();
  expect(reached).toEqual([]);
});

test.each(
  VERDICTS,
)('fastify: after a timeout has answered, $verdict reaches neither route nor response', async (verdict) => {
  const [verifier, reached, app] = [held(verdict), [] as unknown[], fastify()];
  app.addHook('onRequest', async (_request, reply) => {
    setImmediate(() => reply.code(504).send('late'));
  });
  app.addHook('onRequest', protectFastify(verifier));
  app.addHook('onError', async (_request, _reply, error) => void reached.push(error));
  app.get('/', async (request) => reached.push(request.apiKey));
  await app.ready();
  expect(await get(app.server)).toEqual({ status: 504, text: 'late' });
  verifier.release();
  await settled();
  expect(reached).toEqual([]);
});
