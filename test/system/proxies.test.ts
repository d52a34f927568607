import { createServer } from 'node:http';
import { describe, expect, test } from 'vitest';
import { Place } from '../support/built-tool.js';
import { block } from '../support/documents.js';
import { behind } from '../support/fronts.js';

// Needs nginx and Caddy, each with the configuration that docs/serve.md shows.

const SITES = {
  nginx: block('docs/serve.md', 'auth_request /_keys'),
  caddy: block('docs/serve.md', 'forward_auth 127.0.0.1:8787'),
};
const RULES = block('docs/serve.md', '# rules.yaml');

describe.each(['nginx', 'caddy'] as const)('behind %s', (proxy) => {
  test('who may gets in, and everybody else is told why not', async () => {
    const { place, served, reached, get } = await behind(proxy, new Place(), { site: SITES[proxy], rules: RULES });
    const keyString = await place.key('kiosk', '--rate-limit', '3/h', '--scope', 'plan:read');
    expect(await get('/check-ins/7?token=x', keyString)).toMatchObject({ status: 200, body: 'from upstream' });
    expect(reached[0]).toMatchObject({
      url: '/check-ins/7?token=x',
      headers: { 'x-api-key-id': keyString.slice(10, 22) },
    });
    const missing = await get('/check-ins');
    expect([missing.status, missing.headers['content-type']]).toEqual([401, 'application/problem+json']);
    expect(missing.headers['www-authenticate']).toMatch(/^Bearer realm=/);
    const scope = await get('/check-ins', keyString, 'POST');
    expect([scope.status, scope.headers['www-authenticate']]).toEqual([403, expect.stringMatching(/checkin:create/)]);
    expect((await get('/elsewhere', keyString)).status).toBe(403);
    expect((await get('/check-ins//7', keyString)).status).toBe(400);
    expect(await get('/plans/403', keyString)).toMatchObject({ status: 403, body: 'from upstream' });
    expect((await get('/plans/1', keyString)).status).toBe(200);
    const limited = await get('/plans/1', keyString);
    expect([limited.status, Number(limited.headers['retry-after']) > 1000]).toEqual([429, true]);
    await place.tool(['disable', 'kiosk']);
    expect((await get('/check-ins', keyString)).status).toBe(401);
    served.child.kill('SIGKILL');
    await served.ended();
    expect((await get('/check-ins', keyString)).status).toBeGreaterThanOrEqual(502);
    expect(reached).toHaveLength(3);
  });

  test('what a client says of its key, or of another request, reaches nobody, and neither does its key string', async () => {
    const { place, reached, get } = await behind(proxy, new Place(), { site: SITES[proxy], rules: RULES });
    const keyString = await place.key('kiosk');
    const forged = {
      'X-Api-Key-Id': 'admin',
      'x-api-key-name': 'admin',
      'X-API-KEY-MODE': 'live',
      'X-Api-Key-Scopes': 'plan:update',
      'X-Forwarded-Method': 'GET',
      'X-Forwarded-Uri': '/plans/1',
    };
    expect((await get('/elsewhere', keyString, 'GET', forged)).status).toBe(403);
    expect((await get('/check-ins', keyString, 'POST', forged)).status).toBe(403);
    expect((await get('/check-ins', keyString, 'GET', forged)).status).toBe(200);
    expect(reached.map(({ headers }) => headers)).toMatchObject([
      {
        'x-api-key-id': keyString.slice(10, 22),
        'x-api-key-name': 'kiosk',
        'x-api-key-mode': 'test',
        'x-api-key-scopes': 'checkin:read',
      },
    ]);
    const all = JSON.stringify(reached);
    expect(all).not.toContain('admin');
    expect(all).not.toContain(keyString.slice(23));
  });

  test.each([
    'close, X-Api-Key-Id, X-Api-Key-Scopes',
    'x-api-key-mode',
    'Authorization',
    'X-Forwarded-Uri, X-Forwarded-Method',
  ])('a client cannot have headers removed on the way: Connection: %s', async (named) => {
    const { place, reached, get } = await behind(proxy, new Place(), { site: SITES[proxy], rules: RULES });
    const keyString = await place.key('kiosk');
    await get('/check-ins', keyString, 'GET', { Connection: named });
    expect((await get('/elsewhere', keyString, 'GET', { Connection: named })).status).toBeGreaterThanOrEqual(400);
    const whole = {
      'x-api-key-id': keyString.slice(10, 22),
      'x-api-key-name': 'kiosk',
      'x-api-key-mode': 'test',
      'x-api-key-scopes': 'checkin:read',
    };
    for (const { headers, url } of reached)
      expect([url, headers]).toEqual(['/check-ins', expect.objectContaining(whole)]);
  });

  test.each(['h2c', 'foo'])('a client cannot go on in a protocol that nobody checks: Upgrade: %s', async (upgrade) => {
    const upstream = createServer((_, reply) => void reply.end('answered'));
    const tunnels: string[] = [];
    upstream.on('upgrade', ({ url = '' }, socket) => {
      tunnels.push(url);
      socket.end(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: ${upgrade}\r\nConnection: Upgrade\r\n\r\n`);
    });
    const { place, get } = await behind(proxy, new Place(), { site: SITES[proxy], rules: RULES, upstream });
    const keyString = await place.key('kiosk');
    const { status } = await get('/check-ins', keyString, 'GET', { Connection: 'Upgrade', Upgrade: upgrade });
    expect([status, tunnels]).toEqual([200, []]);
  });

  test('a key works from its addresses, whatever a client says of where it comes from', async () => {
    const flags = ['--client-address', 'x-forwarded-for:1'];
    const { place, get } = await behind(proxy, new Place(), { site: SITES[proxy], rules: RULES, flags });
    const here = await place.key('here', '--allow-from', '127.0.0.1');
    const there = await place.key('there', '--allow-from', '192.0.2.7');
    for (const said of [undefined, '192.0.2.7', '192.0.2.7, 192.0.2.7']) {
      const more = said === undefined ? {} : { 'X-Forwarded-For': said, 'X-Real-IP': '192.0.2.7' };
      expect((await get('/check-ins', here, 'GET', more)).status).toBe(200);
      expect((await get('/check-ins', there, 'GET', more)).status).toBe(403);
    }
  });

  test.each([
    'X_Api_Key_Id',
    'X-Api_Key-Scopes',
    'x_api-key_name',
  ])('nor does one that the server behind could take for ours: %s', async (name) => {
    const { place, reached, get } = await behind(proxy, new Place(), { site: SITES[proxy], rules: RULES });
    const keyString = await place.key('kiosk');
    await get('/check-ins', keyString, 'GET', { [name]: 'admin' }); // nginx drops it, and serve refuses it from Caddy
    expect(JSON.stringify(reached)).not.toContain('admin');
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
    '/check-ins%3b',
    '/check-ins/%0a',
    '/check-ins#/../elsewhere',
  ])('a path that it and the server behind could read otherwise is refused: %s', async (target) => {
    const { place, reached, get } = await behind(proxy, new Place(), { site: SITES[proxy], rules: RULES });
    const keyString = await place.key('kiosk');
    expect((await get(target, keyString)).status).toBe(400);
    expect(reached).toEqual([]);
  });
});
