import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { VERSION } from '../../src/version.js';
import { BIN, KEY_STRING, keyStrings, Place, ROOT, SOUND } from '../support/built-tool.js';
import { atPoint } from '../support/preloads.js';
import { remotePlace } from '../support/remote-place.js';
import { testCli } from '../support/test-cli.js';

const CREATE = ['create', 'ci', '--test-mode', '--scope', 'checkin:read'];

/** A copy of what npm would install, its dependencies linked, all but `without`. Hands back the entry point. */
function installCopy(place: Place, ...without: string[]): string {
  const target = place.file('copy');
  for (const name of ['bin', 'dist', 'drizzle', 'package.json'])
    cpSync(path.join(ROOT, name), path.join(target, name), { recursive: true });
  mkdirSync(path.join(target, 'node_modules'));
  for (const name of readdirSync(path.join(ROOT, 'node_modules')))
    if (!without.includes(name) && !name.startsWith('.'))
      symlinkSync(path.join(ROOT, 'node_modules', name), path.join(target, 'node_modules', name));
  return path.join(target, 'bin/unlockos-keys.js');
}

/** Runs the tool and hands back the names of all files that it read or loaded. */
async function filesLoaded(place: Place, args: readonly string[]): Promise<string[]> {
  const log = place.file('loaded');
  const preload = place.write(
    'record.cjs',
    `const fs = require('node:fs');
    const seen = [];
    const wrap = (object, name, what) => {
      const real = object[name];
      object[name] = function (...args) { seen.push(String(what(args))); return real.apply(this, args); };
    };
    for (const name of ['readFileSync', 'openSync']) wrap(fs, name, ([file]) => file);
    wrap(require('node:module'), '_load', ([request]) => request);
    wrap(process, 'dlopen', ([, file]) => file);
    const write = fs.writeFileSync;
    process.on('exit', () => write(${JSON.stringify(log)}, JSON.stringify(seen)));`,
  );
  const { exitCode } = await place.tool(args, { node: ['-r', preload], entry: BIN });
  expect(exitCode).toBe(0);
  return JSON.parse(readFileSync(log, 'utf8'));
}

const HEAVY =
  /drizzle|better[-_]sqlite3|libsql|inquirer|prompts|clipboard|table|store-|keyring|chalk|paint|bcrypt|csv|ci-info|child_process|worker_threads/;

test.each([
  [['--help'], ['page.txt']],
  [[], ['page.txt']],
  [['--version'], []],
  [['create', '--help'], ['page-create.txt']],
  [['store', 'copy', '-h'], ['page-store-copy.txt']],
])('%j loads no code but the loader', async (args, pages) => {
  const loaded = await filesLoaded(new Place(), args);
  expect(loaded.some((file) => file.endsWith('loader.cjs'))).toBe(true); // the record works
  const ours = loaded.filter((file) => file.includes('dist/bundle/') && !file.endsWith('loader.cjs'));
  expect(ours.map((file) => path.basename(file))).toEqual(pages);
});

test('help that is drawn loads nothing heavy', async () => {
  const loaded = await filesLoaded(new Place(), ['--help', '--no-color']);
  expect(loaded.some((file) => file.endsWith('cli.cjs'))).toBe(true);
  expect(loaded.filter((file) => HEAVY.test(file))).toEqual([]);
});

test('each page that is printed without a command is the one that the command would draw', async () => {
  const folder = path.join(ROOT, 'dist/bundle/help');
  const pages = readdirSync(folder);
  expect(pages.length).toBeGreaterThan(40);
  for (const page of pages) {
    const words = page.replace('.txt', '').split('-').slice(1);
    const { stdout } = await testCli().run(...words, '--help');
    expect(readFileSync(path.join(folder, page), 'utf8'), page).toBe(stdout);
  }
  const place = new Place();
  const said = async (...args: string[]) => (await place.tool(args)).stdout;
  expect(await said('list', '--help')).toBe(readFileSync(path.join(folder, 'page-list.txt'), 'utf8'));
  expect(await said('--version')).toBe(`${VERSION}\n`);
  expect((await place.tool(['list', '--help'], { env: { FORCE_COLOR: '1' } })).stdout).toContain('\u001b[1m');
});

