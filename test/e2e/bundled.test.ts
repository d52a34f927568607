import { cpSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { build, type Format } from 'esbuild';
import { expect, test } from 'vitest';
import { Place, ROOT } from '../support/built-tool.js';

const APP = `
import { createVerifier, openKeyring } from '${path.join(ROOT, 'dist/index.js')}';
async function main() {
  const keyring = await openKeyring({ store: 'bundled.db' });
  const [{ keyString }] = await keyring.create([{ name: 'ci', mode: 'test', scopes: ['checkin:read'] }]);
  const verifier = await createVerifier({ store: 'bundled.db', environment: 'test' });
  console.log((await verifier.verify(keyString)).verdict);
  await verifier.close();
  await keyring.close();
}
main().catch((error) => { console.error(error.message); process.exitCode = 1; });
`;

const PLANNING = `
import { openKeyring } from '${path.join(ROOT, 'dist/index.js')}';
import { plan, readManifest } from '${path.join(ROOT, 'dist/manifest/index.js')}';
import { redisLimiter } from '${path.join(ROOT, 'dist/verifier/redis-limiter.js')}';
async function main() {
  const keyring = await openKeyring({ store: 'bundled.db' });
  const { steps } = await plan(keyring, readManifest('{ "version": 1, "name": "m", "keys": [] }', 'm.json'));
  console.log(steps.length, typeof redisLimiter);
  await keyring.close();
}
main().catch((error) => { console.error(error.message); process.exitCode = 1; });
`;

/** An application's bundle with the library inside it, and the packages that stay outside beside it. */
async function bundled(place: Place, format: Format, contents = APP, outside: readonly string[] = []): Promise<string> {
  const outfile = place.file('app', `server.${format === 'esm' ? 'mjs' : 'cjs'}`);
  const stdin = { contents, resolveDir: ROOT, loader: 'js' } as const;
  const external = ['libsql', 'better-sqlite3', ...outside];
  await build({ stdin, outfile, format, external, bundle: true, platform: 'node', logLevel: 'silent' });
  mkdirSync(place.file('app/node_modules'));
  for (const each of ['libsql', ...outside])
    symlinkSync(path.join(ROOT, 'node_modules', each), place.file('app/node_modules', each));
  place.write('app/package.json', '{ "name": "app" }');
  return outfile;
}

test.each<Format>([
  'esm',
  'cjs',
])('the library works inside a bundle of esbuild (%s), with its migrations beside it', async (format) => {
  const place = new Place();
  const file = await bundled(place, format);
  const missing = await place.run(process.execPath, [file]);
  expect([missing.exitCode, missing.stderr]).toEqual([
    1,
    expect.stringContaining('copy its folder drizzle/ beside the bundle'),
  ]);
  cpSync(path.join(ROOT, 'drizzle'), place.file('app/drizzle'), { recursive: true });
  const { stdout, stderr } = await place.run(process.execPath, [file], { cwd: place.file('app') });
  expect(stdout, stderr).toBe('valid\n');
});

test.each<Format>(['esm', 'cjs'])('and with the installed package beside it (%s)', async (format) => {
  const place = new Place();
  const file = await bundled(place, format);
  symlinkSync(ROOT, place.file('app/node_modules/unlockos-keys'));
  const { stdout, stderr } = await place.run(process.execPath, [file], { cwd: place.file('app') });
  expect(stdout, stderr).toBe('valid\n');
});

test.each<Format>(['esm', 'cjs'])('an application without any optional package is bundled (%s)', async (format) => {
  const place = new Place();
  const { dependencies } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'));
  for (const each of ['package.json', 'dist'])
    cpSync(path.join(ROOT, each), place.file('node_modules/unlockos-keys', each), { recursive: true });
  for (const each of Object.keys(dependencies))
    symlinkSync(path.join(ROOT, 'node_modules', each), place.file('node_modules', each));
  const contents = `export { createVerifier, openKeyring } from 'unlockos-keys'`;
  const stdin = { contents, resolveDir: place.dir, loader: 'js' } as const;
  const { errors } = await build({ stdin, format, bundle: true, write: false, platform: 'node', logLevel: 'silent' });
  expect(errors).toEqual([]);
});

test.each<[Format, readonly string[]]>([
  ['esm', ['yaml', 'rate-limiter-flexible']],
  ['cjs', []],
])('so do manifests and limits in Redis (%s, outside: %j)', async (format, outside) => {
  const place = new Place();
  const file = await bundled(place, format, PLANNING, outside);
  cpSync(path.join(ROOT, 'drizzle'), place.file('app/drizzle'), { recursive: true });
  const { stdout, stderr } = await place.run(process.execPath, [file], { cwd: place.file('app') });
  expect(stdout, stderr).toBe('0 function\n');
});

test('createVerifier closes what it opened when it refuses, also under fake timers', async () => {
  const place = new Place();
  await place.key('a');
  const file = place.write(
    'refused.mjs',
    `import { readdirSync } from 'node:fs';
     import { createVerifier } from '${path.join(ROOT, 'dist/index.js')}';
     globalThis.setTimeout = globalThis.setImmediate = () => ({ unref() {} }); // nobody moves the time on
     performance.now = () => 0;
     const count = () => readdirSync('/proc/self/fd').length;
     const refuse = () => createVerifier({ store: process.argv[2], environment: 'test', rateLimit: 'none' }).catch(({ code }) => code);
     await refuse();
     const before = count();
     for (let i = 0; i < 600; i++) if ((await refuse()) !== 'usage') throw new Error('not refused');
     const verifier = await createVerifier({ store: process.argv[2], environment: 'test' });
     console.log(count() - before < 150, (await verifier.verify('x')).verdict);
     await verifier.close();`,
  );
  const { stdout, stderr } = await place.run(process.execPath, [file, place.store]);
  expect(stdout, stderr).toBe('true invalid\n');
});

test('the library works where the timers were replaced before it was loaded', async () => {
  const place = new Place();
  const file = place.write(
    'replaced.mjs',
    `const none = () => ({ ref() { return this; }, unref() { return this; }, hasRef: () => false });
     globalThis.setTimeout = globalThis.setInterval = globalThis.setImmediate = none;
     performance.now = () => 0;
     Date.now = () => 1_800_000_000_000;
     const { createVerifier, openKeyring } = await import('${path.join(ROOT, 'dist/index.js')}');
     const store = process.argv[2];
     const keyring = await openKeyring({ store });
     const [{ keyString }] = await keyring.create([{ name: 'ci', mode: 'test', scopes: ['checkin:read'] }]);
     const verifier = await createVerifier({ store, environment: 'test' });
     console.log((await verifier.verify(keyString)).verdict);
     await verifier.close();
     await keyring.close();`,
  );
  const { stdout, stderr } = await place.run(process.execPath, [file, place.file('replaced.db')]);
  expect(stdout, stderr).toBe('valid\n');
});
