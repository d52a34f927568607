import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { KEY_STRING, Place, ROOT } from '../support/built-tool.js';
import { block, read } from '../support/documents.js';
import { Images } from '../support/image.js';
import { packed, publish } from '../support/registry.js';
import { Served } from '../support/served.js';
import { startSqld } from '../support/sqld.js';

// Needs buildah. No image comes from a registry: the base is made of this machine's own Node, npm and shell.

const DIRECTORY = path.join(ROOT, 'deploy/container');
const NODES = (process.env.UNLOCKOS_KEYS_TEST_NODES ?? '').split(':').filter(Boolean);
const node24 = NODES.find((node) => execFileSync(node, ['--version'], { encoding: 'utf8' }).startsWith('v24.'));

/** The files of a container, without its volume and what every container gets. */
function written(root: string): string[] {
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' });
  return files.filter((file) => !/^(?:var\/lib\/unlockos-keys|proc|sys|dev|run)\b/.test(file)).sort();
}

test('the image builds, runs the tool as a user without rights, and writes only to its volume', async () => {
  const place = new Place();
  const images = new Images(place);
  const NODE = await images.base(node24 ?? process.execPath);
  const registry = await publish(await packed());
  const { version } = JSON.parse(read('package.json'));
  const image = await images.build(DIRECTORY, 'unlockos-keys', {
    NODE,
    VERSION: version,
    npm_config_registry: registry,
  });
  expect(image).toMatchObject({
    User: '10001:10001',
    Entrypoint: ['unlockos-keys'],
    Volumes: { '/var/lib/unlockos-keys': {} },
    ExposedPorts: { '8787/tcp': {} },
  });
  const { root, run, words } = await images.container('unlockos-keys');
  expect(await run('unlockos-keys', '--version')).toMatchObject({ exitCode: 0, stdout: `${version}\n`, stderr: '' });
  const before = written(root);
  const [, ...lines] = block('docs/install.md', 'docker build').trim().split('\n');
  const [create = [], list = []] = lines.map((line) => line.slice(line.indexOf(' unlockos-keys ') + 1).split(' '));
  const made = await run(...create);
  if (node24 === undefined) return expect(made.stderr).toContain('hint: use Node 22.16 or newer');
  expect(made, made.stderr).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(KEY_STRING) });
  expect(await run(...list)).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('partner') });
  expect((await run('unlockos-keys', 'doctor')).exitCode).toBe(0);
  expect(written(root)).toEqual(before);
  const [, ...check] = (image.Healthcheck as { Test: string[] }).Test;
  expect((await run(...check)).exitCode).toBe(1);
  const serve = words('unlockos-keys', 'serve', '--environment', 'test', '--scope', 'checkin:read');
  const server = spawn('buildah', serve, { env: place.env(images.env), stdio: ['ignore', 'ignore', 'pipe'] });
  await once(server.stderr, 'data'); // it says where it listens
  expect((await run(...check)).exitCode).toBe(0);
  server.kill('SIGTERM');
  await once(server, 'exit');
});

const compose = parse(read('deploy/container/compose.yaml'), { merge: true });

test('nginx.conf is the configuration of docs/serve.md, with the names of compose.yaml', () => {
  const [, ...lines] = read('deploy/container/nginx.conf').split('\n');
  const site = block('docs/serve.md', 'auth_request /_keys');
  const named = site.replace('127.0.0.1:8787', 'serve:8787').replace('127.0.0.1:3000', 'api:3000');
  expect(lines.join('\n')).toBe(named.replace('listen 127.0.0.1:8080', 'listen 8080'));
  expect(Object.keys(compose.services)).toEqual(expect.arrayContaining(['serve', 'api', 'store']));
});

test('the commands of compose.yaml work together, on a store that a server holds', async () => {
  const place = new Place();
  const { port } = await startSqld({ auth: false });
  const { keys, serve } = compose.services;
  expect(keys.environment).toEqual({ UNLOCKOS_KEYS_STORE: 'http://store:8080' });
  const env = { UNLOCKOS_KEYS_STORE: `http://127.0.0.1:${port}` };
  const [tool, ...global] = keys.entrypoint;
  expect(tool).toBe('unlockos-keys');
  const made = /keys (create .*)/.exec(read('deploy/container/compose.yaml'))?.[1]?.split(' ') ?? [];
  const { stdout } = await place.tool([...global, ...made], { env });
  expect(stdout).toMatch(KEY_STRING);
  const rules = path.join(DIRECTORY, 'rules.yaml');
  const words = serve.command.map((word: string) =>
    word.replace('0.0.0.0:8787', '0.0.0.0:0').replace(/^\/etc.*/, rules),
  );
  const [, ...flags] = words;
  const served = new Served(place, [...flags, ...global], env);
  const headers = { 'X-Forwarded-Method': 'GET', 'X-Forwarded-Uri': '/check-ins' };
  const ask = (more: Record<string, string>) =>
    served.url().then((url) => fetch(`${url}/auth`, { headers: { ...headers, ...more } }));
  expect((await ask({ Authorization: `Bearer ${stdout.trim()}` })).status).toBe(200);
  expect((await ask({})).status).toBe(401);
  const { services } = compose;
  expect(Object.keys(services.serve)).not.toEqual(expect.arrayContaining(['healthcheck'])); // that of the image
  for (const name of ['keys', 'serve']) expect(services[name]).toMatchObject({ read_only: true, cap_drop: ['ALL'] });
});
