import { once } from 'node:events';
import http from 'node:http';
import { onTestFinished } from 'vitest';
import type { Listen } from '../../src/http-server/listen.js';
import { Log } from '../../src/http-server/log.js';
import type { Keyring } from '../../src/keyring/keyring.js';
import { parseRules } from '../../src/server/rules.js';
import { AuthServer, type ServerOptions } from '../../src/server/server.js';
import { freshKeyring } from './keyrings.js';
import { DEFAULT_ENGINE } from './stores.js';

const RULES = parseRules(
  '- { methods: [GET], path: /check-ins/**, scopes: [checkin:read] }\n- { methods: [GET], path: /plans, scopes: [plan:read] }',
  'rules.yaml',
);

export interface Scene {
  readonly keyring: Keyring;
  readonly server: AuthServer;
  readonly address: string;
  readonly lines: () => Record<string, unknown>[];
  readonly log: Log;
}

const LOCAL: Listen = { host: '127.0.0.1', port: 0 };

export async function serving(
  keyring: Keyring,
  more: Partial<ServerOptions> = {},
  where: Listen = LOCAL,
): Promise<Scene> {
  const written: string[] = [];
  const log = new Log(
    async (text) => {
      written.push(text);
    },
    () => new Date(),
  );
  const verifier = await keyring.verifier({ environment: 'test' });
  const server = new AuthServer({
    verifier,
    requirements: { by: 'rules', rules: RULES },
    log,
    logged: 'all',
    ping: async () => {
      await keyring.auditHead();
    },
    census: () => keyring.census(),
    ...more,
  });
  onTestFinished(() => server.stop().catch(() => {}));
  const address = await server.listen(where);
  const lines = () =>
    written
      .join('')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  return { keyring, server, address, lines, log };
}

export const scene = async (more: Partial<ServerOptions> = {}) => serving(await freshKeyring(DEFAULT_ENGINE), more);

/** Every valid key. */
export const ANY: Partial<ServerOptions> = { requirements: { by: 'scopes', scopes: [] } };

export type Headers = Record<string, string | string[]>;

export async function ask(
  address: string,
  url: string,
  { method = 'GET', headers = {}, body }: { method?: string; headers?: Headers; body?: string | undefined } = {},
) {
  const [host = '', port = ''] = address.split(/:(?=\d+$)/);
  const where = address.startsWith('unix:') ? { socketPath: address.slice(5) } : { host, port };
  const request = http.request({ ...where, path: url, method, headers, agent: false });
  request.end(body);
  const [reply] = (await once(request, 'response')) as [http.IncomingMessage];
  let text = '';
  for await (const part of reply) text += part;
  return { status: reply.statusCode, headers: reply.headers, text, json: () => JSON.parse(text) };
}

export const forwarded = (keyString: string, uri = '/check-ins', method = 'GET'): Headers => ({
  authorization: `Bearer ${keyString}`,
  'x-forwarded-method': method,
  'x-forwarded-uri': uri,
});
export const JSON_TYPE = { 'content-type': 'application/json' };
