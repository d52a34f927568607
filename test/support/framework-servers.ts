import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import express from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';
import { onTestFinished } from 'vitest';
import { protect as protectExpress } from '../../src/adapters/express.js';
import { protect as protectFastify } from '../../src/adapters/fastify.js';
import { protect as protectHono } from '../../src/adapters/hono.js';
import { protect as protectWeb } from '../../src/adapters/web.js';
import type { ApiKey } from '../../src/domain/api-key.js';
import type { KeyVerifier, ProtectOptions } from '../../src/http/types.js';

/** Path to the gates that a request for it passes, one after the other, for GET and POST. */
export type Routes = Readonly<Record<string, readonly ProtectOptions[]>>;
/** The handler behind the gates. */
export type Handler = (key: ApiKey | undefined) => object;

type Framework = (verifier: KeyVerifier, routes: Routes, handler: Handler) => Promise<http.Server> | http.Server;

const FRAMEWORKS = {
  express(verifier, routes, handler) {
    const app = express();
    for (const [path, gates] of Object.entries(routes))
      app.all(path, ...gates.map((options) => protectExpress(verifier, options)), (req, res) => {
        res.json(handler(req.apiKey));
      });
    return http.createServer(app);
  },
  async fastify(verifier, routes, handler) {
    const app = fastify();
    for (const [url, gates] of Object.entries(routes))
      app.route({
        url,
        method: ['GET', 'POST'],
        onRequest: gates.map((options) => protectFastify(verifier, options)),
        handler: async (request) => handler(request.apiKey),
      });
    await app.ready();
    return app.server;
  },
  hono(verifier, routes, handler) {
    const app = new Hono<{ Variables: { apiKey: ApiKey } }>();
    for (const [path, gates] of Object.entries(routes)) {
      for (const options of gates) app.use(path, protectHono(verifier, options));
      app.all(path, (c) => Response.json(handler(c.get('apiKey'))));
    }
    return http.createServer(getRequestListener(app.fetch));
  },
  web(verifier, routes, handler) {
    const gates = new Map(
      Object.entries(routes).map(([path, all]) => [path, all.map((options) => protectWeb(verifier, options))]),
    );
    const fetch = async (request: Request): Promise<Response> => {
      let admitted: { key: ApiKey; headers: Readonly<Record<string, string>> } | undefined;
      for (const pass of gates.get(new URL(request.url).pathname) ?? []) {
        const answer = await pass(request);
        if (!answer.ok) return answer.response;
        admitted = answer;
      }
      return Response.json(handler(admitted?.key), { headers: admitted?.headers ?? {} });
    };
    return http.createServer(getRequestListener(fetch));
  },
} satisfies Record<string, Framework>;

export type FrameworkName = keyof typeof FRAMEWORKS;
export const FRAMEWORK_NAMES = Object.keys(FRAMEWORKS) as FrameworkName[];

export interface Reply {
  readonly status: number | undefined;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
}

export interface Call {
  readonly path?: string;
  readonly method?: string;
  /** Name and value of each field, in the order in which they are sent, none of them merged. */
  readonly fields?: readonly (readonly [string, string])[];
}

/** Serves `routes` on a port of its own, and returns how to call it. */
export async function serve(
  framework: FrameworkName,
  verifier: KeyVerifier,
  routes: Routes,
  handler: Handler = (key) => ({ id: key?.id }),
): Promise<(call?: Call) => Promise<Reply>> {
  const server = await FRAMEWORKS[framework](verifier, routes, handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close().closeAllConnections());
  const { port } = server.address() as AddressInfo;
  return ({ path = '/', method = 'GET', fields = [] } = {}) =>
    new Promise((resolve, reject) => {
      const headers = [['Host', `127.0.0.1:${port}`], ...fields].flat();
      const request = http.request({ host: '127.0.0.1', port, path, method, headers }, async (response) => {
        const chunks = await response.toArray();
        resolve({
          status: response.statusCode,
          headers: response.headers,
          text: Buffer.concat(chunks).toString(),
        });
      });
      request.on('error', reject).end();
    });
}

export const bearer = (keyString: string) => ['Authorization', `Bearer ${keyString}`] as const;
