import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, renameSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import type { Readable } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import { Place, ROOT } from '../support/built-tool.js';
import { remotePlace } from '../support/remote-place.js';
import { Served } from '../support/served.js';

const LOCAL = ['--listen', '127.0.0.1:0'];
const RULES = '- { methods: [GET], path: /check-ins/**, scopes: [checkin:read] }\n';

const auth = (url: string, keyString: string, uri = '/check-ins') =>
  fetch(`${url}/auth`, {
    headers: { authorization: `Bearer ${keyString}`, 'x-forwarded-method': 'GET', 'x-forwarded-uri': uri },
  });

test('a server hears of what other tools do by the next request, and ends in order', async () => {
  const place = new Place();
  const keyString = await place.key('kiosk');
  place.write('rules.yaml', RULES);
  const served = new Served(place, [...LOCAL, '--environment', 'test', '--require', 'rules.yaml', '--log', 'all']);
  const url = await served.url();
  expect((await auth(url, keyString)).status).toBe(200);
  await place.look(['disable', 'kiosk']);
  expect((await auth(url, keyString)).status).toBe(401);
  await place.look(['enable', 'kiosk']);
  expect((await auth(url, keyString)).status).toBe(200);
  expect(await served.ended('SIGTERM')).toEqual([0, null]);
  expect(await served.said('stopped')).toMatchObject({ level: 'info' });
  expect(served.lines.filter(({ message }) => message === 'request')).toHaveLength(3);
  expect(served.text).not.toContain(keyString.slice(23));
  expect(JSON.parse((await place.look(['show', 'kiosk', '--json'])).stdout).lastUsedAt).not.toBeNull();
});

test('a store that is moved away, put back or exchanged is noticed, also by /healthz', async () => {
  const place = new Place();
  const keyString = await place.key('kiosk');
  await place.look(['store', 'backup', 'copy.db']);
  await place.look(['disable', 'kiosk', '--store', 'copy.db']);
  const served = new Served(place, [...LOCAL, '--environment', 'test', '--scope', 'checkin:read']);
  const url = await served.url();
  const expectSoon = async (statuses: [auth: number, healthz: number]) =>
    expect
      .poll(async () => [(await auth(url, keyString)).status, (await fetch(`${url}/healthz`)).status])
      .toEqual(statuses);
  await expectSoon([200, 200]);
  renameSync(place.store, place.file('away.db'));
  await expectSoon([503, 503]);
  renameSync(place.file('away.db'), place.store);
  await expectSoon([200, 200]);
  renameSync(place.store, place.file('away.db'));
  renameSync(place.file('copy.db'), place.store);
  await expectSoon([401, 200]);
  await place.look(['enable', 'kiosk']);
  expect((await auth(url, keyString)).status).toBe(200);
  expect(await served.ended('SIGTERM')).toEqual([0, null]);
  expect((await place.look(['audit', 'verify'])).exitCode).toBe(0);
});

