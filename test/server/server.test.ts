import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Keyring } from '../../src/keyring/keyring.js';
import { Log } from '../../src/server/log.js';
import { parseRules } from '../../src/server/rules.js';
import { AuthServer, type Listen, type ServerOptions } from '../../src/server/server.js';
import { openStore } from '../../src/store/open.js';
import { another, freshKeyring, make } from '../support/keyrings.js';
import { startSqld } from '../support/sqld.js';
import { keyringOver, options } from '../support/stores.js';

const RULES = parseRules(
  '- { methods: [GET], path: /check-ins/**, scopes: [checkin:read] }\n- { methods: [GET], path: /plans, scopes: [plan:read] }',
  'rules.yaml',
);

interface Scene {
  readonly keyring: Keyring;
  readonly server: AuthServer;
  readonly address: string;
  readonly lines: () => Record<string, unknown>[];
  readonly log: Log;
}

const LOCAL: Listen = { host: '127.0.0.1', port: 0 };

async function serving(keyring: Keyring, more: Partial<ServerOptions> = {}, where: Listen = LOCAL): Promise<Scene> {
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

const scene = async (more: Partial<ServerOptions> = {}) => serving(await freshKeyring('better-sqlite3'), more);

type Headers = Record<string, string | string[]>;

async function ask(
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

const forwarded = (keyString: string, uri = '/check-ins', method = 'GET'): Headers => ({
  authorization: `Bearer ${keyString}`,
  'x-forwarded-method': method,
  'x-forwarded-uri': uri,
});

describe('/auth', () => {
  test('lets in who may, and tells the upstream who it is', async () => {
    const { keyring, address } = await scene();
    const { key, keyString } = await make(keyring, 'caf\u00e9 1', { scopes: ['checkin:read', 'checkin:create'] });
    const { status, headers, text } = await ask(address, '/auth', {
      headers: forwarded(keyString, '/check-ins/7?x=1'),
    });
    expect({ status, text }).toEqual({ status: 200, text: '' });
    expect(headers).toMatchObject({
      'x-api-key-id': key.id,
      'x-api-key-mode': 'test',
      'x-api-key-scopes': 'checkin:read checkin:create',
      'x-api-key-name': 'caf%C3%A9%201',
      ratelimit: expect.stringMatching(/r=599/),
      'cache-control': 'no-store',
    });
  });

  test('refuses in the form of the adapters, each refusal with its own status', async () => {
    const { keyring, address } = await scene();
    const { keyString } = await make(keyring, 'a', { rateLimit: { limit: 1, windowSeconds: 3600 } });
    const status = async (headers: Headers, url = '/auth') => {
      const answer = await ask(address, url, { headers });
      return [answer.status, answer.json().code];
    };
    const { authorization: _, ...none } = forwarded(keyString);
    expect(await status(none)).toEqual([401, 'missing']);
    expect(await status(forwarded(`${keyString.slice(0, -1)}-`))).toEqual([401, 'invalid']);
    expect(await status(forwarded(keyString, '/plans'))).toEqual([403, 'missing_scope']);
    expect(await status(forwarded(keyString, '/other'))).toEqual([403, 'no_rule']);
    expect(await status(forwarded(keyString, '/check-ins', 'POST'))).toEqual([403, 'no_rule']);
    expect(await status(forwarded(keyString, '/check-ins/../plans'))).toEqual([400, 'ambiguous_path']);
    expect(await status({ ...forwarded(keyString), 'x-api-key': keyString })).toEqual([400, 'invalid_request']);
    expect(await status(forwarded(keyString, `/check-ins?access_token=${keyString}`))).toEqual([
      400,
      'invalid_request',
    ]);
    expect(await status({ authorization: `Bearer ${keyString}` })).toEqual([400, 'invalid_request']);
    expect(await status({ ...forwarded(keyString), 'x-forwarded-uri': ['/check-ins', '/plans'] })).toEqual([
      400,
      'invalid_request',
    ]);
    expect(await status({ ...forwarded(keyString), 'x-forwarded-method': ['GET', 'GET'] })).toEqual([
      400,
      'invalid_request',
    ]);
    expect((await ask(address, '/auth', { headers: forwarded(keyString) })).status).toBe(200);
    const limited = await ask(address, '/auth', { headers: forwarded(keyString) });
    expect([limited.status, limited.json().code]).toEqual([429, 'rate_limited']);
    expect(Number(limited.headers['retry-after'])).toBeGreaterThan(3000);
    await keyring.disable('a');
    const disabled = await ask(address, '/auth', { headers: forwarded(keyString) });
    expect([disabled.status, disabled.json().code]).toEqual([401, 'inactive']);
    expect(disabled.headers['www-authenticate']).toMatch(/^Bearer realm=/);
  });

  test('without rules, too, a target that was forwarded twice is refused', async () => {
    const { keyring, address } = await scene({ requirements: { by: 'scopes', scopes: [] } });
    const { keyString } = await make(keyring, 'a');
    const headers = forwarded(keyString);
    const twice = { ...headers, 'x-forwarded-uri': ['/check-ins', `/check-ins?access_token=${keyString}`] };
    expect((await ask(address, '/auth', { headers: twice })).status).toBe(400);
    expect(
      (await ask(address, '/auth', { headers: { ...headers, 'x-forwarded-method': ['GET', 'PUT'] } })).status,
    ).toBe(400);
    expect((await ask(address, '/auth', { headers })).status).toBe(200);
  });

  test('for nginx, says 401 and 403 only, with the true status beside', async () => {
    const { keyring, address } = await scene();
    const { keyString } = await make(keyring, 'a', { rateLimit: { limit: 1, windowSeconds: 3600 } });
    const status = async (headers: Headers) => {
      const answer = await ask(address, '/auth/nginx', { headers });
      return [answer.status, answer.headers['x-auth-status'], answer.headers['retry-after'] !== undefined];
    };
    expect(await status(forwarded('x'))).toEqual([401, '401', false]);
    expect(await status(forwarded(keyString, '/plans'))).toEqual([403, '403', false]);
    expect(await status(forwarded(keyString, '/a//b'))).toEqual([403, '400', false]);
    expect(await status(forwarded(keyString))).toEqual([200, undefined, false]);
    expect(await status(forwarded(keyString))).toEqual([403, '429', true]);
  });

  test('without rules wants the same scopes for all, or none', async () => {
    const keyring = await freshKeyring('better-sqlite3');
    const { keyString } = await make(keyring, 'a');
    const any = await serving(await another(keyring, 'better-sqlite3'), { requirements: { by: 'scopes', scopes: [] } });
    const plan = await serving(await another(keyring, 'better-sqlite3'), {
      requirements: { by: 'scopes', scopes: ['plan:read'] },
    });
    const headers = { authorization: `Bearer ${keyString}` };
    expect((await ask(any.address, '/auth', { headers })).status).toBe(200);
    expect((await ask(plan.address, '/auth', { headers })).status).toBe(403);
    plan.server.require({ by: 'scopes', scopes: ['checkin:read'] });
    expect((await ask(plan.address, '/auth', { headers })).status).toBe(200);
  });

  test('answers 503 when the store does not, and logs why, without a secret', async () => {
    const sqld = await startSqld();
    const keyring = keyringOver(await openStore(sqld.url, options('sqld')));
    const { keyString } = await make(keyring, 'a');
    const { address, lines, log } = await serving(keyring);
    expect((await ask(address, '/auth', { headers: forwarded(keyString) })).status).toBe(200);
    await sqld.stop();
    const { status, headers, text } = await ask(address, '/auth', { headers: forwarded(keyString) });
    expect([status, headers['retry-after']]).toEqual([503, '1']);
    expect(
      (await ask(address, '/verify', { method: 'POST', headers: JSON_TYPE, body: JSON.stringify({ key: keyString }) }))
        .status,
    ).toBe(503);
    expect((await ask(address, '/healthz')).status).toBe(503);
    await log.flush();
    expect(lines().filter(({ message }) => message === 'no verdict')).toHaveLength(2);
    expect(JSON.stringify(lines()) + text).not.toContain(keyString.slice(23, 40));
  });
});

const JSON_TYPE = { 'content-type': 'application/json' };

describe('/verify', () => {
  const verify = (address: string, body: string, headers: Headers = JSON_TYPE) =>
    ask(address, '/verify', { method: 'POST', headers, body });

  test('answers every verdict with 200, and of a wrong key nothing more', async () => {
    const { keyring, address } = await scene();
    const { key, keyString } = await make(keyring, 'a', { rateLimit: { limit: 3, windowSeconds: 3600 } });
    const verdict = async (question: object) => {
      const answer = await verify(address, JSON.stringify(question));
      expect(answer.status).toBe(200);
      return answer.json();
    };
    const { id, name, mode, scopes, labels } = key;
    expect(await verdict({ key: keyString, scopes: ['checkin:read'] })).toEqual({
      verdict: 'valid',
      key: { id, name, mode, scopes, labels, expiresAt: null },
      rate: { limit: 3, windowSeconds: 3600, remaining: 2, resetMs: expect.any(Number) },
    });
    expect(await verdict({ key: 'x' })).toEqual({ verdict: 'invalid' });
    expect(await verdict({ key: keyString, scopes: ['plan:read'] })).toMatchObject({
      verdict: 'missing_scope',
      missingScopes: ['plan:read'],
      key: { id },
    });
    await verdict({ key: keyString });
    await verdict({ key: keyString });
    expect(await verdict({ key: keyString })).toMatchObject({
      verdict: 'rate_limited',
      retryAfterMs: expect.any(Number),
    });
    await keyring.disable('a');
    expect(await verdict({ key: keyString })).toMatchObject({ verdict: 'inactive', key: { id } });
    const text = (await verify(address, JSON.stringify({ key: keyString }))).text;
    expect(text).not.toMatch(/hash|guard|secret/);
  });

  test.each([
    ['', 400],
    ['x', 400],
    ['[]', 400],
    ['null', 400],
    ['"x"', 400],
    ['{}', 400],
    ['{"key":1}', 400],
    ['{"key":["x"]}', 400],
    ['{"key":"x","scopes":"plan:read"}', 400],
    ['{"key":"x","scopes":[1]}', 400],
    ['{"key":"x","scopes":["*"]}', 400],
    ['{"key":"x","more":1}', 400],
    ['{"key":"x","__proto__":{"scopes":[]}}', 400],
    ['{"key":"\\ud800"}', 200],
    [`{"key":"${'x'.repeat(9000)}"}`, 413],
    [`{"key":${'['.repeat(4000)}}`, 400],
  ])('%.40s gets %i', async (body, status) => {
    const { address } = await scene();
    const answer = await verify(address, body);
    expect(answer.status).toBe(status);
    if (status !== 200) expect(answer.headers['content-type']).toBe('application/problem+json');
  });

  test('wants JSON by its type, and POST', async () => {
    const { address } = await scene();
    expect((await verify(address, '{"key":"x"}', {})).status).toBe(415);
    expect((await verify(address, '{"key":"x"}', { 'content-type': 'text/plain' })).status).toBe(415);
    expect((await verify(address, '{"key":"x"}', { 'content-type': 'application/json; charset=utf-8' })).status).toBe(
      200,
    );
    const { status, headers } = await ask(address, '/verify');
    expect([status, headers.allow]).toEqual([405, 'POST']);
  });

  test('what is no question is counted and logged like every other refusal', async () => {
    const { address, lines, log } = await scene({ logged: 'refused' });
    await verify(address, 'x');
    await verify(address, '{"key":"x"}', { 'content-type': 'text/plain' });
    const { text } = await ask(address, '/metrics');
    expect(text).toContain('{endpoint="verify",verdict="invalid_request"} 1');
    expect(text).toContain('{endpoint="verify",verdict="unsupported_media_type"} 1');
    await log.flush();
    expect(lines()).toMatchObject([
      { endpoint: 'verify', status: 400, verdict: 'invalid_request' },
      { endpoint: 'verify', status: 415, verdict: 'unsupported_media_type' },
    ]);
  });

  test('a body without a length is counted as it comes', async () => {
    const { address } = await scene();
    const [host = '', port = ''] = address.split(':');
    const request = http.request({ host, port, path: '/verify', method: 'POST', headers: JSON_TYPE, agent: false });
    request.write(`{"key":"${'x'.repeat(5000)}`);
    request.end(`${'x'.repeat(5000)}"}`);
    const [reply] = (await once(request, 'response')) as [http.IncomingMessage];
    reply.resume();
    expect(reply.statusCode).toBe(413);
  });
});

describe('the rest', () => {
  test('/healthz, /metrics, and nothing else', async () => {
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

  test('logs one line a request, with the key once it is proven, and never a secret or a query', async () => {
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

  test('a header that is too large is refused', async () => {
    const { address } = await scene();
    expect((await ask(address, '/auth', { headers: { 'x-large': 'x'.repeat(9000) } })).status).toBe(431);
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

  test('stopping does not wait for connections that were left open for more requests', async () => {
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
    const { server, address } = await scene({ ping, limits: { stop: 600_000 } });
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

  test('stopping answers what is under way, takes nothing more, and writes the marks', async () => {
    const keyring = await freshKeyring('better-sqlite3');
    const { keyString } = await make(keyring, 'a');
    const { server, address } = await serving(await another(keyring, 'better-sqlite3'));
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

  test('listens on a Unix socket, replaces one that was left behind, and leaves others alone', async () => {
    const dir = mkdtempSync(path.join(os.tmpdir(), 'unlk-sock-'));
    onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
    const at = path.join(dir, 's');
    const keyring = await freshKeyring('better-sqlite3');
    const first = await serving(await another(keyring, 'better-sqlite3'), {}, { path: at });
    expect(first.address).toBe(`unix:${at}`);
    expect(statSync(at).mode & 0o777).toBe(0o660);
    expect((await ask(first.address, '/healthz')).status).toBe(200);
    await expect(serving(await another(keyring, 'better-sqlite3'), {}, { path: at })).rejects.toMatchObject({
      code: 'listen_failed',
    });
    expect((await ask(first.address, '/healthz')).status).toBe(200);
    await first.server.stop();
    writeFileSync(at, 'a file');
    await expect(serving(await another(keyring, 'better-sqlite3'), {}, { path: at })).rejects.toMatchObject({
      code: 'listen_failed',
    });
  });

  test('leaves the Unix socket to its successor, which may listen while answers are under way', async () => {
    const dir = mkdtempSync(path.join(os.tmpdir(), 'unlk-sock-'));
    onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
    const at = path.join(dir, 's');
    const keyring = await freshKeyring('better-sqlite3');
    const first = await serving(await another(keyring, 'better-sqlite3'), {}, { path: at });
    const request = http.request({ socketPath: at, path: '/verify', method: 'POST', headers: JSON_TYPE, agent: false });
    request.write('{"key":');
    await once(request, 'socket').then(([socket]) => (socket.connecting ? once(socket, 'connect') : null));
    await ask(first.address, '/healthz'); // the server has seen the connection by then
    const stopped = first.server.stop();
    const second = await serving(await another(keyring, 'better-sqlite3'), {}, { path: at });
    request.end('"x"}');
    const [reply] = (await once(request, 'response')) as [http.IncomingMessage];
    reply.resume();
    await stopped;
    expect((await ask(second.address, '/healthz')).status).toBe(200);
    await second.server.stop();
    expect(existsSync(at)).toBe(false);
  });

  test('names a port that is taken', async () => {
    const { keyring, address } = await scene();
    const port = Number(address.split(':')[1]);
    await expect(
      serving(await another(keyring, 'better-sqlite3'), {}, { host: '127.0.0.1', port }),
    ).rejects.toMatchObject({
      code: 'listen_failed',
      message: expect.stringMatching(/EADDRINUSE/),
    });
  });
});

describe('a log', () => {
  test('whose reader is slow holds up nobody, drops what is too much, and says how much that was', async () => {
    const written: string[] = [];
    let take: () => void = () => {};
    const log = new Log(
      (text) => {
        written.push(text);
        return new Promise((resolve) => {
          take = resolve;
        });
      },
      () => new Date(0),
    );
    log.line('info', 'first');
    await null;
    await null;
    for (let i = 0; i < 2000; i++) log.line('info', 'x'.repeat(1000));
    expect(written).toHaveLength(1);
    for (let i = 0; i < 3; i++) {
      take();
      await new Promise(setImmediate);
    }
    await log.flush();
    const lines = written.join('').trim().split('\n');
    expect(lines.length).toBeGreaterThan(900);
    expect(lines.length).toBeLessThan(1100);
    expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ level: 'warn', lines: 2000 - (lines.length - 2) });
  });
});
