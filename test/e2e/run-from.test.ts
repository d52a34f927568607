import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { keyStrings, Place, ROOT } from '../support/built-tool.js';
import { type FaultyIssuer, faultyIssuer } from '../support/faulty-issuer.js';
import { tlsFront } from '../support/tls-front.js';
import { toolAlone } from '../support/tool-alone.js';

const SCOPE = ['-s', 'plan:read'];

/** A preload that notes, at the end, which files and which modules of Node the tool has read. */
function witness(place: Place): readonly string[] {
  const loader = JSON.stringify(place.file('alone/dist/bundle/loader.cjs'));
  const code = `process.on('exit', () => require('node:fs').writeFileSync('read.json', JSON.stringify({
    bundle: [...require(${loader}).modules.keys()],
    outside: Object.keys(require.cache).filter((file) => !file.includes('/alone/') && file !== __filename),
    ofNode: process.moduleLoadList.filter((name) => name.includes('sqlite')) })));`;
  return ['-r', place.write('witness.cjs', code)];
}

test('run --from loads what starts a program while it waits for the key', async () => {
  const server = await faultyIssuer();
  const place = new Place({ UNLOCKOS_KEYS_ID_TOKEN: server.token() });
  const preload = place.write(
    'preload.cjs',
    `const { emit } = require('node:events').EventEmitter.prototype;
    require('node:http').ClientRequest.prototype.emit = function (name, ...rest) {
      if (name === 'response') require('node:fs').appendFileSync('loaded', JSON.stringify(process.moduleLoadList) + '\\n');
      return emit.call(this, name, ...rest);
    };`,
  );
  const words = ['run', '--from', server.url, ...SCOPE, '--', process.execPath, '-e', '0'];
  const { exitCode, stderr } = await place.tool(words, { node: ['-r', preload] });
  expect(exitCode, stderr).toBe(0);
  const [key = '[]'] = readFileSync(place.file('loaded'), 'utf8').split('\n'); // the second answer is to the deletion
  expect(JSON.parse(key)).toContain('NativeModule child_process');
});

test.each([
  ['run', (url: string) => ['run', '--from', url, ...SCOPE, '--', process.execPath, '-e', '0']],
  ['create', (url: string) => ['create', '--from', url, ...SCOPE, '-o', 'value']],
  ['delete', (url: string) => ['delete', '0123456789ab', '--from', url, '--yes']],
])('%s --from reads no store, no SQLite, no configuration, and nothing that npm installs beside it', async (_, args) => {
  const server = await faultyIssuer();
  const place = new Place({ ...server.github, UNLOCKOS_KEYS_PROFILE: 'none' });
  const { exitCode, stderr } = await place.tool(args(server.url), { entry: toolAlone(place), node: witness(place) });
  expect(exitCode, stderr).toBe(0);
  const { bundle, outside, ofNode } = JSON.parse(readFileSync(place.file('read.json'), 'utf8'));
  expect(
    bundle.filter((file: string) => /store|keyring-(?!delivery)|yaml|sqlite|libsql|manifest|server|hash/.test(file)),
  ).toEqual([]);
  expect({ outside, ofNode }).toEqual({ outside: [], ofNode: [] });
  expect(existsSync(place.store)).toBe(false);
});