/** Another process that holds the write lock of a store until it is killed. */
async function lockHolder(store: string): Promise<ChildProcess> {
  const code = `const db = new (require('libsql'))(process.argv[1]); db.exec('begin immediate'); console.log('held'); setInterval(() => {}, 1000);`;
  const holder = spawn(process.execPath, ['-e', code, store], { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void holder.kill('SIGKILL'));
  await once(holder.stdout as Readable, 'data');
  return holder;
}

test('while another process holds the write lock, requests are answered: let in, or refused if their count is shared', async () => {
  const place = new Place();
  const keyString = await place.key('kiosk');
  const start = (limits: string) => new Served(place, [...LOCAL, '--environment', 'test', '--limits', limits]);
  const servers = [start('memory'), start('shared')];
  const [memory = '', shared = ''] = await Promise.all(servers.map((each) => each.url()));
  expect([(await auth(memory, keyString)).status, (await auth(shared, keyString)).status]).toEqual([200, 200]);
  const holder = await lockHolder(place.store);
  for (let i = 0; i < 200; i++) {
    expect((await auth(memory, keyString)).status).toBe(200);
    expect((await auth(shared, keyString)).status).toBe(503);
  }
  expect((await fetch(`${shared}/healthz`)).status).toBe(200);
  expect(holder.exitCode).toBeNull(); // it held the lock all the time
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  expect((await auth(shared, keyString)).status).toBe(200);
});

test('SIGHUP reads the rules again; rules that are none leave things as they were', async () => {
  const place = new Place();
  const keyString = await place.key('kiosk');
  const rules = place.write('rules.yaml', RULES);
  const served = new Served(place, [...LOCAL, '--environment', 'test', '--require', 'rules.yaml']);
  const url = await served.url();
  expect((await auth(url, keyString, '/plans')).status).toBe(403);
  place.write('rules.yaml', `${RULES}- { path: /plans, scopes: [] }\n`);
  served.child.kill('SIGHUP');
  await served.said('rules were read again');
  expect((await auth(url, keyString, '/plans')).status).toBe(200);
  place.write('rules.yaml', '- { path: /plans, scopes: [plan:raed] }\n');
  served.child.kill('SIGHUP');
  expect((await served.said('the rules stay as they were')).error).toMatch(/plan:raed/);
  expect((await auth(url, keyString, '/plans')).status).toBe(200);
  chmodSync(rules, 0o600);
  expect(await served.ended('SIGINT')).toEqual([0, null]);
});

const ISSUE_RULES = JSON.stringify([
  {
    name: 'app',
    issuer: 'https://ci.example',
    audience: 'https://keys.example',
    claims: { repository: 'acme/app' },
    scopes: ['plan:read'],
  },
]);

test.each([
  ['serve', ['--environment', 'test', '--require'], RULES],
  ['issue', ['--rules'], ISSUE_RULES],
])('%s answers on when a pipe took the place of its rules, which nobody writes to', async (command, flags, rules) => {
  const place = new Place();
  await place.key('kiosk');
  const file = place.write('rules.yaml', rules);
  const served = new Served(place, [...LOCAL, ...flags, file], {}, process.execPath, command);
  const url = await served.url();
  rmSync(file);
  execFileSync('mkfifo', [file]);
  served.child.kill('SIGHUP');
  expect((await served.said('the rules stay as they were')).error).toMatch(/not a regular file/);
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  expect(await served.ended('SIGTERM')).toEqual([0, null]);
});

test('a second signal ends a server that waits for somebody', async () => {
  const place = new Place();
  await place.key('kiosk');
  const served = new Served(place, [...LOCAL, '--environment', 'test']);
  const { hostname, port } = new URL(await served.url());
  expect(await served.said('no rules and no scopes: every valid key of this environment is accepted')).toBeTruthy();
  const socket = connect({ host: hostname, port: Number(port) });
  await once(socket, 'connect');
  socket.write('POST /verify HTTP/1.1\r\nHost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{');
  await fetch(`http://${hostname}:${port}/healthz`);
  served.child.kill('SIGTERM');
  await served.said('stopping');
  socket.on('error', () => {});
  expect(await served.ended('SIGTERM')).toEqual([null, 'SIGTERM']);
});

test('on a remote store it asks for each request, and with --limits shared counts there', async () => {
  const place = await remotePlace();
  const keyString = await place.key('kiosk', '--rate-limit', '4/h');
  const args = [...LOCAL, '--environment', 'test', '--scope', 'checkin:read', '--limits', 'shared'];
  const [one, two] = [new Served(place, args), new Served(place, args)];
  const urls = [await one.url(), await two.url()];
  const statuses = await Promise.all(Array.from({ length: 10 }, (_, i) => auth(urls[i % 2] ?? '', keyString)));
  expect(statuses.map(({ status }) => status).sort()).toEqual([200, 200, 200, 200, 429, 429, 429, 429, 429, 429]);
  await place.look(['disable', 'kiosk']);
  expect((await auth(urls[0] ?? '', keyString)).status).toBe(401);
});

test.each([
  [['--environment', 'prod'], 2, /prod/],
  [[], 2, /missing: --environment/],
  [['--environment', 'test', '--listen', '0.0.0.0:0'], 6, /in clear/],
  [['--environment', 'test', '--listen', 'nowhere'], 2, /not an address/],
  [['--environment', 'test', '--listen', '127.0.0.1:70000'], 2, /not an address/],
  [['--environment', 'test', '--require', 'none.yaml'], 2, /none.yaml".*there is no such file/],
  [['--environment', 'test', '--require', 'bad.yaml'], 2, /bad.yaml:1:3/],
  [['--environment', 'test', '--require', 'unknown.yaml'], 2, /plan:raed/],
  [['--environment', 'test', '--scope', 'plan:raed'], 2, /plan:raed/],
  [['--environment', 'test', '--scope', 'plan:read', '--require', 'bad.yaml'], 2, /do not go together/],
  [['--environment', 'test', '--limits', 'most'], 2, /--limits/],
  [['--environment', 'test', '--max-stale', '2m'], 2, /maxStaleMs/],
  [['--environment', 'test', '--log', 'some'], 2, /--log/],
])('serve %j ends with %i before it listens', async (args, exit, message) => {
  const place = new Place();
  await place.key('kiosk');
  place.write('bad.yaml', '- nonsense\n');
  place.write('unknown.yaml', '- { path: /x, scopes: [plan:raed] }\n');
  const listen = args.includes('--listen') ? [] : LOCAL;
  const { exitCode, stdout, stderr } = await place.tool(['serve', ...listen, ...args]);
  expect({ exitCode, stdout }).toEqual({ exitCode: exit, stdout: '' });
  expect(stderr).toMatch(message);
});
