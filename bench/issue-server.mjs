// `issue` compared with a server that does the minimum: keys per second and the 99th percentile, in turns, each server a process of its own
// and each request with an ID token of its own. With bcrypt, hashing the secret is nearly all of it, so the comparison is with HMAC.
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { report, timeProcess } from './measure.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const tool = path.join(here, '../bin/unlockos-keys.js');
const ROUNDS = 7;
const REQUESTS = 200;
const CONNECTIONS = 16;
const BODY = JSON.stringify({ scopes: ['checkin:read'], ttl: '1h' });

async function start(args, env) {
  const child = spawn(process.execPath, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  for await (const line of createInterface({ input: child.stderr })) {
    said += `${line}\n`;
    if (!line.includes('"listening"')) continue;
    child.stderr.resume();
    return { url: `http://${JSON.parse(line).address}`, stop: () => child.kill('SIGKILL') };
  }
  throw new Error(`${args[0]} did not listen: ${said}`);
}

/** A provider of ID tokens over TLS, as a CI system has. */
async function provider(scratch) {
  const [key, cert] = ['key', 'cert'].map((name) => path.join(scratch, `provider.${name}`));
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  const made = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'];
  execFileSync('openssl', [...made, '-keyout', key, '-out', cert, ...subject], { stdio: 'ignore' });
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
  const keys = { keys: [{ ...(await exportJWK(publicKey)), kid: 'a', alg: 'ES256', use: 'sig' }] };
  const server = https.createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (call, reply) =>
    reply.end(JSON.stringify(call.url.endsWith('/jwks') ? keys : { issuer, jwks_uri: `${issuer}/jwks` })),
  );
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `https://localhost:${server.address().port}`;
  let count = 0;
  const token = () => {
    count += 1;
    const claims = {
      repository: 'acme/app',
      repository_id: '42',
      run_id: '7',
      run_attempt: '1',
      ref: 'refs/heads/main',
    };
    return new SignJWT({ ...claims, jti: `${count}` })
      .setProtectedHeader({ alg: 'ES256', kid: 'a' })
      .setIssuer(issuer)
      .setSubject('repo:acme/app')
      .setAudience('bench')
      .setIssuedAt()
      .setExpirationTime('1h')
      .sign(privateKey);
  };
  return { issuer, cert, keys, token, stop: () => server.close() };
}

function post(url, agent, token) {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const call = http.request(`${url}/keys`, { method: 'POST', agent, headers }, (answer) => {
      answer.resume().on('end', () => resolve(answer.statusCode));
    });
    call.on('error', reject).end(BODY);
  });
}

/** Asks for so many keys, over so many connections; keys per second and the 99th percentile of the answers in milliseconds. */
async function load(url, tokens, connections = CONNECTIONS) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: connections });
  const times = [];
  const left = [...tokens];
  const begin = performance.now();
  const worker = async () => {
    for (let token = left.pop(); token !== undefined; token = left.pop()) {
      const sent = performance.now();
      const status = await post(url, agent, token);
      if (status !== 201) throw new Error(`${url} answered ${status}`);
      times.push(performance.now() - sent);
    }
  };
  await Promise.all(Array.from({ length: connections }, worker));
  const seconds = (performance.now() - begin) / 1000;
  agent.destroy();
  times.sort((a, b) => a - b);
  return { rate: tokens.length / seconds, p99: times[Math.ceil(times.length * 0.99) - 1] };
}

/** A store whose secrets are hashed with bcrypt, or with HMAC and a pepper. */
function makeStoreFor(scratch, scheme) {
  const store = path.join(scratch, `issue-${scheme}.db`);
  const run = (env, ...words) =>
    execFileSync(process.execPath, [tool, ...words, '--store', store, '-q'], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  run({}, 'create', 'first', '--test-mode', '-s', 'checkin:read', '-o', 'value');
  if (scheme === 'bcrypt') return { store, env: {} };
  const peppers = path.join(scratch, 'issue.peppers');
  run({}, 'store', 'pepper', peppers);
  const env = { UNLOCKOS_KEYS_PEPPERS: readFileSync(peppers, 'utf8') };
  run(env, 'store', 'hash', 'hmac-sha256');
  return { store, env };
}

/** `run --from` a real server, compared with the bare script that asks the same server. Each run has an ID token of its own. */
async function runRatios(url, token, pairs = 15) {
  const commands = [
    [tool, 'run', '--from', url, '-q', '-s', 'checkin:read', '--', 'true'],
    [path.join(here, 'floor-issue.cjs'), url, 'true'],
  ];
  const ratios = [];
  for (let pair = -1; pair < pairs; pair++) {
    const times = [];
    for (const command of commands) {
      process.env.UNLOCKOS_KEYS_ID_TOKEN = await token();
      times.push(timeProcess(command));
    }
    if (pair >= 0) ratios.push(times[0] / times[1]);
  }
  return ratios;
}

/** The rate and the slowest answers of `issue`, for the group `issue` of run.mjs. */
export async function issueServer(scratch) {
  const from = await provider(scratch);
  const rules = path.join(scratch, 'issue.json');
  const rule = { name: 'bench', issuer: from.issuer, audience: 'bench', claims: { repository_id: '42' } };
  const limits = { scopes: ['checkin:read'], maxAlive: 10_000, maxIssued: '1000000/h' };
  writeFileSync(rules, JSON.stringify([{ ...rule, ...limits }]));
  const tokens = (count) => Promise.all(Array.from({ length: count }, from.token));
  const issuer = ({ store, env }) => {
    const flags = ['--rules', rules, '--listen', '127.0.0.1:0', '--store', store];
    return start([tool, 'issue', ...flags], { ...env, NODE_EXTRA_CA_CERTS: from.cert });
  };
  const ours = await issuer(makeStoreFor(scratch, 'hmac'));
  const floorArgs = [path.join(scratch, 'floor-issue.db'), JSON.stringify(from.keys), from.issuer];
  const floor = await start([path.join(here, 'floor-issue-server.mjs'), ...floorArgs], {});
  const slow = await issuer(makeStoreFor(scratch, 'bcrypt'));
  try {
    for (const { url } of [ours, floor, slow]) await load(url, await tokens(20));
    const rates = [];
    const slowest = [];
    for (let round = 0; round < ROUNDS; round++) {
      const pair = [];
      for (const { url } of round % 2 === 0 ? [ours, floor] : [floor, ours])
        pair.push(await load(url, await tokens(REQUESTS)));
      const [us, least] = round % 2 === 0 ? pair : pair.reverse();
      rates.push(us.rate / least.rate);
      slowest.push(us.p99 / least.p99);
    }
    report('issue POST /keys, HMAC: rate / jose and a bare insert', rates, null);
    report('issue POST /keys, HMAC: p99 / jose and a bare insert', slowest, null);
    report('run --from issue, HMAC / bare script', await runRatios(ours.url, from.token), 1.3);
    report('run --from issue, bcrypt / bare script', await runRatios(slow.url, from.token), 1.3);
    report('issue POST /keys, bcrypt: keys', [(await load(slow.url, await tokens(60), 8)).rate], null, '/s');
  } finally {
    for (const { stop } of [ours, floor, slow, from]) stop();
  }
}
