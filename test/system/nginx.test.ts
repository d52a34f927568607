import { expect, test } from 'vitest';
import { Place } from '../support/built-tool.js';
import { block } from '../support/documents.js';
import { behind } from '../support/fronts.js';
import { Served } from '../support/served.js';
import { freePorts } from '../support/sqld.js';

// Needs nginx and curl, with the configuration and the request that docs/serve.md shows.
// test/system/proxies.test.ts has what holds for every proxy.

const SETUP = { site: block('docs/serve.md', 'auth_request /_keys'), rules: block('docs/serve.md', '# rules.yaml') };

test('nginx, as docs/serve.md shows it, lets in who may, and tells everybody else why not', async () => {
  const { place, reached, get } = await behind('nginx', new Place(), SETUP);
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
  const { place, served, reached, get } = await behind('nginx', new Place(), SETUP);
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

test('the command line of docs/serve.md starts a server, and a program asks it as docs/serve.md shows', async () => {
  const place = new Place();
  const keyString = await place.key('kiosk', '--live');
  place.write('rules.yaml', block('docs/serve.md', '# rules.yaml'));
  const [port] = await freePorts(1);
  const start = block('docs/serve.md', '--require rules.yaml').trim().split(' ').slice(2).join(' ');
  const served = new Served(place, start.replace('8787', `${port}`).split(' '));
  expect(await served.url()).toContain(`:${port}`);
  const ask = (key: string) =>
    place.run('bash', ['-c', block('docs/serve.md', 'curl -s').replace('8787', `${port}`).replace('unlk_live_…', key)]);
  const { stdout, stderr } = await ask(keyString);
  expect(JSON.parse(stdout), stderr).toMatchObject({ verdict: 'valid', key: { name: 'kiosk' } });
  expect(JSON.parse((await ask(`${keyString.slice(0, -1)}-`)).stdout)).toMatchObject({ verdict: 'invalid' });
});
