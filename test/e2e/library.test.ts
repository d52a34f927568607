import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { block } from '../support/documents.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const library = pathToFileURL(path.join(root, 'dist/index.js')).href;

async function runProgram(text: string): Promise<{ stdout: string; stderr: string }> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'unlockos-keys-library-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await writeFile(path.join(folder, 'program.mjs'), text.replaceAll("'unlockos-keys'", `'${library}'`));
  return promisify(execFile)(process.execPath, ['program.mjs'], { cwd: folder });
}

/** The first TypeScript block of a docstring, which must also be plain JavaScript. */
async function docstring(file: string): Promise<string> {
  const text = await readFile(path.join(root, file), 'utf8');
  return /```ts\n([\s\S]*?)```/.exec(text.replace(/^ \* ?/gm, ''))?.[1] ?? '';
}

test.each([
  ['docs/library.md', async () => block('docs/library.md', 'openKeyring')],
  ['src/index.ts', () => docstring('src/index.ts')],
])('the library example in %s runs on the built package', async (_, example) => {
  const code = await example();
  const { stdout } = await runProgram(`${code}\nconsole.log('verdict', verdict.verdict);`);
  expect(stdout).toContain('verdict valid');
});

test('the library loads nothing of the command line, and no native module before a store is opened', async () => {
  const { stdout } = await runProgram(`
    import { createRequire } from 'node:module';
    await import('unlockos-keys');
    const loaded = Object.keys(createRequire(import.meta.url).cache).concat(process.report.getReport().sharedObjects);
    console.log(JSON.stringify(loaded.filter((file) => /commander|inquirer|clipboardy|chalk|better_sqlite3|libsql/.test(file))));
  `);
  expect(JSON.parse(stdout)).toEqual([]);
});

test('the library opens a store in a program that is no file', async () => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'unlockos-keys-library-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const program = `import('${library}').then(async ({ openKeyring }) => {
    const keyring = await openKeyring({ store: './keys.db' });
    console.log((await keyring.list()).keys.length);
    await keyring.close();
  })`;
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', program], { cwd: folder });
  expect(stdout).toBe('0\n');
});

test('a key disabled through one keyring is refused by a verifier at its next call', async () => {
  const { stdout } = await runProgram(`
    import { createVerifier, openKeyring } from 'unlockos-keys';
    const keyring = await openKeyring({ store: './keys.db' });
    const [{ key, keyString }] = await keyring.create([{ name: 'ci', mode: 'live', scopes: ['plan:read'] }]);
    const verifier = await createVerifier({ store: './keys.db', environment: 'live' });
    const verdicts = [await verifier.verify(keyString), await verifier.verify(keyString, { scopes: ['plan:create'] })];
    await keyring.disable(key.id);
    verdicts.push(await verifier.verify(keyString));
    const wrong = await createVerifier({ store: './keys.db', environment: 'test' });
    await keyring.enable(key.id);
    verdicts.push(await wrong.verify(keyString));
    console.log(JSON.stringify(verdicts.map(({ verdict }) => verdict)));
  `);
  expect(JSON.parse(stdout)).toEqual(['valid', 'missing_scope', 'inactive', 'wrong_environment']);
});

test('a verifier never makes a store that is not there', async () => {
  const { stdout } = await runProgram(`
    import { createVerifier } from 'unlockos-keys';
    console.log(await createVerifier({ store: './none.db', environment: 'live' }).catch((error) => error.code));
  `);
  expect(stdout.trim()).toBe('store_missing');
});
