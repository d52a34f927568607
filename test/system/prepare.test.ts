import { cpSync, mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { KEY_STRING, Place, ROOT } from '../support/built-tool.js';

/** A checkout after `npm ci` on a machine where nothing can be compiled: better-sqlite3 is there, its addon is not. */
function checkout(place: Place): string {
  const target = place.file('checkout');
  for (const name of readdirSync(ROOT))
    if (!['node_modules', 'dist', '.git'].includes(name))
      cpSync(path.join(ROOT, name), path.join(target, name), { recursive: true });
  mkdirSync(path.join(target, 'node_modules'));
  for (const name of readdirSync(path.join(ROOT, 'node_modules')))
    if (name !== 'better-sqlite3')
      symlinkSync(path.join(ROOT, 'node_modules', name), path.join(target, 'node_modules', name));
  const copy = path.join(target, 'node_modules/better-sqlite3');
  cpSync(path.join(ROOT, 'node_modules/better-sqlite3'), copy, { recursive: true });
  rmSync(path.join(copy, 'build'), { recursive: true, force: true });
  return target;
}

test('a checkout builds and works where better-sqlite3 cannot be compiled', async () => {
  const place = new Place();
  const cwd = checkout(place);
  place.write('bin/make', '#!/bin/sh\nexit 1\n', 0o755); // first on PATH: node-gyp cannot compile
  const prepared = await place.run(process.execPath, ['scripts/prepare.mjs'], { cwd });
  expect(prepared).toMatchObject({ exitCode: 0 });
  if (!process.getBuiltinModule('node:sqlite' as 'node:fs'))
    expect(prepared.stderr).toContain('better-sqlite3 could not be compiled: the local store will use libsql');
  const entry = path.join(cwd, 'bin/unlockos-keys.js');
  const made = await place.tool(['create', 'ci', '--test-mode', '-s', 'plan:read', '-o', 'value'], { entry });
  expect(made).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(KEY_STRING) });
  const checks = JSON.parse((await place.tool(['store', 'check', '--json'], { entry })).stdout) as { detail: string }[];
  expect(checks.map(({ detail }) => detail).join()).toMatch(/\((libsql|node:sqlite)\)/);
  const many = place.file('many.db');
  const make = `import('./bench/make-store.mjs').then(({ makeStore }) => makeStore(${JSON.stringify(many)}, 50))`;
  expect(await place.run(process.execPath, ['-e', make], { cwd })).toMatchObject({ exitCode: 0 }); // so the benchmarks run, too
  const floor = await place.run(process.execPath, ['bench/floor-list.cjs', many], { cwd });
  expect(JSON.parse(floor.stdout)).toHaveLength(20);
});
