import { once } from 'node:events';
import net from 'node:net';
import { expect, test } from 'vitest';
import { Peppers } from '../../src/domain/peppers.js';
import { Issuing } from '../../src/keyring/issuing.js';
import type { Keyring } from '../../src/keyring/keyring.js';
import { ask } from '../support/auth-servers.js';
import { issuing, liveClock } from '../support/issue-servers.js';
import { freshKeyring } from '../support/keyrings.js';
import { GITHUB } from '../support/oidc-claims.js';
import { BY, DEFAULT_ENGINE, storeOf } from '../support/stores.js';

/** A keyring whose new keys wait, once they are stored, until the test lets them go. */
async function held(): Promise<{ keyring: Keyring; made: Promise<void>; release: () => void }> {
  const keyring = await freshKeyring(DEFAULT_ENGINE, liveClock());
  let said = () => {};
  let release = () => {};
  const made = new Promise<void>((resolve) => {
    said = resolve;
  });
  const free = new Promise<void>((resolve) => {
    release = resolve;
  });
  class Held extends Issuing {
    override async issue(...args: Parameters<Issuing['issue']>) {
      const issued = await super.issue(...args);
      said();
      await free;
      return issued;
    }
  }
  const mint = { random: undefined, cost: 4, peppers: Peppers.none };
  keyring.issuing = async () => new Held({ store: storeOf(keyring), mint, by: () => BY, now: () => new Date() });
  return { keyring, made, release: () => release() };
}

function request(token: string): string {
  const body = '{"scopes":["checkin:read"]}';
  return `POST /keys HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

test.each<[string, (socket: net.Socket) => unknown]>([
  ['breaks the connection', (socket) => socket.destroy()],
  ['resets the connection', (socket) => socket.resetAndDestroy()],
  ['says that it is done', (socket) => socket.end()],
])('a job that %s while its key is made gets none, the key is gone, and the token is worth another', async (_, leave) => {
  const { keyring, made, release } = await held();
  const { provider, address, lines, issue, server } = await issuing({ keyring });
  const [host = '', port = ''] = address.split(':');
  const token = await provider.token(GITHUB);
  const socket = net.connect({ host, port: Number(port) });
  const closed = once(socket, 'close');
  socket.on('error', () => {});
  socket.write(request(token));
  await made;
  expect((await keyring.list()).keys).toHaveLength(1);
  leave(socket);
  await closed;
  const open = async () => (await ask(address, '/metrics')).text;
  await expect.poll(open).toContain('unlockos_keys_open_connections 1\n'); // the one that asks
  release();
  await expect
    .poll(() => lines().map(({ message }) => message))
    .toContain('the job was gone before it had its key, so the key was deleted');
  expect((await keyring.list()).keys).toEqual([]);
  expect(lines().at(-1)).toMatchObject({ answer: 'undelivered', keyId: expect.any(String) });
  expect((await issue(token)).status).toBe(201);
  await server.stop();
});

test('a server that is told to end answers what is under way, and nothing is left over', async () => {
  const { keyring, made, release } = await held();
  const { provider, issue, server } = await issuing({ keyring });
  const answer = issue(await provider.token(GITHUB));
  await made;
  const stopped = server.stop();
  release();
  const { status, json, headers } = await answer;
  expect([status, headers.connection]).toEqual([201, 'close']);
  await stopped;
  expect((await keyring.show(json().id)).status).toBe('active');
});

test('a server that has waited long enough cuts the connection, and takes the key back before it ends', async () => {
  const { keyring, made, release } = await held();
  const { provider, issue, server } = await issuing({ keyring, limits: { stop: 100 } });
  const answer = issue(await provider.token(GITHUB));
  answer.catch(() => {});
  await made;
  const stopped = server.stop();
  await expect(answer).rejects.toThrow();
  release();
  await stopped;
  expect((await keyring.list()).keys).toEqual([]);
});

test('a key that nobody got and that cannot be deleted is an error in the log, with when it ends', async () => {
  const { keyring, made, release } = await held();
  const { provider, address, lines, server } = await issuing({ keyring });
  const [host = '', port = ''] = address.split(':');
  const socket = net.connect({ host, port: Number(port) });
  const closed = once(socket, 'close');
  socket.on('error', () => {});
  socket.write(request(await provider.token(GITHUB)));
  await made;
  const [key] = (await keyring.list()).keys;
  socket.destroy();
  await closed;
  await expect.poll(async () => (await ask(address, '/metrics')).text).toContain('unlockos_keys_open_connections 1\n');
  await storeOf(keyring).close();
  release();
  const error = () => lines().find(({ level }) => level === 'error');
  await expect.poll(error).toMatchObject({
    message: 'the job was gone before it had its key, and the key could NOT be deleted',
    actor: 'github:acme/app@refs/heads/main run 9876543210 attempt 1',
    rule: 'app',
    keyId: key?.id,
    until: key?.expiresAt?.toISOString(),
    code: 'store_unavailable',
  });
  expect((await ask(address, '/metrics')).text).toContain('unlockos_keys_issue_undelivered_total 1\n');
  await server.stop();
});

test('a job that is gone before its token was checked is given nothing', async () => {
  const keyring = await freshKeyring(DEFAULT_ENGINE, liveClock());
  const { provider, address, lines } = await issuing({ keyring });
  const token = await provider.token(GITHUB);
  const before = await keyring.auditHead();
  let found = () => {};
  const asked = new Promise<void>((resolve) => {
    found = resolve;
  });
  let answer = () => {};
  const free = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const real = provider.answer.bind(provider);
  provider.answer = async (url) => {
    found();
    await free;
    return real(url);
  };
  const [host = '', port = ''] = address.split(':');
  const socket = net.connect({ host, port: Number(port) });
  const closed = once(socket, 'close');
  socket.on('error', () => {});
  socket.write(request(token));
  await asked;
  socket.destroy();
  await closed;
  await expect.poll(async () => (await ask(address, '/metrics')).text).toContain('unlockos_keys_open_connections 1\n');
  answer();
  await expect.poll(() => lines().map(({ answer }) => answer)).toEqual(['gone']);
  expect(await keyring.auditHead()).toEqual(before); // no key was made, not even for a moment
});
