import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Place, ROOT } from '../support/built-tool.js';
import { freePorts } from '../support/sqld.js';

/** The API server that README shows, as a process of its own. */
function readmeServer(): string {
  const readme = readFileSync(path.join(ROOT, 'README.md'), 'utf8');
  return /```ts\n(.*?)```/s.exec(readme.slice(readme.indexOf('### In an API server')))?.[1] ?? '';
}

async function running(place: Place, program: string): Promise<{ url: string; server: ChildProcess }> {
  mkdirSync(place.file('node_modules'));
  symlinkSync(ROOT, place.file('node_modules/unlockos-keys'));
  symlinkSync(path.join(ROOT, 'node_modules/express'), place.file('node_modules/express'));
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
  const { url, server } = await running(place, readmeServer());
  const get = async (key?: string) => {
    const answer = await fetch(url, key === undefined ? {} : { headers: { authorization: `Bearer ${key}` } });
    return { status: answer.status, headers: answer.headers, body: await answer.json() };
  };
  expect(await get()).toMatchObject({ status: 401, body: { code: 'missing' } });
  const first = await get(keyString);
  expect(first).toMatchObject({ status: 200, body: { checkIns: [], for: 'kiosk' } });
  expect(first.headers.get('ratelimit')).toBe('"default";r=2;t=1200');
  await place.tool(['disable', 'kiosk']);
  expect(await get(keyString)).toMatchObject({ status: 401, body: { code: 'inactive' } });
  await place.tool(['enable', 'kiosk']);
  expect((await get(keyString)).status).toBe(200);
  expect((await get(keyString)).status).toBe(200);
  const refused = await get(keyString);
  expect(refused).toMatchObject({ status: 429, body: { code: 'rate_limited' } });
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(1000);
  const live = await place.key('live', '--live');
  expect(await get(live)).toMatchObject({ status: 401, body: { code: 'wrong_environment' } });
  const other = await place.tool(['create', 'other', '--test', '-s', 'plan:read', '-o', 'value']);
  expect(await get(other.stdout.trim())).toMatchObject({ status: 403, body: { code: 'missing_scope' } });
  server.kill('SIGTERM');
  expect(await once(server, 'exit')).toEqual([0, null]);
  const keys = JSON.parse((await place.tool(['list', '--json', '--sort', 'name'])).stdout);
  expect(
    keys.map(({ name, lastUsedAt }: { name: string; lastUsedAt: unknown }) => [name, lastUsedAt !== null]),
  ).toEqual([
    ['kiosk', true],
    ['live', false],
    ['other', false],
  ]);
});
