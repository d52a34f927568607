import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, request } from 'node:http';
import { connect } from 'node:net';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Place, ROOT } from '../support/built-tool.js';
import { Served } from '../support/served.js';
import { freePorts } from '../support/sqld.js';

// Needs nginx, with the configuration that README shows.

interface Front {
  readonly place: Place;
  readonly served: Served;
  /** What reached the server behind nginx. */
  readonly reached: { url: string; headers: IncomingHttpHeaders }[];
  get(
    target: string,
    keyString?: string,
    method?: string,
    more?: Record<string, string>,
  ): Promise<{ status: number; headers: IncomingHttpHeaders; body: string }>;
}

function fromReadme(kind: 'nginx' | 'yaml'): string {
  const readme = readFileSync(path.join(ROOT, 'README.md'), 'utf8');
  const section = readme.slice(readme.indexOf('### Without Node in the server'));
  return new RegExp(`\`\`\`${kind}\\n(.*?)\`\`\``, 's').exec(section)?.[1] ?? '';
}

async function listening(port: number): Promise<void> {
  for (;;) {
    const socket = connect({ host: '127.0.0.1', port });
    const up = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    socket.destroy();
    if (up) return;
  }
}

async function behindNginx(place: Place): Promise<Front> {
  await place.key('first'); // a store
  place.write('rules.yaml', fromReadme('yaml'));
  const served = new Served(place, ['--listen', '127.0.0.1:0', '--environment', 'test', '--require', 'rules.yaml']);
  const keys = new URL(await served.url()).host;
  const reached: Front['reached'] = [];
  const upstream = createServer((call, reply) => {
    reached.push({ url: call.url ?? '', headers: call.headers });
    reply.writeHead(call.url === '/plans/403' ? 403 : 200).end('from upstream');
  });
  const [front = 0, behind = 0] = await freePorts(2);
  upstream.listen(behind, '127.0.0.1');
  await once(upstream, 'listening');
  onTestFinished(() => {
    upstream.closeAllConnections();
    upstream.close();
  });
  const site = fromReadme('nginx')
    .replaceAll('127.0.0.1:8787', keys)
    .replaceAll('127.0.0.1:8080', `127.0.0.1:${front}`)
    .replaceAll('127.0.0.1:3000', `127.0.0.1:${behind}`);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  place.write(
    'nginx.conf',
    `daemon off; pid nginx.pid; error_log stderr warn; worker_processes 1; events { worker_connections 64; }
     http { access_log off; ${temporary.map((each) => `${each}_temp_path ${each};`).join(' ')}\n${site}}`,
  );
  const nginx = spawn('nginx', ['-p', place.dir, '-c', place.file('nginx.conf')], { stdio: 'ignore' });
  onTestFinished(() => void nginx.kill('SIGTERM'));
  await listening(front);
  const get: Front['get'] = async (target, keyString, method = 'GET', more = {}) => {
    const headers = keyString === undefined ? more : { ...more, authorization: `Bearer ${keyString}` };
    const call = request({ host: '127.0.0.1', port: front, path: target, method, headers });
    call.end();
    const [reply] = await once(call, 'response');
    let body = '';
    for await (const part of reply) body += part;
    return { status: reply.statusCode, headers: reply.headers, body };
  };
  return { place, served, reached, get };
}

test("README's nginx lets in who may, and tells everybody else why not", async () => {
  const { place, reached, get } = await behindNginx(new Place());
  const keyString = await place.key('kiosk', '--rate-limit', '3/h', '--scope', 'plan:read');
  expect(await get('/check-ins/7?token=x', keyString)).toMatchObject({ status: 200, body: 'from upstream' });
  const [first] = reached;
  expect(first).toMatchObject({ url: '/check-ins/7?token=x', headers: { 'x-api-key-id': keyString.slice(10, 22) } });
  expect(first?.headers).not.toHaveProperty('authorization');
  const missing = await get('/check-ins');
  expect(missing.status).toBe(401);
  expect(missing.headers['www-authenticate']).toMatch(/^Bearer realm=/);
  expect(missing.headers['content-type']).toBe('application/problem+json');
  expect(JSON.parse(missing.body)).toMatchObject({ status: 401 });
  expect((await get('/check-ins', `${keyString.slice(0, -1)}-`)).status).toBe(401);
  const scope = await get('/check-ins', keyString, 'POST');
  expect(scope.status).toBe(403);
  expect(scope.headers['www-authenticate']).toMatch(/insufficient_scope.*checkin:create/);
  expect((await get('/elsewhere', keyString)).status).toBe(403);
  expect(await get('/plans/403', keyString)).toMatchObject({ status: 403, body: 'from upstream' }); // its own, not ours
  expect((await get('/plans/1', keyString)).status).toBe(200);
  const limited = await get('/plans/1', keyString);
  expect(limited.status).toBe(429);
  expect(Number(limited.headers['retry-after'])).toBeGreaterThan(1000);
  expect(limited.headers.ratelimit).toMatch(/r=0/);
  expect(reached).toHaveLength(3);
});

test('a key that is disabled is refused by the next request, and nobody is let in when there is no verdict', async () => {
  const { place, served, reached, get } = await behindNginx(new Place());
  const keyString = await place.key('kiosk');
  expect((await get('/check-ins', keyString)).status).toBe(200);
  await place.tool(['disable', 'kiosk']);
  expect((await get('/check-ins', keyString)).status).toBe(401);
  await place.tool(['enable', 'kiosk']);
  expect((await get('/check-ins', keyString)).status).toBe(200);
  served.child.kill('SIGKILL');
  await served.ended();
  expect((await get('/check-ins', keyString)).status).toBe(503);
  expect(reached).toHaveLength(2);
});

test('what a client says of its key, or of another request, reaches nobody', async () => {
  const { place, reached, get } = await behindNginx(new Place());
  const keyString = await place.key('kiosk');
  const forged = {
    'X-Api-Key-Id': 'forged',
    'X-Api-Key-Name': 'forged',
    'X-Api-Key-Mode': 'forged',
    'X-Api-Key-Scopes': 'forged',
    'X-Forwarded-Method': 'GET',
    'X-Forwarded-Uri': '/plans/1',
  };
  expect((await get('/elsewhere', keyString, 'GET', forged)).status).toBe(403);
  expect((await get('/check-ins', keyString, 'GET', forged)).status).toBe(200);
  expect(reached.map(({ headers }) => headers)).toMatchObject([
    {
      'x-api-key-id': keyString.slice(10, 22),
      'x-api-key-name': 'kiosk',
      'x-api-key-mode': 'test',
      'x-api-key-scopes': 'checkin:read',
    },
  ]);
});

test.each([
  '/check-ins/../elsewhere',
  '/check-ins/%2e%2e/elsewhere',
  '/check-ins/..%2felsewhere',
  '/check-ins//7',
  '//check-ins',
  '/check-ins\\..\\elsewhere',
  '/check-ins/%2e%2e%2felsewhere',
  '/check-ins;/../elsewhere',
  '/check-ins/%00',
  '/check-ins#/../elsewhere',
])('a path that nginx and the server behind could read otherwise is refused: %s', async (target) => {
  const { place, reached, get } = await behindNginx(new Place());
  const keyString = await place.key('kiosk');
  expect((await get(target, keyString)).status).toBe(400);
  expect(reached).toEqual([]);
});
