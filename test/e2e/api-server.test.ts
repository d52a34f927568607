import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Place, ROOT } from '../support/built-tool.js';
import { block } from '../support/documents.js';
import { freePorts } from '../support/sqld.js';

/** What a program of the documents imports. */
function linkPackages(place: Place): void {
  mkdirSync(place.file('node_modules'));
  symlinkSync(ROOT, place.file('node_modules/unlockos-keys'));
  for (const name of ['express', 'fastify', 'hono', 'ioredis'])
    symlinkSync(path.join(ROOT, 'node_modules', name), place.file('node_modules', name));
}

/** A server as a process of its own. */
async function running(place: Place, program: string): Promise<{ url: string; server: ChildProcess }> {
  linkPackages(place);
  const [port] = await freePorts(1);
  const server = spawn(process.execPath, [place.write('server.mjs', program)], {
    cwd: place.dir,
    env: place.env({ KEY_STORE: place.store, PORT: `${port}` }),
    stdio: 'inherit',
  });
  onTestFinished(() => void server.kill('SIGKILL'));
  const url = `http://127.0.0.1:${port}/check-ins`;
  for (let up = false; !up && server.exitCode === null; ) {
    up = await fetch(url).then(
      () => true,
      () => false,
    );
  }
  return { url, server };
}

test("README's API server lets in who may come in, hears of a revocation at once, and ends in order", async () => {
  const place = new Place();
  const keyString = await place.key('kiosk', '--rate-limit', '3/h');
  const { url, server } = await running(place, block('README.md', 'unlockos-keys/express'));
  const get = async (key?: string) => {
    const answer = await fetch(url, key === undefined ? {} : { headers: { authorization: `Bearer ${key}` } });
    return { status: answer.status, headers: answer.headers, body: await answer.json() };
  };
  expect(await get()).toMatchObject({ status: 401, body: { code: 'missing' } });
  const first = await get(keyString);
  expect(first).toMatchObject({ status: 200, body: { checkIns: [], for: 'kiosk' } });
  expect(first.headers.get('ratelimit')).toBe('"default";r=2;t=1200');
  await place.look(['disable', 'kiosk']);
  expect(await get(keyString)).toMatchObject({ status: 401, body: { code: 'inactive' } });
  await place.look(['enable', 'kiosk']);
  expect((await get(keyString)).status).toBe(200);
  expect((await get(keyString)).status).toBe(200);
  const refused = await get(keyString);
  expect(refused).toMatchObject({ status: 429, body: { code: 'rate_limited' } });
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(1000);
  const live = await place.key('live', '--live');
  expect(await get(live)).toMatchObject({ status: 401, body: { code: 'wrong_environment' } });
  const other = await place.look(['create', 'other', '--test', '-s', 'plan:read', '-o', 'value']);
  expect(await get(other.stdout.trim())).toMatchObject({ status: 403, body: { code: 'missing_scope' } });
  server.kill('SIGTERM');
  expect(await once(server, 'exit')).toEqual([0, null]);
  const keys = JSON.parse((await place.look(['list', '--json', '--sort', 'name'])).stdout);
  expect(
    keys.map(({ name, lastUsedAt }: { name: string; lastUsedAt: unknown }) => [name, lastUsedAt !== null]),
  ).toEqual([
    ['kiosk', true],
    ['live', false],
    ['other', false],
  ]);
});

const ASK = {
  fastify: `const reply = await app.inject({ url: '/check-ins', headers });
    console.log(reply.statusCode, reply.body);
    await app.close();`,
  hono: `const reply = await app.request('/check-ins', { headers });
    console.log(reply.status, await reply.text());
    await verifier.close();`,
  web: `const reply = await handler(new Request('http://localhost/check-ins', { headers }));
    console.log(reply.status, await reply.text());
    await verifier.close();`,
};

test.each([
  ['fastify', block('docs/api-server.md', 'unlockos-keys/fastify')],
  ['hono', block('docs/api-server.md', 'unlockos-keys/hono')],
  ['web', block('docs/api-server.md', 'unlockos-keys/web')],
] as const)('docs/api-server.md: %s lets in the holder of a key, and nobody without one', async (name, program) => {
  const place = new Place();
  linkPackages(place);
  const keyString = await place.key('kiosk');
  const ask = `const headers = process.argv[2] ? { authorization: 'Bearer ' + process.argv[2] } : {};\n${ASK[name]}`;
  const file = place.write('server.mjs', `${program}\n${ask}`);
  const letIn = await place.run(process.execPath, [file, keyString]);
  expect(letIn, letIn.stderr).toMatchObject({ exitCode: 0, stdout: '200 {"for":"kiosk"}\n' });
  const refused = await place.run(process.execPath, [file]);
  expect(refused).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^401 .*"code":"missing"/) });
});

test('docs/api-server.md: a verifier that counts in Redis, and by itself while Redis is down', async () => {
  const place = new Place();
  linkPackages(place);
  const keyString = await place.key('kiosk', '--rate-limit', '3/h');
  const program = block('docs/api-server.md', 'unlockos-keys/redis').replace('new Redis({', 'new Redis({ port: 1,');
  const ask = `const { verdict, rate } = await verifier.verify(process.argv[2]);
    console.log(verdict, rate.remaining);`;
  const file = place.write('server.mjs', `${program}\n${ask}`);
  const server = spawn(process.execPath, [file, keyString], { cwd: place.dir, stdio: ['ignore', 'pipe', 'ignore'] });
  onTestFinished(() => void server.kill('SIGKILL'));
  const [said] = await once(server.stdout, 'data');
  expect(String(said)).toBe('valid 2\n');
  server.kill('SIGTERM'); // it tries to reach Redis for ever, and ends all the same
  expect(await once(server, 'exit')).toEqual([0, null]);
});
