import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { VERSION } from '../src/version.js';

const root = fileURLToPath(new URL('../', import.meta.url));

interface Import {
  readonly from: string;
  /** A path below src/, or the name of a package. */
  readonly to: string;
}

function sources(): string[] {
  return readdirSync(path.join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ts'),
  );
}

function importsOf(file: string, text: string): Import[] {
  const code = text.replace(/^ *\*.*$/gm, '');
  const found = code.matchAll(/(?<!['$\w])(?:from|import)\s*\(?\s*'([^'\n]+)'/g);
  return [...found].map(([, target = '']) => ({
    from: file,
    to: target.startsWith('.') ? path.join(path.dirname(file), target).replace(/\.js$/, '.ts') : target,
  }));
}

/** Who may import what, from design.md section 7; the first rule that fits a file is its rule. */
const RULES: readonly { files: RegExp; may: RegExp }[] = [
  { files: /^domain\//, may: /^(domain\/|node:crypto$|node:zlib$|bcryptjs$|leven$)/ },
  { files: /^store\//, may: /^(domain\/|store\/|node:|drizzle-orm|better-sqlite3$|libsql$)/ },
  {
    files: /^(keyring\/|verifier\/|hash-pool\.ts|version\.ts)/,
    may: /^(domain\/|keyring\/|verifier\/|hash-pool\.ts|node:|rate-limiter-flexible$)/,
  },
  { files: /^secret-file\.ts$/, may: /^(domain\/|node:fs$)/ },
  { files: /^yaml\.ts$/, may: /^yaml$/ },
  { files: /^manifest\//, may: /^(manifest\/|domain\/|keyring\/|yaml\.ts$|node:crypto$)/ },
  {
    files: /^server\//,
    may: /^(server\/|adapters\/|domain\/|verifier\/|yaml\.ts$|node:(fs|http|net|perf_hooks)$|prom-client$)/,
  },
  { files: /^scan\//, may: /^(scan\/|domain\/|node:|ignore$)/ },
  { files: /^adapters\//, may: /^(adapters\/|domain\/|express$|fastify$|hono$|node:http$)/ },
  {
    files: /^index\.ts$/,
    may: /^(domain\/|keyring\/|store\/(open|local\/store-path|remote\/address)\.ts|verifier\/|secret-file\.ts|version\.ts|node:os$)/,
  },
  {
    files: /^cli\/commands\//,
    may: /^(cli\/|domain\/|keyring\/|manifest\/|(server|scan)\/index\.ts$|node:(fs|path)$)/,
  },
  {
    files: /^cli\//,
    may: /^(cli\/|domain\/|keyring\/|manifest\/|yaml\.ts$|store\/(open|local\/store-path|remote\/address)\.ts|secret-file\.ts|version\.ts|node:|commander$|chalk$|ci-info$|cli-table3$|string-width$|csv-stringify\/sync$|@inquirer\/prompts$)/,
  },
];

function violations(imports: readonly Import[]): string[] {
  return imports
    .filter(({ from, to }) => !RULES.find(({ files }) => files.test(from))?.may.test(to))
    .map(({ from, to }) => `${from} imports ${to}`);
}

test('every import goes in the direction bin -> cli -> keyring -> domain <- store', () => {
  const imports = sources().flatMap((file) => importsOf(file, readFileSync(path.join(root, 'src', file), 'utf8')));
  expect(imports.length).toBeGreaterThan(100);
  expect(violations(imports)).toEqual([]);
});

test.each([
  ['domain/scopes.ts', "import { openStore } from '../store/open.js';"],
  ['store/open.ts', "import { main } from '../cli/main.js';"],
  ['keyring/keyring.ts', "const x = await import('../store/open.js');"],
  ['manifest/plan.ts', "import { Session } from '../cli/session.js';"],
  ['cli/commands/list.ts', "import clipboard from 'clipboardy';"],
  ['index.ts', "export { Session } from './cli/session.js';"],
])('a wrong import in %s is found', (file, text) => {
  expect(violations(importsOf(file, text))).toHaveLength(1);
});

test.each([
  [
    'a type of better-sqlite3 and its driver',
    'better-sqlite3',
    ['store/local/binding.ts', 'store/local/connection.ts', 'store/local/local-database.ts'],
  ],
  ['@inquirer/prompts', '@inquirer/prompts', ['cli/prompts.ts']],
  ['cli-table3', 'cli-table3', ['cli/output/table.ts']],
  ['drizzle-orm', 'drizzle-orm', ['store/drizzle.ts']],
  ['yaml', 'yaml', ['yaml.ts']],
  ['store/open', 'store/open.ts', ['cli/context.ts', 'cli/system-context.ts', 'index.ts']],
])('only the module that stands for it imports %s', (_, target, importers) => {
  const imports = sources().flatMap((file) => importsOf(file, readFileSync(path.join(root, 'src', file), 'utf8')));
  const found = imports.filter(({ to }) => to === target || to.startsWith(`${target}/`)).map(({ from }) => from);
  expect([...new Set(found)].sort()).toEqual(importers);
});

test('commands touch no process, console, clock or randomness of their own', () => {
  for (const file of sources().filter((name) => /^(cli\/commands|domain|keyring|manifest)\//.test(name))) {
    const text = readFileSync(path.join(root, 'src', file), 'utf8');
    expect(text, file).not.toMatch(/\bprocess\.|\bconsole\.(log|error|warn)\(|\bDate\.now\(|Math\.random\(/);
  }
});

test('nothing anywhere draws from Math.random', () => {
  for (const file of sources())
    expect(readFileSync(path.join(root, 'src', file), 'utf8'), file).not.toMatch(/Math\.random\(/);
});

test('no source builds SQL from strings of its own', () => {
  for (const file of sources())
    expect(readFileSync(path.join(root, 'src', file), 'utf8'), file).not.toMatch(/\bsql\.raw\(/);
});

test('the version in the code is the version of the package', () => {
  const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string };
  expect(VERSION).toBe(manifest.version);
});

test('every dependency with an install script is allowed or denied by name', () => {
  const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
    allowScripts: Record<string, boolean>;
  };
  const lock = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { hasInstallScript?: boolean }>;
  };
  const scripted = Object.entries(lock.packages).filter(([, { hasInstallScript }]) => hasInstallScript);
  const names = scripted
    .map(([place]) => place.replace(/^.*node_modules\//, ''))
    .filter((name) => name !== '' && name !== 'fsevents');
  expect([...new Set(names)].sort()).toEqual(Object.keys(manifest.allowScripts).sort());
});
