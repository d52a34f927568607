import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ask, JSON_TYPE, scene, serving } from '../support/auth-servers.js';
import { another, freshKeyring } from '../support/keyrings.js';
import { DEFAULT_ENGINE } from '../support/stores.js';

test('listens on a Unix socket; does not replace one in use, or a file', async () => {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'unlk-sock-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const at = path.join(dir, 's');
  const keyring = await freshKeyring(DEFAULT_ENGINE);
  const first = await serving(await another(keyring, DEFAULT_ENGINE), {}, { path: at });
  expect(first.address).toBe(`unix:${at}`);
  expect(statSync(at).mode & 0o777).toBe(0o660);
  expect((await ask(first.address, '/healthz')).status).toBe(200);
  await expect(serving(await another(keyring, DEFAULT_ENGINE), {}, { path: at })).rejects.toMatchObject({
    code: 'listen_failed',
  });
  expect((await ask(first.address, '/healthz')).status).toBe(200);
  await first.server.stop();
  writeFileSync(at, 'a file');
  await expect(serving(await another(keyring, DEFAULT_ENGINE), {}, { path: at })).rejects.toMatchObject({
    code: 'listen_failed',
  });
});

test('replaces the Unix socket of a server that was killed', async () => {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'unlk-sock-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const at = path.join(dir, 's');
  const program = `require('net').createServer().listen('${at}', () => process.kill(process.pid, 'SIGKILL'))`;
  await once(spawn(process.execPath, ['-e', program]), 'exit');
  expect(statSync(at).isSocket()).toBe(true);
  const { address } = await serving(await freshKeyring(DEFAULT_ENGINE), {}, { path: at });
  expect((await ask(address, '/healthz')).status).toBe(200);
});

test('a second server can take over the Unix socket while the first one answers its last requests', async () => {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'unlk-sock-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const at = path.join(dir, 's');
  const keyring = await freshKeyring(DEFAULT_ENGINE);
  const first = await serving(await another(keyring, DEFAULT_ENGINE), {}, { path: at });
  const request = http.request({ socketPath: at, path: '/verify', method: 'POST', headers: JSON_TYPE, agent: false });
  request.write('{"key":');
  await once(request, 'socket').then(([socket]) => (socket.connecting ? once(socket, 'connect') : null));
  await ask(first.address, '/healthz'); // the server has seen the connection by then
  const stopped = first.server.stop();
  const second = await serving(await another(keyring, DEFAULT_ENGINE), {}, { path: at });
  request.end('"x"}');
  const [reply] = (await once(request, 'response')) as [http.IncomingMessage];
  reply.resume();
  await stopped;
  expect((await ask(second.address, '/healthz')).status).toBe(200);
  await second.server.stop();
  expect(existsSync(at)).toBe(false);
});

test('reports a port that is in use', async () => {
  const { keyring, address } = await scene();
  const port = Number(address.split(':')[1]);
  await expect(serving(await another(keyring, DEFAULT_ENGINE), {}, { host: '127.0.0.1', port })).rejects.toMatchObject({
    code: 'listen_failed',
    message: expect.stringMatching(/EADDRINUSE/),
  });
});
