import { cpSync, mkdirSync, symlinkSync } from 'node:fs';
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

/** An application's bundle with the library inside it, and the native package beside it. */
async function bundled(place: Place, format: Format): Promise<string> {
  const outfile = place.file('app', `server.${format === 'esm' ? 'mjs' : 'cjs'}`);
  const stdin = { contents: APP, resolveDir: ROOT, loader: 'js' } as const;
  const external = ['libsql', 'better-sqlite3'];
  await build({ stdin, outfile, format, external, bundle: true, platform: 'node', logLevel: 'silent' });
  mkdirSync(place.file('app/node_modules'));
  symlinkSync(path.join(ROOT, 'node_modules/libsql'), place.file('app/node_modules/libsql'));
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
