import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformSync } from 'esbuild';
import { expect, onTestFinished, test } from 'vitest';
import * as library from '../src/index.js';
import { Keyring } from '../src/keyring/keyring.js';
import * as manifest from '../src/manifest/index.js';
import { freshKeyring, input } from './support/keyrings.js';
import { sharedBy } from './support/lifetime.js';
import { DEFAULT_ENGINE, scratch } from './support/stores.js';

// The examples in the docstrings of the adapters run against servers, in test/adapters/examples.test.ts; that of redisLimiter needs one.

const root = fileURLToPath(new URL('../', import.meta.url));
const SOURCES = ['index', 'domain/errors', 'keyring/keyring', 'verifier/verifier', 'manifest/index'];
const MODULES: Record<string, object> = { 'unlockos-keys': library, 'unlockos-keys/manifest': manifest };

/** What the examples of methods are about: a keyring with one key. An example with imports stands by itself. */
const MAKE = `const [partner] = await keyring.create([{ name: 'partner', mode: 'test', scopes: ['checkin:read'] }]);
const keyString = partner?.keyString ?? '';`;
const SETTING = `import { createVerifier, openKeyring } from 'unlockos-keys';
const keyring = await openKeyring({ store: './keys.db' });
${MAKE}
const verifier = await createVerifier({ store: './keys.db', environment: 'test' });
const vault = { async ping() {}, async put(_: string | null | undefined) {} };
`;

interface Example {
  readonly of: string;
  readonly code: string;
}

function examplesIn(source: string): Example[] {
  const text = readFileSync(path.join(root, 'src', `${source}.ts`), 'utf8');
  return [...text.matchAll(/\/\*\*((?:[^*]|\*(?!\/))*@example(?:[^*]|\*(?!\/))*)\*\/\s*(.*)/g)].map(
    ([, comment = '', next = '']) => {
      const example =
        /```ts\n([\s\S]*?)```/.exec(comment.replace(/^ *\* ?/gm, ''))?.[1] ?? 'throw new Error("no example");';
      const of = `${source}: ${/(?:async|get|function|class) (\w+)/.exec(next)?.[1] ?? next.slice(0, 30)}`;
      return { of, code: example.startsWith('import ') ? example : `${SETTING}{\n${example}}\n` };
    },
  );
}

const EXAMPLES = SOURCES.flatMap(examplesIn);

test('every public method of a keyring has an example', () => {
  const shown = EXAMPLES.map(({ of }) => of);
  const methods = Object.getOwnPropertyNames(Keyring.prototype).filter((name) => name !== 'constructor');
  expect(methods.filter((name) => !shown.includes(`keyring/keyring: ${name}`))).toEqual([]);
});

test('the examples are of the types that the package declares', () => {
  const folder = scratch();
  mkdirSync(path.join(folder, 'node_modules'));
  symlinkSync(path.join(root, 'node_modules/@types'), path.join(folder, 'node_modules/@types'));
  const paths = {
    'unlockos-keys': [path.join(root, 'src/index.ts')],
    'unlockos-keys/manifest': [path.join(root, 'src/manifest/index.ts')],
  };
  const compilerOptions = { paths, noUncheckedIndexedAccess: false, noUnusedLocals: false, types: ['node'] };
  const config = { extends: path.join(root, 'tsconfig.json'), compilerOptions, include: ['*.ts'] };
  writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify(config));
  writeFileSync(path.join(folder, 'package.json'), '{ "type": "module" }');
  for (const [i, { of, code }] of EXAMPLES.entries())
    writeFileSync(path.join(folder, `${i}-${of.replace(/\W+/g, '-')}.ts`), `${code}export {};\n`);
  const tsc = path.join(root, 'node_modules/typescript/bin/tsc');
  let said = '';
  try {
    execFileSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' });
  } catch (error) {
    said = (error as { stdout: string }).stdout;
  }
  expect(said).toBe('');
});

/** Instead of {@link MAKE}, which hashes at the real cost; the change is the one that `lastChange` tells of. */
const MADE = `const { partner, keyString } = made;
await keyring.edit('partner', { description: 'checks in' });`;

/** The key of {@link MADE}, and its store. */
const made = sharedBy(async () => {
  const keyring = await freshKeyring(DEFAULT_ENGINE);
  const [partner] = await keyring.create([input('partner')]);
  await keyring.close();
  return { partner, keyString: partner?.keyString, store: readFileSync(keyring.location) };
});

test.each(EXAMPLES)('the example of $of runs', async ({ code }) => {
  const before = process.cwd();
  onTestFinished(() => process.chdir(before));
  process.chdir(scratch());
  const there = code.includes(MAKE);
  if (there) writeFileSync('keys.db', made().store, { mode: 0o600 });
  const body = transformSync(there ? code.replace(MAKE, MADE) : code, {
    loader: 'ts',
    format: 'esm',
    target: 'es2022',
    tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } },
  }).code.replace(
    /^import \{([^}]*)\} from "([^"]+)";$/gm,
    (_, names: string, from: string) => `const {${names}} = modules['${from}'];`,
  );
  const said: unknown[] = [];
  const console = {
    log: (...values: unknown[]) => said.push(values),
    error: (...values: unknown[]) => said.push(values),
  };
  const AsyncFunction = (async () => {}).constructor as new (
    ...args: string[]
  ) => (...args: unknown[]) => Promise<void>;
  await new AsyncFunction('modules', 'console', 'made', body)(MODULES, console, made());
  for (const value of said.flat()) expect(value).not.toBeUndefined();
});
