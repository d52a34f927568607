// Runs the built tool in a temporary store, and puts what it keeps of V8's compiled form beside the bundle, so that a checkout starts quickly
// at once. An install from a registry makes its own (`src/loader/compiled-forms.ts`): the form is for the exact Node that made it.
import { execFile } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const scratch = mkdtempSync(path.join(os.tmpdir(), 'unlockos-keys-build-'));
const env = {
  PATH: process.env.PATH,
  HOME: scratch,
  XDG_CACHE_HOME: path.join(scratch, 'cache'),
  UNLOCKOS_KEYS_CONFIG_DIR: scratch,
};
const STORE = ['--store', path.join(scratch, 'keys.db')];

async function run(...args) {
  const { stdout } = await promisify(execFile)(process.execPath, [path.join(root, 'bin/unlockos-keys.js'), ...args], {
    env,
  });
  return stdout.trim();
}

const YAML =
  'profiles:\n  away:\n    store: http://127.0.0.1:PORT\n    tokenFile: token\n    defaults: { output: json, expires: 90d }\n';

/** Answers as a server with an empty store, in the Hrana protocol: the first statement asks for the schema. */
const text = (value) => (typeof value === 'number' ? { type: 'integer', value: `${value}` } : { type: 'text', value });
const { entries } = JSON.parse(readFileSync(path.join(root, 'drizzle/meta/_journal.json'), 'utf8'));
const migrations = { cols: [{}, {}], rows: entries.map(({ tag }, i) => [i + 1, tag].map(text)) };
function answerOf(request) {
  const [{ batch }] = JSON.parse(request).requests;
  const results = batch.steps.map((_, i) => (i === 0 ? migrations : { cols: [], rows: [] }));
  const result = { step_results: results, step_errors: results.map(() => null) };
  return JSON.stringify({ results: [{ type: 'ok', response: { type: 'batch', result } }] });
}

/** Lists a remote store through a profile. */
async function runRemote() {
  const server = http.createServer(async (call, reply) => reply.end(answerOf(Buffer.concat(await call.toArray()))));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  writeFileSync(path.join(scratch, 'token'), 'token', { mode: 0o600 });
  writeFileSync(path.join(scratch, 'config.yaml'), YAML.replace('PORT', `${server.address().port}`), { mode: 0o600 });
  await run('list', '--limit', '1', '-p', 'away');
  server.close();
}

/** Runs a program with a key of a server, as a CI job does. */
async function runFrom(key) {
  const server = http.createServer((call, reply) => {
    call.resume();
    if (call.method === 'DELETE') return reply.writeHead(204).end();
    const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
    const issued = { id: key.slice(10, 22), name: 'warm-up', key, mode: 'test', scopes: ['checkin:read'], expiresAt };
    reply.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify(issued));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  env.UNLOCKOS_KEYS_ID_TOKEN = 'aaa.bbb.ccc';
  const url = `http://127.0.0.1:${server.address().port}`;
  await run('run', '--from', url, '-q', '--scope', 'checkin:read', '--', process.execPath, '--version');
  delete env.UNLOCKOS_KEYS_ID_TOKEN;
  server.close();
}

/** The commands that run most. Each is run with what most runs of it need, for what else is in its form costs every run of it. */
async function runAll() {
  const key = await run('create', 'warm-up', '--test-mode', '--scope', 'checkin:read', '-o', 'value', ...STORE);
  await run('list', '--json', '--limit', '1', ...STORE);
  await run('list', ...STORE);
  await run('show', 'warm-up', ...STORE);
  await run('disable', 'warm-up', ...STORE);
  await run('enable', 'warm-up', ...STORE);
  await run('edit', 'warm-up', '--description', 'x', ...STORE);
  await run('rotate', 'warm-up', '-o', 'value', ...STORE);
  await run('delete', 'warm-up', '-y', ...STORE);
  await run('audit', 'list', ...STORE);
  await run('scopes', 'list', ...STORE);
  await runFrom(key);
  await runRemote();
}

try {
  await runAll();
  const target = path.join(root, 'dist/bundle/compiled');
  process.umask(0o022); // everyone who may run the tool must be able to read these
  mkdirSync(target);
  const made = path.join(scratch, 'cache/unlockos-keys');
  for (const name of readdirSync(made)) {
    cpSync(path.join(made, name), path.join(target, name));
    chmodSync(path.join(target, name), 0o644);
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
