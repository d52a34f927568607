import { createServer, type Server } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import express from 'express';
import fc from 'fast-check';
import fastify from 'fastify';
import { Hono } from 'hono';
import { expect, test } from 'vitest';
import { Place } from '../support/built-tool.js';
import { block } from '../support/documents.js';
import { behind, type ProxyName } from '../support/fronts.js';

// Needs nginx and Caddy. Whatever a request looks like, the handler that it reaches is one whose rule the key satisfies.

/** Paths of rules in their order, as the servers behind write them, with what a rule for them needs. */
const ROUTES = [
  { path: '/admin/**', methods: ['GET', 'HEAD'], scope: 'plan:update' },
  { path: '/plans/report', methods: null, scope: 'plan:create' },
  { path: '/plans/', methods: null, scope: 'checkin:create' },
  { path: '/plans/*', methods: null, scope: 'plan:read' },
  { path: '/pages/page.html', methods: ['GET', 'HEAD'], scope: 'facility:read' },
  { path: '/check-ins', methods: ['POST'], scope: 'checkin:update' },
  { path: '/**', methods: null, scope: 'checkin:read' },
] as const;
const SCOPES = ROUTES.map(({ scope }) => scope);
const RULES = JSON.stringify(
  ROUTES.map(({ path, methods, scope }) => ({ path, scopes: [scope], ...(methods && { methods }) })),
);

const SITES = {
  nginx: block('docs/serve.md', 'auth_request /_keys'),
  caddy: block('docs/serve.md', 'forward_auth 127.0.0.1:8787'),
};

/** Servers with a handler for each rule, which says the number of its rule. */
const SERVERS = {
  express(place: Place): Server {
    place.write('page.html', '');
    const app = express();
    ROUTES.forEach(({ path, methods }, rule) => {
      const handler: express.RequestHandler = (_, res) => void res.set('x-rule', `${rule}`).end();
      if (path.endsWith('/**'))
        app.use(path.slice(0, -3) || '/', (req, res, next) =>
          !methods || (methods as readonly string[]).includes(req.method) ? handler(req, res, next) : next(),
        );
      else if (path === '/check-ins') app.post(path, handler);
      else if (path === '/pages/page.html')
        app.use(
          '/pages',
          express.static(place.dir, {
            extensions: ['html'],
            setHeaders: (res) => void res.setHeader('x-rule', `${rule}`),
          }),
        );
      else app.all(path.replace('*', ':id'), handler);
    });
    return createServer(app);
  },
  async fastify(): Promise<Server> {
    const app = fastify({ routerOptions: { caseSensitive: false, ignoreTrailingSlash: true } });
    ROUTES.forEach(({ path, methods }, rule) => {
      const url = path.replace('/**', '/*').replace(/\/\*$/, path.endsWith('/**') ? '/*' : '/:id');
      const method = methods ? [...methods] : ['GET', 'HEAD', 'POST', 'PUT'];
      const handler = async (_: unknown, reply: { header(name: string, value: string): unknown }) => {
        reply.header('x-rule', `${rule}`);
        return '';
      };
      for (const each of path === '/admin/**' ? [url, '/admin'] : path === '/plans/' ? [] : [url])
        app.route({ url: each, method, exposeHeadRoute: false, handler } as never);
    });
    await app.ready();
    return app.server;
  },
  hono(): Server {
    const app = new Hono({ strict: false });
    ROUTES.forEach(({ path, methods }, rule) => {
      const route = path.replace('/**', '/*').replace(/\/\*$/, path.endsWith('/**') ? '/*' : '/:id');
      app.on(methods ? [...methods] : ['GET', 'HEAD', 'POST', 'PUT'], [route], (c) =>
        c.body('', 200, { 'x-rule': `${rule}` }),
      );
    });
    return createServer(getRequestListener(app.fetch));
  },
};

