import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { Place } from '../support/built-tool.js';
import { type Sqld, startSqld } from '../support/sqld.js';

// Needs openssl, for a certificate of this machine's own.

/** TLS in front of a server, as a load balancer has it. */
async function withTls(place: Place, server: Sqld): Promise<{ url: string; certificate: string; hosts: string[] }> {
  const [key, certificate] = [place.file('key.pem'), place.file('cert.pem')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  const made = await place.run('openssl', [
    ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-keyout', key, '-out', certificate],
    ...subject,
  ]);
  expect(made.exitCode, made.stderr).toBe(0);
  const hosts: string[] = [];
  const front = createServer({ key: readFileSync(key), cert: readFileSync(certificate) }, (call, reply) => {
    hosts.push(call.headers.authorization ?? '');
    const onward = request(
      { host: '127.0.0.1', port: server.port, path: call.url, method: call.method, headers: call.headers },
      (answer) => {
        reply.writeHead(answer.statusCode ?? 0, answer.headers);
        answer.pipe(reply);
      },
    );
    call.pipe(onward);
  });
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    front.closeAllConnections();
    front.close();
  });
  return { url: `https://localhost:${(front.address() as AddressInfo).port}`, certificate, hosts };
}

test('a certificate that this machine does not trust gets no token, whatever the environment says; one that it trusts does', async () => {
  const server = await startSqld();
  const place = new Place({ UNLOCKOS_KEYS_AUTH_TOKEN: server.token });
  const { url, certificate, hosts } = await withTls(place, server);
  const create = ['create', 'a', '--test', '-s', 'plan:read', '-o', 'value'];
  for (const env of [{}, { NODE_TLS_REJECT_UNAUTHORIZED: '0' }])
    expect(await place.tool(create, { env: { UNLOCKOS_KEYS_STORE: url, ...env } })).toMatchObject({
      exitCode: 8,
      stdout: '',
      stderr: expect.stringMatching(/does not trust the TLS certificate/),
    });
  expect(hosts).toEqual([]);
  for (const store of [url, url.replace('https:', 'libsql:'), url.replace('https:', 'wss:')]) {
    const env = { UNLOCKOS_KEYS_STORE: store, NODE_EXTRA_CA_CERTS: certificate };
    const made = await place.tool(['create', `a${store.length}`, ...create.slice(2)], { env });
    expect(made.exitCode, made.stderr).toBe(0);
    const verdict = await place.tool(['verify', '--stdin', '-o', 'value'], { env, input: made.stdout.trim() });
    expect(verdict.stdout).toBe('valid\n');
  }
  const other = url.replace('localhost', '127.0.0.1'); // trusted, and of another name
  const env = { UNLOCKOS_KEYS_STORE: other, NODE_EXTRA_CA_CERTS: certificate };
  expect(await place.tool(['list'], { env })).toMatchObject({
    exitCode: 8,
    stderr: expect.stringMatching(/does not trust/),
  });
  const plain = { UNLOCKOS_KEYS_STORE: server.url.replace('http:', 'https:') };
  expect(await place.tool(['list'], { env: plain })).toMatchObject({ exitCode: 8 });
});
