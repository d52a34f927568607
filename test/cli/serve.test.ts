import { once } from 'node:events';
import { copyFileSync, existsSync, rmSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type TestCli, testCli } from '../support/test-cli.js';

// What the command makes of its flags and its world; the server has its own tests, and the built tool those of e2e/.

/** Starts `serve`, which runs until it is told to end. */
async function serving(cli: TestCli, ...args: string[]) {
  const lines: Record<string, unknown>[] = [];
  const listening = new Promise<Record<string, unknown>>((resolve) => {
    cli.signals.on('log', (text: string) => {
      for (const line of text.trim().split('\n')) lines.push(JSON.parse(line));
      const start = lines.find(({ message }) => message === 'listening');
      if (start) resolve(start);
    });
  });
  const run = cli.run('serve', '--environment', 'test', ...args);
  const end = async (signal: NodeJS.Signals = 'SIGTERM') => {
    cli.signals.emit(signal, signal);
    return run;
  };
  onTestFinished(() => void end());
  const failed = run.then(({ stderr }) => {
    throw new Error(`serve ended: ${stderr}`);
  });
  failed.catch(() => {});
  return { start: await Promise.race([listening, failed]), lines, end };
}

test('after the store went back to an earlier state it says so at the start, and serves', async () => {
  const cli = testCli();
  const { keyString } = await cli.create('kiosk', '--test-mode');
  const backup = path.join(cli.dir, 'backup.db');
  await cli.run('store', 'backup', backup);
  await cli.run('disable', 'kiosk', '--yes');
  for (const suffix of ['', '-wal', '-shm']) rmSync(cli.store + suffix, { force: true });
  copyFileSync(backup, cli.store);
  const { start, lines, end } = await serving(cli, '--listen', '127.0.0.1:0');
  const errors = lines.filter(({ level }) => level === 'error');
  expect(JSON.stringify(errors)).toContain('went back to an earlier state');
  expect(errors).toHaveLength(1);
  const headers = { authorization: `Bearer ${keyString}` };
  expect((await fetch(`http://${start.address}/auth`, { headers })).status).toBe(200);
  await end();
  await cli.run('audit', 'verify', '--forget');
  const again = await serving(cli, '--listen', '127.0.0.1:0');
  expect(again.lines.filter(({ level }) => level === 'error')).toEqual([]);
});

test('on a Unix socket it answers, and at the end removes it and writes the last marks', async () => {
  const cli = testCli();
  const { keyString, id } = await cli.create('kiosk', '--test-mode');
  const at = path.join(cli.dir, 'keys.sock');
  const { start, lines, end } = await serving(cli, '--listen', `unix:${at}`);
  expect(start).toMatchObject({ level: 'info', address: `unix:${at}`, environment: 'test', store: cli.store });
  expect(lines[0]).toMatchObject({ level: 'warn', message: expect.stringMatching(/every valid key/) });
  const headers = { authorization: `Bearer ${keyString}` };
  const request = http.get({ socketPath: at, path: '/auth', headers, agent: false });
  const [reply] = (await once(request, 'response')) as [http.IncomingMessage];
  reply.resume();
  expect([reply.statusCode, reply.headers['x-api-key-id']]).toEqual([200, id]);
  const { exitCode, stdout, stderr } = await end('SIGINT');
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '' });
  expect(stderr).toMatch(/"stopping","signal":"SIGINT".*"stopped"/s);
  expect(existsSync(at)).toBe(false);
  expect((await cli.json('show', 'kiosk')).lastUsedAt).not.toBeNull();
});

test('--no-marks writes nothing down', async () => {
  const cli = testCli();
  const { keyString } = await cli.create('kiosk', '--test-mode');
  const { start, end } = await serving(cli, '--listen', '127.0.0.1:0', '--no-marks', '--scope', 'checkin:read');
  expect(start.address).toMatch(/^127\.0\.0\.1:[1-9]\d*$/);
  const { status } = await fetch(`http://${start.address}/auth`, { headers: { authorization: `Bearer ${keyString}` } });
  expect(status).toBe(200);
  await end();
  expect((await cli.json('show', 'kiosk')).lastUsedAt).toBeNull();
});

test('an address that other machines reach takes --allow-http', async () => {
  const cli = testCli();
  await cli.create('kiosk', '--test-mode');
  const refused = await cli.run('serve', '--environment', 'test', '--listen', '0.0.0.0:0');
  expect(refused.exitCode).toBe(6);
  expect(refused.stderr).toMatch(/in clear.*--allow-http/s);
  const { start, end } = await serving(cli, '--listen', '0.0.0.0:0', '--allow-http');
  expect(start.address).toMatch(/^0\.0\.0\.0:[1-9]\d*$/);
  expect((await end()).exitCode).toBe(0);
});

test('an address that cannot be had is exit 1, with a hint', async () => {
  const cli = testCli();
  await cli.create('kiosk', '--test-mode');
  const other = net.createServer().listen(0, '127.0.0.1');
  onTestFinished(() => void other.close());
  await once(other, 'listening');
  const { port } = other.address() as net.AddressInfo;
  const taken = await cli.run('serve', '--environment', 'test', '--listen', `127.0.0.1:${port}`);
  expect(taken).toMatchObject({ exitCode: 1, stdout: '' });
  expect(taken.stderr).toMatch(/EADDRINUSE.*another port/s);
  const nowhere = await cli.run('serve', '--environment', 'test', '--listen', `unix:${path.join(cli.dir, 'no/s')}`);
  expect(nowhere).toMatchObject({ exitCode: 1, stdout: '' });
});

test('--max-stale takes up to a minute, and its refusal names it', async () => {
  const cli = testCli();
  await cli.create('kiosk', '--test-mode');
  const local = ['--listen', '127.0.0.1:0'];
  for (const time of ['5', 'x', '-1s', '1h', '']) {
    const { exitCode, stderr } = await cli.run('serve', '--environment', 'test', ...local, `--max-stale=${time}`);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining('--max-stale')]);
  }
  expect((await cli.run('serve', '--environment', 'test', ...local, '--max-stale', '61s')).exitCode).toBe(2);
  for (const time of ['0', '0s', '500ms', '60s', '1m']) {
    const { end } = await serving(cli, ...local, '--max-stale', time);
    expect((await end()).exitCode).toBe(0);
  }
});

test('--client-address says where the address of a client is; a word that it does not know is refused', async () => {
  const cli = testCli();
  const { keyString } = await cli.create('kiosk', '--test-mode', '--allow-from', '192.0.2.7');
  expect((await cli.run('serve', '--environment', 'test', '--client-address', 'x-real-ip')).exitCode).toBe(2);
  const { start, end } = await serving(cli, '--listen', '127.0.0.1:0', '--client-address', 'x-forwarded-for:2');
  expect(start).toMatchObject({ clientAddress: 'x-forwarded-for:2' });
  const status = async (from: string) => {
    const headers = { authorization: `Bearer ${keyString}`, 'x-forwarded-for': from };
    return (await fetch(`http://${start.address}/auth`, { headers })).status;
  };
  expect([await status('192.0.2.7, 10.0.0.1'), await status('192.0.2.7')]).toEqual([200, 403]);
  await end();
  const { lastRefusal } = await cli.json('show', 'kiosk');
  expect(lastRefusal).toEqual({ verdict: 'wrong_address', detail: 'address not known' });
});
