import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { KEY_STRING, Place, type Result, ROOT } from '../support/built-tool.js';
import { block } from '../support/documents.js';
import { packed, publish } from '../support/registry.js';

// What npm would publish, installed as users do it. Each supported Node and the package managers other than npm are those that `.ci/run`
// installs (UNLOCKOS_KEYS_TEST_NODES, UNLOCKOS_KEYS_TEST_MANAGERS); without them, the Node of this run and npm.

const NODES = [process.execPath, ...(process.env.UNLOCKOS_KEYS_TEST_NODES ?? '').split(':').filter(Boolean)];
const MANAGERS = process.env.UNLOCKOS_KEYS_TEST_MANAGERS;

let file: Buffer;
beforeAll(async () => {
  file = await packed();
});

interface Machine {
  readonly place: Place;
  run(line: string): Promise<Result>;
}

/** A machine with one Node and the package managers, on which `unlockos-keys` is what the registry serves. */
async function machine(node = process.execPath): Promise<Machine> {
  const place = new Place();
  const registry = await publish(file);
  const prefix = place.file('prefix');
  mkdirSync(prefix);
  place.write('home/.npmrc', `registry=${registry}\n`); // pnpm reads no variable
  const tools =
    MANAGERS === undefined
      ? []
      : ['@oven/bun-linux-x64/bin', '.bin'].map((bin) => path.join(MANAGERS, 'node_modules', bin));
  const env = {
    PATH: [path.dirname(node), `${prefix}/bin`, ...tools, process.env.PATH].join(':'),
    npm_config_registry: registry,
    npm_config_prefix: prefix,
    npm_config_cache: process.env.npm_config_cache ?? path.join(process.env.HOME ?? '', '.npm'),
    npm_config_audit: 'false',
    npm_config_fund: 'false',
    npm_config_update_notifier: 'false',
    PNPM_HOME: prefix,
    BUN_INSTALL: prefix,
  };
  return { place, run: (line) => place.run('bash', ['-c', line], { env }) };
}

const CREATE = 'unlockos-keys create ci --test-mode --scope checkin:read -o value';

/** Creates, lists and verifies a key with the tool that is first on PATH. */
async function expectWorks({ run }: Machine): Promise<void> {
  const made = await run(CREATE);
  expect(made).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(KEY_STRING) });
  const listed = await run('unlockos-keys list --json');
  expect({ ...listed, stdout: JSON.parse(listed.stdout).length }).toMatchObject({ exitCode: 0, stdout: 1, stderr: '' });
  const verified = await run(`echo ${made.stdout.trim()} | unlockos-keys verify --stdin -o value`);
  expect(verified).toMatchObject({ exitCode: 0, stdout: 'valid\n', stderr: '' });
}

describe.each(NODES)('on %s', (node) => {
  test('the line of README installs the tool without a warning; the library loads by import and by require', async () => {
    const there = await machine(node);
    const installed = await there.run(block('README.md', 'npm install --global unlockos-keys'));
    expect(installed).toMatchObject({ exitCode: 0, stderr: '' });
    await expectWorks(there);
    const library = there.place.file('prefix/lib/node_modules/unlockos-keys');
    there.place.write(
      'esm.mjs',
      `import('${library}/dist/index.js').then((all) => console.log(typeof all.openKeyring));`,
    );
    expect(await there.run('node esm.mjs')).toMatchObject({ exitCode: 0, stdout: 'function\n', stderr: '' });
    const required = await there.run(
      `cd '${library}' && node --no-warnings -p "typeof require('unlockos-keys').openKeyring"`,
    );
    const [major = 0, minor = 0] = (await there.run('node -p process.versions.node')).stdout.split('.').map(Number);
    if (major === 20 && minor < 19) expect(required.stderr).toContain('ERR_REQUIRE_ESM');
    else expect(required).toMatchObject({ exitCode: 0, stdout: 'function\n', stderr: '' });
  });
});

test('npx runs it', async () => {
  const { run } = await machine();
  const { version } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'));
  const said = await run(block('docs/install.md', 'npx --yes unlockos-keys'));
  expect(said).toMatchObject({ exitCode: 0, stdout: `${version}\n`, stderr: '' });
});

test('the smallest installation has six packages, and works where Node has SQLite or the store is remote', async () => {
  const { run } = await machine();
  const script = block('docs/install.md', '--omit=optional');
  const lines = ['list --store http://127.0.0.1:9/', CREATE.replace('unlockos-keys ', '')];
  const said = await run(`${script}${lines.map((line) => `unlockos-keys ${line}; echo "exit $?"`).join('\n')}`);
  expect(said.stdout).toContain('added 6 packages');
  expect(said.stderr).toContain('127.0.0.1:9');
  const codes = [...said.stdout.matchAll(/^exit (\d+)$/gm)].map(([, code]) => code);
  const hasSqlite = Boolean(process.getBuiltinModule('node:sqlite' as 'node:fs'));
  expect(codes).toEqual(['8', hasSqlite ? '0' : '8']);
  if (!hasSqlite) expect(said.stderr).toContain('hint: use Node 22.16 or newer');
});

/** Blocks of docs/install.md, by the program that they call. */
const LINES: Readonly<Record<string, string>> = {
  pnpm: block('docs/install.md', 'pnpm add'),
  yarn: block('docs/install.md', 'yarn global'),
  bun: block('docs/install.md', 'bun add'),
};

describe.runIf(MANAGERS !== undefined)('with the other package managers', () => {
  test.each(Object.keys(LINES))('%s installs it', async (name) => {
    const there = await machine();
    const { exitCode, stderr } = await there.run(LINES[name] ?? '');
    expect(exitCode, stderr).toBe(0);
    expect(stderr).not.toMatch(/engine|incompatible/i);
    expect((await there.run('command -v unlockos-keys')).stdout).toMatch(/\/prefix\/bin\/unlockos-keys\n$/);
    await expectWorks(there);
  });

  test.each([
    'bun',
    'deno run --allow-read --allow-env',
  ])('the adapters for the Web and Hono load under %s', async (how) => {
    const { place, run } = await machine();
    await run('npm install unlockos-keys');
    place.write(
      'load.mjs',
      `import * as web from 'unlockos-keys/web';
      import * as hono from 'unlockos-keys/hono';
      console.log(typeof web.protect, typeof hono.protect);`,
    );
    expect(await run(`${how} load.mjs`)).toMatchObject({ exitCode: 0, stdout: 'function function\n' });
  });
});