test('an installed tool keeps the compiled form of what it loads for the next run, and never of what others wrote', async () => {
  const place = new Place();
  const tool = installCopy(place);
  rmSync(place.file('copy/dist/bundle/compiled'), { recursive: true });
  const run = (...args: string[]) => place.run(process.execPath, [tool, ...args], { env: { CI: '' } });
  expect((await run(...CREATE)).exitCode).toBe(0);
  const list = await run('list', '--json');
  const folder = place.file('home/.cache/unlockos-keys');
  const kept = readdirSync(folder).map((name) => name.split('.')[0]);
  expect(kept.sort()).toEqual(['create', 'list']);
  expect(await run('list', '--json')).toEqual(list);
  for (const name of readdirSync(folder)) writeFileSync(path.join(folder, name), 'spoiled');
  expect(await run('list', '--json')).toEqual(list);
  rmSync(folder, { recursive: true });
  writeFileSync(folder, 'no folder');
  expect(await run('list', '--json')).toEqual(list);
});

test('a run that finds a file of another build ends with an error that says so, whatever the file holds', async () => {
  const place = new Place();
  const tool = installCopy(place);
  await place.key('ci');
  const file = place.file('copy/dist/bundle/keyring.cjs');
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, text.replace(/[0-9a-f]{64}$/, 'f'.repeat(64))); // as an upgrade leaves it to a process that runs
  const run = (...args: string[]) => place.run(process.execPath, [tool, ...args]);
  expect((await run('list', '--json')).exitCode).toBe(0);
  for (const args of [['show', 'ci'], ['disable', 'ci'], CREATE]) {
    const { stdout, stderr, exitCode } = await run(...args);
    expect({ stdout, stderr, exitCode }).toEqual({
      stdout: '',
      stderr: expect.stringContaining('was replaced'),
      exitCode: 1,
    });
  }
  expect((await place.tool(['list', '-o', 'value', '--fields', 'name,status'])).stdout).toBe('ci\tactive\n');
});

/** The names of the files of the bundle that a run loads, without the loader and the engine. */
async function bundleFiles(place: Place, args: readonly string[]): Promise<string[]> {
  const loaded = await filesLoaded(place, args);
  const ours = loaded.filter((file) => file.includes('dist/bundle/') && file.endsWith('.cjs'));
  return ours.map((file) => path.basename(file)).filter((name) => !/addon|better-sqlite3|loader/.test(name));
}

test('a list loads the store, and nothing for prompts, hashing or the clipboard', async () => {
  const place = new Place();
  await place.key('ci');
  const list = ['cli.cjs', 'cli-commands-list.cjs'];
  expect(await bundleFiles(place, ['list', '--json'])).toEqual([...list, 'store-open.cjs']);
  const server = await remotePlace();
  await server.key('ci');
  const remote = ['store-open.cjs', 'store-remote-remote-database.cjs', 'http-fault-words.cjs', 'domain-real-time.cjs'];
  expect(await bundleFiles(server, ['list', '--json', '--limit', '20'])).toEqual([
    ...list,
    'cli-settings-token.cjs',
    ...remote,
  ]);
});

/** Each takes about as long as reading the store: a colour that is painted while a file loads makes Node's `process.stdout`, with all its streams. */
test('a list into a pipe loads none of the larger modules of Node', async () => {
  const place = new Place();
  await place.key('ci');
  const preload = place.write(
    'preload.cjs',
    "const { writeSync } = require('node:fs'); process.on('exit', () => writeSync(2, JSON.stringify(process.moduleLoadList)));",
  );
  const { stderr } = await place.tool(['list', '--json'], { node: ['-r', preload], entry: BIN });
  const loaded: string[] = JSON.parse(stderr);
  expect(loaded).toContain('NativeModule vm'); // the record works
  const large = /^NativeModule (stream|net|tty|os|module|crypto|zlib|child_process|worker_threads|perf_hooks)$/;
  expect(loaded.filter((name) => large.test(name))).toEqual([]);
});

