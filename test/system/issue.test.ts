import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:https';
import { connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { Place } from '../support/built-tool.js';
import { certificate } from '../support/certificate.js';
import { block } from '../support/documents.js';
import { GITHUB } from '../support/oidc-claims.js';
import { AUDIENCE, OidcProvider } from '../support/oidc-provider.js';
import { Served } from '../support/served.js';
import { freePorts } from '../support/sqld.js';

// Needs nginx, with the configuration that docs/issue.md shows.

const SITE = block('docs/issue.md', 'proxy_next_upstream off');

async function listening(port: number): Promise<void> {
  for (;;) {
    const socket = connect({ host: '127.0.0.1', port });
    const up = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    socket.destroy();
    if (up) return;
  }
}

/** nginx with TLS before two processes of one store. */
async function front() {
  const place = new Place();
  await place.key('other');
  const provider = await OidcProvider.start();
  const rule = {
    name: 'app',
    issuer: provider.issuer,
    audience: AUDIENCE,
    claims: { repository_id: '42' },
    scopes: ['checkin:read'],
  };
  const rules = place.write('issue.yaml', JSON.stringify([rule]));
  const env = { NODE_EXTRA_CA_CERTS: place.write('provider.pem', provider.ca) };
  const args = ['--listen', '127.0.0.1:0', '--rules', rules];
  const servers = [1, 2].map(() => new Served(place, args, env, process.execPath, 'issue'));
  const urls = await Promise.all(servers.map((each) => each.url()));
  const [port = 0] = await freePorts(1);
  const { key, cert } = certificate('keys.acme.example');
  const site = SITE.replace('listen 443 ssl', `listen 127.0.0.1:${port} ssl`)
    .replace('server 127.0.0.1:8788;', urls.map((url) => `server ${new URL(url).host};`).join(' '))
    .replace('/etc/ssl/keys.acme.example.pem', place.write('tls.pem', cert))
    .replace('/etc/ssl/private/keys.acme.example.key', place.write('tls.key', key));
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((each) => `${each}_temp_path ${each};`);
  const main =
    'daemon off; pid nginx.pid; error_log stderr warn; worker_processes 1; events { worker_connections 64; }';
  const conf = place.write('nginx.conf', `${main} http { access_log off; ${temporary.join(' ')}\n${site}}`);
  const nginx = spawn('nginx', ['-p', place.dir, '-c', conf], { stdio: 'ignore' });
  onTestFinished(() => void nginx.kill('SIGTERM'));
  await listening(port);
  const ask = async (method: string, path: string, token: string, body = '') => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const call = request({
      host: '127.0.0.1',
      servername: 'keys.acme.example',
      ca: cert,
      port,
      method,
      path,
      headers,
      agent: false,
    });
    call.end(body);
    const [reply] = await once(call, 'response');
    let text = '';
    for await (const part of reply) text += part;
    return { status: reply.statusCode, headers: reply.headers, text };
  };
  return { place, provider, servers, ask };
}

test('over TLS, through nginx as docs/issue.md shows it, a job gets its key and ends it, whichever process answers', async () => {
  const { place, provider, servers, ask } = await front();
  const body = '{"scopes":["checkin:read"],"ttl":"10m"}';
  const token = await provider.token(GITHUB);
  const all = await Promise.all(Array.from({ length: 8 }, () => ask('POST', '/keys', token, body)));
  expect(all.map(({ status }) => status).sort()).toEqual([201, 401, 401, 401, 401, 401, 401, 401]);
  const made = JSON.parse(all.find(({ status }) => status === 201)?.text ?? '');
  expect(await place.verdict(made.key)).toBe('valid');
  for (const { status, text } of all) if (status === 401) expect(JSON.parse(text).code).toBe('token_replayed');
  const refused = await ask('POST', '/keys', await provider.token({ ...GITHUB, repository_id: '7' }), body);
  expect(refused.headers['content-type']).toBe('application/problem+json');
  expect(JSON.parse(refused.text)).toMatchObject({ code: 'not_allowed', claim: 'repository_id' });
  expect((await ask('DELETE', `/keys/${made.id}`, await provider.token({ ...GITHUB, run_id: '1' }))).status).toBe(404);
  for (let i = 0; i < 4; i++) expect((await ask('DELETE', `/keys/${made.id}`, token)).status).toBe(204);
  expect(await place.verdict(made.key)).toBe('invalid');
  expect((await ask('GET', '/metrics', token)).status).toBe(404);
  const log = servers.map(({ text }) => text).join('');
  expect(log.match(/"answer":"issued"/g)).toHaveLength(1);
  expect(log).not.toContain('eyJ');
  const { stdout } = await place.tool(['show', made.id]);
  expect(stdout).toBe('');
  const audit = await place.tool(['audit', 'list']);
  expect(audit.stdout).toMatch(/github:acme\/app@refs\/heads\/main run 9876543210 attempt 1 \(proven, /);
  const left = await ask('POST', '/keys', await provider.token({ ...GITHUB, run_id: '2' }), body);
  expect(left.status, left.text).toBe(201);
  const [list = '', prune = ''] = block('docs/issue.md', '--label ci=github').trim().split('\n');
  expect((await place.tool(list.split(' ').slice(1))).stdout).toContain(JSON.parse(left.text).id);
  expect(await place.tool(prune.split(' ').slice(1))).toMatchObject({ exitCode: 0 });
  for (const each of servers) expect(await each.ended('SIGTERM')).toEqual([0, null]);
  expect(await place.health()).toEqual({ doctor: 0, audit: 0 });
});
