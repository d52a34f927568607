import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { keyStrings, Place, ROOT } from '../support/built-tool.js';
import { Served } from '../support/served.js';

// The tool on every version of Node that is supported. `.ci/run` installs them from npm and names their binaries in
// UNLOCKOS_KEYS_TEST_NODES, separated by colons; without it only the Node of this run is tested.

const NODES = [process.execPath, ...(process.env.UNLOCKOS_KEYS_TEST_NODES ?? '').split(':').filter(Boolean)];
const ENTRY = path.join(ROOT, 'bin/unlockos-keys.js');
/** An abort that depends on when the garbage collector runs shows in most of so many processes. */
const RUNS = 12;

describe.each(NODES)('on %s', (node) => {
  const scene = () => {
    const place = new Place();
    return {
      place,
      tool: (args: string[], input?: string) => place.run(node, [ENTRY, ...args], { input: input ?? '' }),
    };
  };
  const create = (name: string) => ['create', name, '--test-mode', '--scope', 'checkin:read', '-o', 'value'];

  test('create, list and verify end in order, each time, and say nothing beside', async () => {
    const { tool } = scene();
    const made = await tool(create('first'));
    expect(made).toMatchObject({ exitCode: 0, signal: null });
    const [keyString = ''] = keyStrings(made.stdout);
    for (let run = 0; run < RUNS; run++) {
      const listed = await tool(['list', '--json']);
      expect(listed).toMatchObject({ exitCode: 0, signal: null, stderr: '' });
      expect(JSON.parse(listed.stdout)).toHaveLength(1);
    }
    const checked = await tool(['verify', '--stdin', '-o', 'value'], keyString);
    expect(checked).toMatchObject({ exitCode: 0, stdout: 'valid\n', stderr: '' });
    expect(await tool(['store', 'check'])).toMatchObject({ exitCode: 0, signal: null });
  });

  test('require() of the library works, or says to use import()', async () => {
    const { place } = scene();
    const code = `try { console.log(typeof require(process.argv[1]).createVerifier) } catch (error) { console.log(error.message) }`;
    const { stdout } = await place.run(node, ['--no-warnings', '-e', code, path.join(ROOT, 'dist/index.js')]);
    expect(stdout).toMatch(/^function$|use of import\(\)|a dynamic import\(\)/m);
  });

  test('under the permission model, what cannot be flushed to the disk is refused before a key is made', async () => {
    const { place, tool } = scene();
    await tool(create('first'));
    const old = Number.parseInt((await place.run(node, ['-p', 'process.versions.node'])).stdout, 10) < 22;
    const model = old ? ['--experimental-permission', '--allow-addons'] : ['--permission']; // addons: for an engine
    const flags = [...model, '--allow-fs-read=*', '--allow-fs-write=*'];
    const flush = `fs.fsyncSync(fs.openSync(${JSON.stringify(place.file('flushed'))}, 'w'))`;
    const flushes = (await place.run(node, [...flags, '-e', flush])).exitCode === 0; // Node 20 has changed its mind
    const permitted = (...args: string[]) => place.run(node, [...flags, ENTRY, ...args], { input: '' });
    const made = await permitted(...create('second'));
    expect([made.exitCode, keyStrings(made.stdout).length], made.stderr).toEqual([0, 1]);
    const folder = path.join(path.dirname(place.file('x')), 'made');
    mkdirSync(folder);
    writeFileSync(path.join(folder, '.env'), '');
    const flagged = (name: string, flag: string, file: string) => [
      ...create(name).slice(0, -2),
      ...[flag, path.join(folder, file)],
    ];
    for (const args of [
      flagged('a', '--key-file', 'a.key'),
      flagged('b', '--dotenv', 'new.env'),
      ['store', 'backup', path.join(folder, 'copy.db')],
      ['store', 'pepper', path.join(folder, 'peppers')],
    ]) {
      const { exitCode, stderr } = await permitted(...args);
      expect([exitCode === 0, stderr.includes("Node's permission model")], stderr).toEqual([flushes, !flushes]);
    }
    const existing = await permitted(...flagged('c', '--dotenv', '.env')); // whose mode no file may be given
    expect([existing.exitCode, existing.stderr]).toEqual([2, expect.stringContaining("Node's permission model")]);
    expect(JSON.parse((await permitted('list', '--json')).stdout)).toHaveLength(flushes ? 4 : 2);
    expect(readdirSync(folder)).toHaveLength(flushes ? 5 : 1);
  });

  test('bulk create hands out every key that it made', async () => {
    const { tool } = scene();
    const names = Array.from({ length: 40 }, (_, i) => `bulk-${i}\n`).join('');
    const made = await tool(create('-'), names);
    expect(made).toMatchObject({ exitCode: 0, signal: null });
    expect(keyStrings(made.stdout)).toHaveLength(40);
    const listed = JSON.parse((await tool(['list', '--json'])).stdout);
    expect(listed).toHaveLength(40);
  });

  test('serve answers, and ends in order', async () => {
    const { place, tool } = scene();
    const [keyString = ''] = keyStrings((await tool(create('kiosk'))).stdout);
    const args = ['--listen', '127.0.0.1:0', '--environment', 'test', '--scope', 'checkin:read'];
    const served = new Served(place, args, {}, node);
    const url = await served.url();
    for (const [secret, status] of [
      [keyString, 200],
      [keyString.replace(/.$/, (last) => (last === 'a' ? 'b' : 'a')), 401],
    ] as const) {
      const headers = { authorization: `Bearer ${secret}` };
      expect((await fetch(`${url}/auth`, { headers })).status).toBe(status);
    }
    expect(await served.ended('SIGTERM')).toEqual([0, null]);
  });
});