/** `run --from` with a program that says when it is up, and ends with 9 at SIGTERM. */
function running(place: Place, server: FaultyIssuer) {
  const program = place.write(
    'program.mjs',
    `process.on('SIGTERM', () => { console.log('SIGTERM'); process.exit(9); });
     setInterval(() => {}, 1000);
     console.log('up ' + process.env.UNLOCKOS_API_KEY + ' ' + process.pid);`,
  );
  const tool = [path.join(ROOT, 'bin/unlockos-keys.js'), 'run', '--from', server.url, ...SCOPE];
  const child = spawn(process.execPath, [...tool, '--', process.execPath, program], {
    cwd: place.dir,
    env: place.env(server.github),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return { child, said: said(child, 'stdout') };
}

/** Resolves to all that was written to a stream, once that holds a text. */
function said(child: ChildProcess, stream: 'stdout' | 'stderr'): (wanted: string) => Promise<string> {
  let text = '';
  child[stream]?.setEncoding('utf8').on('data', (part: string) => {
    text += part;
    child.emit('said');
  });
  return async (wanted) => {
    while (!text.includes(wanted)) await once(child, 'said');
    return text;
  };
}

test('over TLS: a certificate that is not trusted gets no ID token, whatever the environment says', async () => {
  const server = await faultyIssuer();
  const place = new Place({ UNLOCKOS_KEYS_ID_TOKEN: server.token() });
  const { url, cert, heard } = await tlsFront(server.url);
  const args = ['run', '--from', url, ...SCOPE, '--', process.execPath, '-e', '0'];
  for (const env of [{}, { NODE_TLS_REJECT_UNAUTHORIZED: '0' }]) {
    const { exitCode, stderr } = await place.tool(args, { env });
    expect(exitCode).toBe(8);
    expect(stderr).toMatch(/does not trust the TLS certificate of https:[\s\S]*NODE_EXTRA_CA_CERTS/);
  }
  expect(heard).toEqual([]);
  const env = { NODE_EXTRA_CA_CERTS: place.write('ca.pem', cert) };
  const trusted = await place.tool(args, { env });
  expect(trusted.exitCode, trusted.stderr).toBe(0);
  expect(heard).toHaveLength(2);
  const other = await place.tool(
    args.map((word) => word.replace('localhost', '127.0.0.1')),
    { env },
  );
  expect(other.stderr).toMatch(/does not trust/);
});

test('over TLS: a connection that breaks after the question has lost the answer, and the key of it is deleted', async () => {
  const server = await faultyIssuer();
  const place = new Place({ UNLOCKOS_KEYS_ID_TOKEN: server.token() });
  const front = await tlsFront(server.url);
  front.breaks = (_, { method }) => method === 'POST' && server.count('POST') === 1;
  const { url, cert } = front;
  const env = { NODE_EXTRA_CA_CERTS: place.write('ca.pem', cert) };
  const { exitCode, stderr } = await place.tool(['run', '--from', url, ...SCOPE, '--', 'true'], { env });
  expect(exitCode, stderr).toBe(8);
  expect(stderr).toMatch(/was lost \(ERR_SSL_[\s\S]*created a key, but its answer was lost; that key was deleted/);
  expect(server.made).toHaveLength(1);
  expect(server.keys.size).toBe(0);
});

describe('the end of run --from', () => {
  test('a signal goes to the program, and the key is deleted after it', async () => {
    const server = await faultyIssuer();
    const { child, said } = running(new Place(), server);
    const [keyString = ''] = keyStrings(await said('up'));
    expect(keyString).toBe(server.made[0]?.key);
    const commandLine = readFileSync(`/proc/${child.pid}/cmdline`, 'utf8');
    for (const secret of [keyString.slice(23), server.requestToken, 'eyJ']) expect(commandLine).not.toContain(secret);
    const ended = once(child, 'close');
    child.kill('SIGTERM');
    expect(await ended).toEqual([9, null]);
    expect(server.keys.size).toBe(0);
  });

  test('killed, it leaves a key that ends by itself', async () => {
    const server = await faultyIssuer();
    const { child, said } = running(new Place(), server);
    const text = await said('up');
    const ended = once(child, 'close');
    child.kill('SIGKILL');
    process.kill(Number(/up \S+ (\d+)/.exec(text)?.[1]), 'SIGKILL'); // the program lives on, as any orphan
    await ended;
    expect([...server.keys.values()]).toMatchObject([{ expiresAt: expect.any(String) }]);
  });

  test('a signal while the server is asked leaves no key', async () => {
    const server = await faultyIssuer();
    const place = new Place();
    server.next.POST.push((_, reply, body) => {
      child.kill('SIGTERM');
      server.issue(body, reply);
    });
    const { child } = running(place, server);
    const [code] = await once(child, 'close');
    expect([1, 9, 130, 143]).toContain(code); // the program is there already, or never was
    expect(server.made).toHaveLength(1);
    expect(server.keys.size).toBe(0);
  });
});

test('a pipe that took the place of the ID token file holds nothing up: the key is deleted with the token that there was', async () => {
  const server = await faultyIssuer();
  const place = new Place();
  place.write('token', server.token());
  const words = ['run', '--from', server.url, ...SCOPE, '--id-token-file', 'token', '--', 'sh', '-c'];
  const { exitCode, stderr } = await place.tool([...words, 'rm token; mkfifo token; exit 3']);
  expect(exitCode, stderr).toBe(3);
  expect(stderr).toMatch(/\nDeleted /);
  expect(server.keys.size).toBe(0);
});