async function keyWith(place: Place, name: string, scopes: readonly string[]): Promise<string> {
  const { stdout } = await place.tool(['create', name, '--test-mode', '--scope', scopes.join(','), '-o', 'value']);
  return stdout.trim();
}

const at = <T>(change: (text: string, i: number, arg: T) => string, arg: fc.Arbitrary<T>) =>
  fc.tuple(fc.nat(30), arg).map(
    ([i, value]) =>
      (path: string) =>
        change(path, i % (path.length + 1), value),
  );
const hex = (char: string) => `%${char.charCodeAt(0).toString(16).padStart(2, '0')}`;
const insert = (text: string, i: number, more: string) => text.slice(0, i) + more + text.slice(i);

const mutation = fc.oneof(
  at((text, i) => text.slice(0, i) + text.slice(i).toUpperCase(), fc.constant('')),
  at((text, i) => text.slice(0, i) + text.slice(i, i + 1).toUpperCase() + text.slice(i + 1), fc.constant('')),
  at(
    (text, i) => (i < text.length ? text.slice(0, i) + hex(text[i] as string) + text.slice(i + 1) : text),
    fc.constant(''),
  ),
  at(
    insert,
    fc.constantFrom(
      '/',
      '//',
      '/./',
      '/../',
      '.',
      ';',
      ';x=1',
      '%2f',
      '%00',
      '%3b',
      '%20',
      '%0a',
      '+',
      '%252f',
      '?x',
      '#',
    ),
  ),
  at(
    (text, _, end) => text + end,
    fc.constantFrom('/', '.json', '.html', '.', '/.', '/..', ';', '%20', '?a=/admin', '//', '\\'),
  ),
);
const target = fc
  .tuple(
    fc.constantFrom(
      '/admin',
      '/admin/users',
      '/plans/report',
      '/plans/',
      '/plans',
      '/plans/7',
      '/pages/page',
      '/pages/page.html',
      '/check-ins',
      '/x/y',
    ),
    fc.array(mutation, { maxLength: 3 }),
  )
  .map(([path, mutations]) => mutations.reduce<string>((text, mutate) => mutate(text), path))
  .filter((path) => path.startsWith('/'));

test.each<[keyof typeof SERVERS, ProxyName, string]>([
  ['express', 'nginx', ''],
  ['express', 'nginx', '/'],
  ['express', 'caddy', ''],
  ['fastify', 'nginx', ''],
  ['fastify', 'nginx', '/'],
  ['hono', 'nginx', ''],
])('no request reaches a handler of %s behind %s with fewer scopes than its rule asks (proxy_pass …%s)', async (server, proxy, end) => {
  const place = new Place();
  const { get } = await behind(proxy, place, {
    rules: RULES,
    flags: ['--limits', 'off'],
    upstream: await SERVERS[server](place),
    site: SITES[proxy].replace('proxy_pass http://127.0.0.1:3000;', `proxy_pass http://127.0.0.1:3000${end};`),
  });
  const keys: { scopes: string[]; keyString: string }[] = [];
  for (const [i, scope] of ['', ...SCOPES].entries()) {
    const scopes = SCOPES.filter((each) => each !== scope);
    keys.push({ scopes, keyString: await keyWith(place, `key ${i}`, scopes) });
  }
  const seen = { in: 0, out: 0 };
  await fc.assert(
    fc.asyncProperty(
      target,
      fc.constantFrom('GET', 'HEAD', 'POST', 'PUT'),
      fc.constantFrom(...keys.keys()),
      async (path, method, i) => {
        const { scopes, keyString } = keys[i] as (typeof keys)[number];
        const { headers } = await get(path, keyString, method);
        const rule = headers['x-rule'];
        seen[rule === undefined ? 'out' : 'in'] += 1;
        if (rule !== undefined)
          expect(scopes, `${method} ${path} reached rule ${rule}`).toContain(SCOPES[Number(rule)]);
      },
    ),
    { numRuns: 400 },
  );
  expect(Math.min(seen.in, seen.out)).toBeGreaterThan(40);
});