test('every file that package.json names exists', () => {
  const manifest = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'));
  const targets = [manifest.bin, manifest.man, manifest.exports].flatMap(function leaves(value: unknown): unknown[] {
    return typeof value === 'object' && value !== null ? Object.values(value).flatMap(leaves) : [value];
  });
  expect(targets.length).toBeGreaterThan(10);
  expect(targets.filter((target) => !existsSync(path.join(ROOT, String(target))))).toEqual([]);
});

test.each<[string, (file: string) => void]>([
  ['absent', (file) => rmSync(file)],
  ['empty', (file) => writeFileSync(file, '')],
  ['rubbish', (file) => writeFileSync(file, Buffer.alloc(4096, 0xa5))],
  ['cut', (file) => writeFileSync(file, readFileSync(file).subarray(0, 1000))],
])("with V8's compiled form %s, the tool works all the same", async (_, spoil) => {
  const place = new Place();
  const entry = installCopy(place);
  const bundle = place.file('copy/dist/bundle/compiled');
  const compiled = readdirSync(bundle);
  expect(compiled).not.toEqual([]);
  for (const name of compiled) spoil(path.join(bundle, name));
  const made = await place.tool(CREATE, { entry });
  expect({ exitCode: made.exitCode, keys: keyStrings(made.stdout).length }).toEqual({ exitCode: 0, keys: 1 });
  const list = await place.tool(['list'], { entry });
  expect(list).toMatchObject({ exitCode: 0, stderr: '', stdout: expect.stringContaining('● Active') });
});

test('a package that nobody may write to works', async () => {
  const place = new Place();
  const entry = installCopy(place);
  expect((await place.bash('chmod -R a-w copy/bin copy/dist copy/drizzle')).exitCode).toBe(0);
  expect((await place.tool(CREATE, { entry })).exitCode).toBe(0);
  expect((await place.bash('chmod -R u+w copy')).exitCode).toBe(0);
});

test('without better-sqlite3 the tool uses libsql, and a store moves between the two', async () => {
  const place = new Place();
  const entry = installCopy(place, 'better-sqlite3');
  const engine = async (options: { entry?: string }) =>
    JSON.parse((await place.tool(['doctor', '--json'], options)).stdout).find(
      ({ check }: { check: string }) => check === 'engine',
    ).detail;
  const first = await place.tool(CREATE, { entry });
  expect(first.exitCode).toBe(0);
  expect(await engine({ entry })).toContain('(libsql)');
  expect(await engine({})).toContain('(better-sqlite3)');
  expect(await place.verdict(first.stdout.trimEnd())).toBe('valid');
  const second = await place.key('second');
  const verified = await place.tool(['verify', '--stdin', '-o', 'value'], { entry, input: second });
  expect(verified.stdout).toBe('valid\n');
  expect((await place.tool(['disable', 'second'], { entry })).exitCode).toBe(0);
  expect(await place.verdict(second)).toBe('inactive');
  expect(await place.health()).toEqual(SOUND);
});

test('without any SQLite engine the tool says what to do, and --help works', async () => {
  const place = new Place();
  const entry = installCopy(place, 'better-sqlite3', 'libsql');
  expect((await place.tool(['--help'], { entry })).exitCode).toBe(0);
  const { exitCode, stdout, stderr } = await place.tool(CREATE, { entry });
  expect({ exitCode, stdout }).toEqual({ exitCode: 8, stdout: '' });
  expect(stderr).toContain('no SQLite engine works here');
  expect(stderr).toContain('hint: use Node 22.16 or newer');
});

