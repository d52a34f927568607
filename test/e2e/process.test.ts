import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { KEY_STRING, keyStrings, Place, ROOT } from '../support/built-tool.js';

const CREATE = ['create', 'ci', '--test-mode', '--scope', 'checkin:read'];
const create = CREATE.join(' ');

/** Enough keys for a list that no pipe takes at once (64 KiB on Linux). */
async function manyKeys(place: Place): Promise<number> {
  const names = Array.from({ length: 60 }, (_, i) => `key-${i}`);
  const flags = ['-', '-d', '説'.repeat(500), '--test-mode', '-s', 'checkin:*,plan:*', '-o', 'jsonl', '-q'];
  const { exitCode } = await place.tool(['create', ...flags], { input: names.join('\n') });
  expect(exitCode).toBe(0);
  return names.length;
}

test('in $(…) stdout is the key string and one line end, and nothing else', async () => {
  const place = new Place();
  const { exitCode, stdout } = await place.bash(`KEY=$(tool ${create}) && printf '<%s>' "$KEY"`);
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(new RegExp(`^<${KEY_STRING.source}>$`));
  expect(await place.verdict(stdout.slice(1, -1))).toBe('valid');
});

test('a key string can be piped from one run into the next', async () => {
  const { exitCode, stdout } = await new Place().bash(`tool ${create} | tool verify --stdin`);
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: expect.stringMatching(/^valid: "ci"/) });
});

test('a reader that has seen enough ends a list quietly, with 0', async () => {
  const place = new Place();
  await manyKeys(place);
  const { exitCode, stdout, stderr } = await place.bash('set -o pipefail; tool list --json | head -n 1');
  expect({ exitCode, stdout, stderr }).toEqual({ exitCode: 0, stdout: '[\n', stderr: '' });
});

test('a slow reader gets all of a long list', async () => {
  const place = new Place();
  const count = await manyKeys(place);
  const child = spawn(process.execPath, [path.join(ROOT, 'bin/unlockos-keys.js'), 'list', '--json'], {
    env: place.env(),
    stdio: 'pipe',
  });
  const ended = new Promise((resolve) => child.on('exit', resolve));
  let text = '';
  child.stdout.setEncoding('utf8');
  for await (const chunk of child.stdout.iterator()) {
    text += chunk;
    await place.run('true', []); // something else to do between two reads
  }
  expect(await ended).toBe(0);
  expect(Buffer.byteLength(text)).toBeGreaterThan(65_536);
  expect(JSON.parse(text)).toHaveLength(count);
});

test.each([
  ['a full disk', '> /dev/full', 'ENOSPC'],
  ['a pipe without a reader', '', 'EPIPE'],
])('%s for stdout: the key that could not be delivered is disabled, and the exit code is 1', async (_, redirect, why) => {
  const place = new Place();
  // Opened for both directions, then for writing only: the reader has gone before the tool begins.
  const brokenPipe = `mkfifo pipe; exec 4<>pipe 5>pipe 4<&-; tool ${create} >&5`;
  const { exitCode, stdout, stderr } = await place.bash(redirect ? `tool ${create} ${redirect}` : brokenPipe);
  expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
  const [key] = await place.keys();
  expect(key?.status).toBe('inactive');
  expect(stderr).toContain(
    `error: the key string of ${JSON.stringify(key?.name)} could not be delivered (${why}), so the key was disabled: ${key?.id}`,
  );
  expect(stderr).not.toMatch(KEY_STRING);
});

