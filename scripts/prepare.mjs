// What npm runs after installing in a checkout: compiles better-sqlite3 where this Node uses it, then builds.
//
// better-sqlite3 is only for Node 20 (newer versions have `node:sqlite`), and only a development dependency: a package with an install
// script makes pnpm end every install with an error, and makes `npm ci` fail on a machine without a compiler. Where it cannot be
// compiled here, the local store opens with libsql.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const addon = 'node_modules/better-sqlite3/build/Release/better_sqlite3.node';
const hasNodeSqlite = Boolean(process.getBuiltinModule?.('node:sqlite'));

if (!hasNodeSqlite && existsSync('node_modules/better-sqlite3') && !existsSync(addon)) {
  console.error('Compiling better-sqlite3 for this version of Node (2 to 3 minutes) …');
  const { status } = spawnSync('npm', ['run', 'install'], { cwd: 'node_modules/better-sqlite3', stdio: 'ignore' });
  if (status !== 0 || !existsSync(addon))
    console.error('better-sqlite3 could not be compiled: the local store will use libsql, which is slower');
}
await import('./build.mjs');