test.each<[string, string[], number]>([
  ['an unknown command', ['crate'], 2],
  ['an unknown key', ['show', 'nobody'], 3],
  ['a store that is a directory', ['list', '--store', '.'], 6],
  ['a file that is no store', ['list', '--store', 'rubbish'], 8],
])('%s: the error has no path of the sources and no stack', async (_, args, code) => {
  const place = new Place();
  await place.key('ci');
  place.write('rubbish', 'rubbish'.repeat(1000), 0o600);
  const { exitCode, stdout, stderr } = await place.tool(args);
  expect({ exitCode, stdout }).toEqual({ exitCode: code, stdout: '' });
  expect(stderr).toMatch(/^error: .*\n(.*\n)?hint: .*\n$/);
  expect(stderr).not.toContain(ROOT);
  expect(stderr).not.toMatch(/\n\s+at |node:internal|\.cjs|\.ts/);
});

test('Node has nothing to warn of', async () => {
  const place = new Place();
  const node = ['--trace-warnings', '--pending-deprecation', '--throw-deprecation'];
  for (const args of [['--version'], [...CREATE, '-q'], ['list'], ['list', '-o', 'csv'], ['doctor', '-q'], ['audit']]) {
    const { exitCode, stderr } = await place.tool(args, { node });
    expect({ args, exitCode, stderr: stderr.replace(/^Created a new store: .*\n/, '') }).toEqual({
      args,
      exitCode: 0,
      stderr: '',
    });
  }
});

/** Every file under a directory, as text that keeps each byte. */
function contents(directory: string): Map<string, string> {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    files.map((entry) => path.join(entry.parentPath, entry.name)).map((file) => [file, readFileSync(file, 'latin1')]),
  );
}

test('the secret is in no file but the one that was asked for, in the argv and environment of no child, and in no later output', async () => {
  const place = new Place();
  await place.key('first');
  const copyLog = `require('node:fs').copyFileSync('${place.store}-wal', '${place.file('write-ahead-log')}');`;
  const clipboard = place.clipboard();
  const spy = `#!/bin/sh\n{ tr '\\0' ' ' < /proc/$$/cmdline; tr '\\0' ' ' < /proc/$PPID/cmdline; tr '\\0' ' ' < /proc/$PPID/environ; env; } >> '${place.file('children')}'\ncat > '${place.file('clipboard')}'\necho $PPID >> '${place.file('copied-by')}'\n`;
  place.write('bin/wl-copy', spy, 0o755);
  const flags = ['--key-file', 'ci.key', '--dotenv', '.env', '--copy', '--debug'];
  const made = await place.tool([...CREATE, ...flags], {
    env: clipboard.env,
    node: atPoint(place, 'after-commit', 1, copyLog),
  });
  expect(made.exitCode).toBe(0);
  const keyString = readFileSync(place.file('ci.key'), 'utf8').trimEnd();
  expect(keyString).toMatch(new RegExp(`^${KEY_STRING.source}$`));
  const said = [made.stdout, made.stderr];
  for (const args of [
    ['list', '--json'],
    ['show', 'ci', '--json'],
    ['audit', '--json'],
    ['doctor', '--debug'],
    ['disable', 'ci', '--debug'],
    ['disable', '--stdin'],
    ['verify', '--stdin', '--debug'],
    ['show', keyString, '--debug'],
  ]) {
    const { stdout, stderr } = await place.tool(args, { input: keyString });
    said.push(stdout, stderr);
  }
  const secret = keyString.slice(23);
  const files = contents(place.dir);
  expect(files.get(place.file('write-ahead-log'))).toContain(keyString.slice(10, 22)); // the key id is there
  const holders = [...files]
    .filter(([, text]) => text.includes(secret.slice(0, 16)))
    .map(([file]) => path.relative(place.dir, file));
  expect(holders.sort()).toEqual(['.env', 'ci.key', 'clipboard']);
  expect(readFileSync(place.file('children'), 'utf8')).toContain('WAYLAND_DISPLAY'); // the spy works
  expect(said.join('\n')).not.toContain(secret.slice(0, 16));
});