test.each([
  'list',
  '--help',
  '--version',
  'doctor',
  'disable ci --json',
])('%s on a full disk says so and ends with 1', async (command) => {
  const place = new Place();
  await place.key('ci');
  const { exitCode, stderr } = await place.bash(`tool ${command} > /dev/full`);
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(
    /^(error: |\{"error":\{"code":"output_failed","message":")the output could not be written: the disk is full/,
  );
});

// Node puts /dev/null in the place of a closed stdout, so that no file that is opened later takes its number.
test.each([
  '>&-',
  '> /dev/null',
])('with stdout %s nobody would get the key string, so nothing is made', async (redirect) => {
  const place = new Place();
  const { exitCode, stderr } = await place.bash(`tool ${create} ${redirect}`);
  expect({ exitCode, error: /^error: (.*):/m.exec(stderr)?.[1] }).toEqual({
    exitCode: 2,
    error: 'stdout is closed or the null device',
  });
  expect(existsSync(place.store)).toBe(false);
});

test('with stdout closed a key file still gets its key', async () => {
  const place = new Place();
  expect((await place.bash(`tool ${create} --key-file ci.key >&-`)).exitCode).toBe(0);
  expect(await place.verdict(readFileSync(place.file('ci.key'), 'utf8'))).toBe('valid');
  expect(readFileSync(place.store, 'latin1')).not.toMatch(KEY_STRING);
});

test('a closed stderr changes nothing of what create does', async () => {
  const place = new Place();
  const { exitCode, stdout } = await place.bash(`tool ${create} 2>&-`);
  expect(exitCode).toBe(0);
  expect(await place.verdict(stdout.trimEnd())).toBe('valid');
  expect((await place.keys())[0]?.status).toBe('active');
});

test('with stdin closed nobody can be asked', async () => {
  const place = new Place();
  const asked = await place.bash('tool create <&-');
  expect({ exitCode: asked.exitCode, stdout: asked.stdout }).toEqual({ exitCode: 2, stdout: '' });
  expect((await place.bash(`tool ${create} <&-`)).exitCode).toBe(0);
  const verify = await place.bash('tool verify --stdin <&-');
  expect(verify.exitCode).not.toBe(0);
  expect(verify.stderr).not.toContain(' at ');
});

test('under CI a key needs a declared sink: without one nothing is made', async () => {
  const place = new Place({ CI: 'true' });
  const { exitCode, stdout, stderr } = await place.tool(CREATE);
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
  expect(stderr).toContain('a destination');
  expect(readdirSync(place.dir)).not.toContain('keys.db');
});

test('under CI with -o value stdout is the key string', async () => {
  const place = new Place({ CI: 'true' });
  const { exitCode, stdout } = await place.tool([...CREATE, '-o', 'value']);
  expect({ exitCode, stdout }).toEqual({
    exitCode: 0,
    stdout: expect.stringMatching(new RegExp(`^${KEY_STRING.source}\n$`)),
  });
});

test('in GitHub Actions the value is masked before it is written anywhere', async () => {
  const place = new Place({ CI: 'true', GITHUB_ACTIONS: 'true' });
  const both = await place.bash(`tool ${create} -o value 2>&1`);
  const lines = both.stdout.split('\n').filter((line) => KEY_STRING.test(line));
  const keyString = lines.at(-1) ?? '';
  expect(lines).toEqual([`::add-mask::${keyString}`, keyString]);
});

test('--github-env writes the variable file, and the log holds the mask alone', async () => {
  const place = new Place({ CI: 'true', GITHUB_ACTIONS: 'true' });
  const file = place.write('github-env', 'BEFORE=1\n');
  const { exitCode, stdout, stderr } = await place.tool([...CREATE, '--github-env', 'TOKEN'], {
    env: { GITHUB_ENV: file },
  });
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '' });
  const [, keyString = ''] = /^BEFORE=1\nTOKEN=(.*)\n$/.exec(readFileSync(file, 'utf8')) ?? [];
  expect(await place.verdict(keyString)).toBe('valid');
  expect(keyStrings(stderr)).toEqual([keyString]);
  expect(stderr).toContain(`::add-mask::${keyString}\n`);
});

test.each([
  '000',
  '022',
  '077',
  '777',
])('with umask %s every file of the store is 0600, and a directory that was made 0700', async (umask) => {
  const place = new Place({ UNLOCKOS_KEYS_STORE: '' });
  const directory = path.join(place.data, 'unlockos-keys');
  const { exitCode, stderr } = await place.bash(
    `umask ${umask}; tool ${create} --key-file ci.key && tool store backup copy.db && tool create other --test -s plan:read --dotenv .env`,
  );
  expect({ exitCode, stderr: stderr.includes('error') }).toEqual({ exitCode: 0, stderr: false });
  expect(statSync(directory).mode & 0o777).toBe(0o700);
  const files = [
    ...readdirSync(directory).map((name) => path.join(directory, name)),
    ...['ci.key', 'copy.db', '.env'].map((name) => place.file(name)),
  ];
  expect(Object.fromEntries(files.map((file) => [file, statSync(file).mode & 0o777]))).toEqual(
    Object.fromEntries(files.map((file) => [file, 0o600])),
  );
});

test('while a store is in use, its side files are 0600 as well', async () => {
  const place = new Place();
  const preload = place.write(
    'modes.cjs',
    `
    const { statSync, writeFileSync } = require('node:fs');
    require('node:diagnostics_channel').subscribe('unlockos-keys:write', (point) => {
      if (point !== 'after-commit') return;
      const modes = ['', '-wal', '-shm'].map((end) => (statSync(${JSON.stringify(place.store)} + end).mode & 0o777).toString(8));
      writeFileSync(${JSON.stringify(place.file('modes'))}, modes.join(' '));
    });`,
  );
  const { exitCode } = await place.bash(`umask 000; tool ${create}`, { node: ['-r', preload] });
  expect(exitCode).toBe(0);
  expect(readFileSync(place.file('modes'), 'utf8')).toBe('600 600 600');
});

test.each<[string, Record<string, string | undefined>, (place: Place) => string]>([
  ['XDG_DATA_HOME', {}, (place) => place.data],
  ['the home directory', { XDG_DATA_HOME: undefined }, (place) => path.join(place.home, '.local/share')],
  [
    'the home directory, where XDG_DATA_HOME is relative,',
    { XDG_DATA_HOME: 'data' },
    (place) => path.join(place.home, '.local/share'),
  ],
])('the default store is in %s', async (_, env, base) => {
  const place = new Place();
  const all = { UNLOCKOS_KEYS_STORE: undefined, ...env };
  expect((await place.tool(CREATE, { env: all })).exitCode).toBe(0);
  const file = path.join(base(place), 'unlockos-keys/keys.db');
  expect(statSync(file).isFile()).toBe(true);
  expect((await place.tool(['store', 'path'], { env: all })).stdout).toBe(`${file}\n`);
});

test('a variable that makes a package talk prints nothing of a file', async () => {
  const place = new Place();
  const manifest = path.join(place.dir, 'keys.yaml');
  writeFileSync(manifest, 'version: 1\nname: m\nkeys:\n  - { name: a, mode: test, scopes: [plan:read] }\n');
  await place.tool(CREATE);
  const diff = ['diff', '-f', manifest, '-o', 'json'];
  const env = { LOG_TOKENS: '1', LOG_STREAM: '1' };
  const quiet = await place.tool(diff);
  expect(quiet.stdout).toContain('create');
  expect(await place.tool(diff, { env })).toEqual(quiet);
  const profile = await place.tool(['profile', 'add', 'x', '--store', place.store], { env });
  expect({ exitCode: profile.exitCode, stdout: profile.stdout }).toEqual({ exitCode: 0, stdout: '' });
  const edit = await place.tool(['profile', 'use', 'x'], { env });
  expect({ exitCode: edit.exitCode, stdout: edit.stdout }).toEqual({ exitCode: 0, stdout: '' });
});
