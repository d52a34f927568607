import { mkdirSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { expect, test } from 'vitest';
import { Place, ROOT } from '../support/built-tool.js';

// The types of the built library, in the project of a user who has every declaration checked.

const own = createRequire(path.join(ROOT, 'package.json'));
const compilers = {
  '5.6': createRequire(own.resolve('@arethetypeswrong/core/package.json')).resolve('typescript/package.json'),
  '7': own.resolve('typescript/package.json'),
};
const ALONE = ['unlockos-keys', 'unlockos-keys/manifest', 'unlockos-keys/web', 'unlockos-keys/redis'];

async function errors(compiler: string, names: readonly string[], ...flags: string[]): Promise<string> {
  const place = new Place();
  mkdirSync(place.file('node_modules/empty'), { recursive: true });
  symlinkSync(ROOT, place.file('node_modules/unlockos-keys'));
  place.write('package.json', '{ "type": "module" }');
  place.write('user.ts', names.map((name, i) => `export * as all${i} from '${name}';\n`).join(''));
  const bin = path.join(path.dirname(compiler), 'bin/tsc');
  const args = ['--noEmit', '--strict', '--skipLibCheck', 'false', '--target', 'es2022', ...flags, 'user.ts'];
  return (await place.run(process.execPath, [bin, ...args])).stdout;
}

test.each(
  Object.entries(compilers),
)('TypeScript %s has no complaint, with and without the types of Node', async (_, compiler) => {
  const types = ['--typeRoots', path.join(ROOT, 'node_modules/@types'), '--types', 'node'];
  const frameworks = ['unlockos-keys/express', 'unlockos-keys/fastify'];
  expect(await errors(compiler, [...ALONE, ...frameworks], '--module', 'nodenext', ...types)).toBe('');
  const web = ['--module', 'esnext', '--moduleResolution', 'bundler', '--lib', 'es2022,dom'];
  expect(await errors(compiler, ALONE, ...web, '--typeRoots', 'node_modules/empty')).toBe('');
});

test('TypeScript 7 has none with the adapter for Hono, whose own types need 5.7', async () => {
  const types = ['--typeRoots', path.join(ROOT, 'node_modules/@types'), '--types', 'node'];
  expect(await errors(compilers['7'], ['unlockos-keys/hono'], '--module', 'nodenext', ...types)).toBe('');
});
