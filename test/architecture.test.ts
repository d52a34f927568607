import { existsSync, readdirSync, readFileSync } from 'node:fs';
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

/** Who may import what (docs/architecture.md); the first rule that fits a file is its rule. */
const RULES: readonly { files: RegExp; may: RegExp }[] = [
  {
    files: /^domain\//,
    may: /^(domain\/|node:(crypto|net|timers|zlib)$|bcryptjs$|ipaddr\.js$|leven$|unhomoglyph\/data\.json$)/,
  },
  {
    files: /^store\//,
    may: /^(domain\/|store\/|files\/|http\/(transport|loopback|fault-words|foreign-text)\.ts$|node:|drizzle-orm|better-sqlite3$|libsql$)/,
  },
  {
    files: /^(keyring\/|verifier\/|version\.ts)/,
    may: /^(domain\/|keyring\/|verifier\/|hashing\/|node:|rate-limiter-flexible$)/,
  },
  { files: /^hashing\//, may: /^(hashing\/|domain\/|files\/|node:)/ },
  { files: /^loader\//, may: /^(loader\/|version\.ts$|node:(fs|path|vm)$)/ },
  { files: /^files\//, may: /^(files\/|domain\/|node:(fs|os|path|url)$)/ },
  { files: /^yaml\//, may: /^(yaml\/|domain\/(errors|scopes|text)\.ts$|yaml$|valibot$)/ },
  { files: /^manifest\//, may: /^(manifest\/|domain\/|keyring\/|yaml\/|node:crypto$)/ },
  {
    files: /^server\//,
    may: /^(server\/|http-server\/|http\/|domain\/|verifier\/|yaml\/|node:(http|net|perf_hooks)$|prom-client$|ioredis$)/,
  },
  {
    files: /^issuer\//,
    may: /^(issuer\/|http-server\/|http\/|domain\/|keyring\/|yaml\/|node:(crypto|http|https|perf_hooks)$|jose$)/,
  },
  { files: /^http-server\//, may: /^(http-server\/|http\/|domain\/|node:(fs|http|net|perf_hooks)$|prom-client$)/ },
  { files: /^scan\//, may: /^(scan\/|domain\/|files\/(exists|search-path)\.ts$|node:|ignore$)/ },
  { files: /^http\//, may: /^(http\/|domain\/|node:(http|https|net)$)/ },
  {
    files: /^issue-client\//,
    may: /^(issue-client\/|domain\/|files\/|http\/(transport|loopback|fault-words|foreign-text)\.ts$|node:crypto$)/,
  },
  { files: /^adapters\//, may: /^(adapters\/|http\/|domain\/|express$|fastify$|hono$|node:http$)/ },
  {
    files: /^index\.ts$/,
    may: /^(domain\/|keyring\/|store\/(open|local\/store-path|remote\/address)\.ts|verifier\/|files\/|version\.ts|node:os$)/,
  },
  {
    files: /^cli\/commands\//,
    may: /^(cli\/|domain\/|keyring\/|manifest\/|files\/|(server|issuer|scan)\/index\.ts$|node:(fs|path)$)/,
  },
  {
    files: /^cli\//,
    may: /^(cli\/|domain\/|keyring\/|manifest\/|yaml\/|issue-client\/index\.ts$|store\/(open|local\/store-path|remote\/address)\.ts|files\/|version\.ts|node:|commander$|ci-info$|string-width$|csv-stringify\/sync$|@inquirer\/(core|prompts)$)/,
  },
];

/** The floors of `cli/`, the lowest first: a file imports from its own floor and those below. The first that fits a file is its floor. */
const FLOORS: readonly (readonly [name: string, files: RegExp])[] = [
  ['context', /^cli\/(context|exit-code|command-line|read-words|operation)\.ts$/],
  ['settings', /^cli\/settings\//],
  ['output, completion and the names of help topics', /^cli\/(output\/|completion\/|help\/topic-names\.ts$)/],
  ['session', /^cli\/(opening|session|command)\.ts$/],
  ['asking', /^cli\/(asking\/|diagnose\.ts$)/],
  ['delivery', /^cli\/delivery\//],
  ['targets', /^cli\/targets\//],
  ['issued', /^cli\/issued\//],
  ['apply', /^cli\/apply\//],
  ['commands', /^cli\/commands\//],
  ['help pages, which describe all of these', /^cli\/help\//],
  ['program', /^cli\/(plain-line|program)\.ts$/],
  ['main', /^cli\/(main|start|system-context|surroundings)\.ts$/],
];

function floorOf(file: string): number {
  return FLOORS.findIndex(([, files]) => files.test(file));
}

function upwards(imports: readonly Import[]): string[] {
  const inside = imports.filter(({ from, to }) => from.startsWith('cli/') && to.startsWith('cli/'));
  return inside
    .filter(({ from, to }) => floorOf(from) < 0 || floorOf(to) < 0 || floorOf(from) < floorOf(to))
    .map(({ from, to }) => `${from} imports ${to}`);
}

/** Commands that show another command's prompts or pages. */
const COMMANDS_TOGETHER = [
  'audit.ts -> audit-list.ts',
  'audit.ts -> audit-sign.ts',
  'audit.ts -> audit-verify.ts',
  'browse-actions.ts -> create.ts',
  'browse-actions.ts -> delete.ts',
  'browse-actions.ts -> edit.ts',
  'browse-actions.ts -> rotate.ts',
  'browse-actions.ts -> show.ts',
  'browse.ts -> browse-actions.ts',
  'create.ts -> create-draft.ts',
  'list.ts -> browse.ts',
  'prune.ts -> delete.ts',
  'store.ts -> store-copy.ts',
  'store.ts -> store-hash.ts',
  'store.ts -> store-policy.ts',
  'store.ts -> store-restore.ts',
];

function commandsTogether(imports: readonly Import[]): string[] {
  const room = 'cli/commands/';
  return imports
    .filter(({ from, to }) => from.startsWith(room) && to.startsWith(room) && from !== `${room}index.ts`)
    .map(({ from, to }) => `${path.basename(from)} -> ${path.basename(to)}`)
    .sort();
}

/** Groups of files that import each other, directly or through others. */
function cycles(imports: readonly Import[]): string[][] {
  const targets = new Map<string, string[]>();
  for (const { from, to } of imports) targets.set(from, [...(targets.get(from) ?? []), to]);
  const reaches = (start: string): Set<string> => {
    const seen = new Set<string>();
    const next = [start];
    for (let file = next.pop(); file !== undefined; file = next.pop())
      for (const to of targets.get(file) ?? [])
        if (!seen.has(to)) {
          seen.add(to);
          next.push(to);
        }
    return seen;
  };
  const reached = new Map([...targets.keys()].map((file) => [file, reaches(file)]));
  const looping = [...reached].filter(([file, all]) => all.has(file)).map(([file]) => file);
  const groups = looping.map((file) =>
    looping.filter((other) => reached.get(file)?.has(other) && reached.get(other)?.has(file)),
  );
  return [...new Map(groups.map((group) => [group.sort().join(), group])).values()];
}

/** Composition roots: they open a store and hand it to a keyring. */
const KEY_STORE_ROOTS = ['cli/context.ts', 'index.ts'];

function touchesKeyStore(file: string, text: string): boolean {
  if (/^(domain|keyring|store|verifier)\//.test(file) || KEY_STORE_ROOTS.includes(file)) return false;
  return /import [^;]*\bKeyStore\b[^;]*;/.test(text);
}

function allImports(): Import[] {
  return sources().flatMap((file) => importsOf(file, readFileSync(path.join(root, 'src', file), 'utf8')));
}

function violations(imports: readonly Import[]): string[] {
  return imports
    .filter(({ from, to }) => !RULES.find(({ files }) => files.test(from))?.may.test(to))
    .map(({ from, to }) => `${from} imports ${to}`);
}

test('every import goes in the direction bin -> cli -> keyring -> domain <- store', () => {
  const imports = allImports();
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

test('no file imports itself through others, types included', () => {
  expect(cycles(allImports())).toEqual([]);
});

test('an import cycle is found, however long', () => {
  const planted = [
    ...importsOf('cli/context.ts', "import type { Prompts } from './asking/prompts.js';"),
    ...importsOf('cli/asking/prompts.ts', "import { a } from '../session.js';\nimport 'chalk';"),
    ...importsOf('cli/session.ts', "const x = await import('./context.js');"),
    ...importsOf('cli/main.ts', "import { Session } from './session.js';"),
  ];
  expect(cycles(planted)).toEqual([['cli/asking/prompts.ts', 'cli/context.ts', 'cli/session.ts']]);
});

test('every file of cli/ is on a floor, and imports from no floor above', () => {
  expect(upwards(allImports())).toEqual([]);
});

test.each([
  ['cli/context.ts', "import type { Prompts } from './asking/prompts.js';"],
  ['cli/settings/token.ts', "import { Session } from '../session.js';"],
  ['cli/output/progress.ts', "import type { Session } from '../session.js';"],
  ['cli/session.ts', "import { confirm } from './asking/confirm.js';"],
  ['cli/delivery/sinks.ts', "import { readStdin } from '../targets/stdin.js';"],
  ['cli/commands/list.ts', "export { main } from '../main.js';"],
  ['cli/commands/list.ts', "import { x } from '../no-floor.js';"],
])('an import upwards in %s is found', (file, text) => {
  expect(upwards(importsOf(file, text))).toHaveLength(1);
});

test('no command imports another, but for those that show its prompts', () => {
  expect(commandsTogether(allImports())).toEqual(COMMANDS_TOGETHER);
});

test('outside keyring/, store/ and verifier/ only composition roots touch a KeyStore', () => {
  const found = sources().filter((file) => touchesKeyStore(file, readFileSync(path.join(root, 'src', file), 'utf8')));
  expect(found).toEqual([]);
  expect(touchesKeyStore('cli/commands/x.ts', "import type { A, KeyStore } from '../domain/key-store.js';")).toBe(true);
});

test('every export of the package exists, and code has types', () => {
  const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
    exports: Record<string, string | { types: string; default: string }>;
  };
  expect(Object.keys(manifest.exports)).toContain('.');
  for (const [name, target] of Object.entries(manifest.exports)) {
    const file = typeof target === 'string' ? target : target.default;
    const source = file.replace('./dist/', 'src/').replace(/\.js$/, '.ts');
    expect(existsSync(path.join(root, source)), name).toBe(true);
    if (typeof target === 'string') expect(file, name).toMatch(/\.json$/);
    else expect(target.types, name).toBe(file.replace(/\.js$/, '.d.ts'));
  }
});

test.each([
  [
    'a type of better-sqlite3 and its driver',
    'better-sqlite3',
    [
      'store/local/engines/better-sqlite3.ts',
      'store/local/engines/libsql.ts',
      'store/local/engines/sqlite3-connection.ts',
    ],
  ],
  ['@inquirer/prompts', '@inquirer/prompts', ['cli/asking/prompts.ts']],
  ['drizzle-orm', 'drizzle-orm', ['store/drizzle.ts']],
  ['unhomoglyph', 'unhomoglyph', ['domain/confusables.ts']],
  ['yaml', 'yaml', ['yaml/yaml.ts']],
  ['valibot', 'valibot', ['yaml/shape.ts']],
  ['store/open', 'store/open.ts', ['cli/context.ts', 'cli/system-context.ts', 'index.ts']],
])('only the module that stands for it imports %s', (_, target, importers) => {
  const imports = allImports();
  const found = imports
    .filter(({ to }) => to === target || (to.startsWith(`${target}/`) && !to.endsWith('.ts')))
    .map(({ from }) => from);
  expect([...new Set(found)].sort()).toEqual(importers);
});

test('commands touch no process, console, clock or randomness of their own', () => {
  const isHeld = (name: string) =>
    /^(cli\/commands|domain|keyring|manifest)\//.test(name) && name !== 'domain/real-time.ts'; // that is the clock
  for (const file of sources().filter(isHeld)) {
    const text = readFileSync(path.join(root, 'src', file), 'utf8').replace(/^ *\*.*$/gm, ''); // an example may print
    expect(text, file).not.toMatch(/\bprocess\.|\bconsole\.(log|error|warn)\(|\bDate\.now\(|Math\.random\(/);
  }
});

test('nothing anywhere draws from Math.random', () => {
  for (const file of sources())
    expect(readFileSync(path.join(root, 'src', file), 'utf8'), file).not.toMatch(/Math\.random\(/);
});

test('whether something is there is asked in one way, which takes no error for an answer', () => {
  const found = sources().filter((file) =>
    /\b(existsSync|throwIfNoEntry)\b/.test(
      readFileSync(path.join(root, 'src', file), 'utf8').replace(/^ *\*.*$/gm, ''),
    ),
  );
  // files of the package itself, a directory whose making then says what is wrong, and the loader, which can do without all of them
  expect(found.sort()).toEqual([
    'files/asset.ts',
    'files/exists.ts',
    'files/make-directory.ts',
    'loader/compiled-forms.ts',
    'loader/pages.ts',
    'store/local/engines/better-sqlite3.ts',
  ]);
});

/** esbuild copies what `import()` gives, and there is nothing to copy of a module that is loaded later. */
test('no source asks with import() for a module of Node that the loader loads when it is used', () => {
  const [, list = ''] =
    /const LATER: [^[]*\[([^\]]*)\]/.exec(readFileSync(path.join(root, 'src/loader/loader.ts'), 'utf8')) ?? [];
  const later = [...list.matchAll(/'(\w+)'/g)].map(([, name]) => name);
  expect(later).toContain('crypto');
  const asked = sources().flatMap((file) =>
    [...readFileSync(path.join(root, 'src', file), 'utf8').matchAll(/import\('node:(\w+)'\)/g)].map(([, name]) => name),
  );
  expect(asked.filter((name) => later.includes(name))).toEqual([]);
});

/** The files of the bundle export values (`scripts/bundle.mjs`), so a change after a file was loaded would reach nobody. */
test('no source exports a variable that can change', () => {
  const changing = sources().filter((file) =>
    /^export (let|var)\b/m.test(readFileSync(path.join(root, 'src', file), 'utf8')),
  );
  expect(changing).toEqual([]);
});

test('no source builds the tables of a character class of Unicode when it is loaded', () => {
  const atLoad = /^(?:export )?const \w+(?:: [^=]+)? =\s+(?![\s(]|async)[^;]*?\/[^\n/]*\\[pP]\{/m; // a start would pay for each, used or not
  const found = sources().filter((file) => atLoad.test(readFileSync(path.join(root, 'src', file), 'utf8')));
  expect(found).toEqual([]);
  expect('const WIDE =\n  /[\\p{Script=Han}]/u;').toMatch(atLoad);
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
