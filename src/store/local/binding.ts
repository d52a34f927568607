import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import type Sqlite from 'better-sqlite3';
import { KeysError } from '../../domain/errors.js';

/**
 * better-sqlite3 compiles or downloads its binding in an install script, which npm no longer runs for `npx` and `-g`; `libsql` offers
 * the same interface and ships its binding inside the package. So the first is optional and the second stands in for it.
 */
export const BINDINGS = ['better-sqlite3', 'libsql'] as const;
export type BindingName = (typeof BINDINGS)[number];

export interface Binding {
  readonly name: BindingName;
  open(file: string): Sqlite.Database;
}

const require = createRequire(import.meta.url);

/** Loading the addon by its path spares the search through a dozen places that the `bindings` package makes. */
async function betterSqlite3(): Promise<Binding | null> {
  let addon: string;
  try {
    addon = path.join(
      path.dirname(require.resolve('better-sqlite3/package.json')),
      'build/Release/better_sqlite3.node',
    );
  } catch {
    return null;
  }
  if (!existsSync(addon)) return null;
  try {
    require(addon);
  } catch {
    return null; // built for another version of Node
  }
  const { default: Database } = await import('better-sqlite3');
  return { name: 'better-sqlite3', open: (file) => new Database(file, { nativeBinding: addon }) };
}

async function libsql(): Promise<Binding | null> {
  try {
    const { default: Database } = (await import('libsql')) as unknown as { default: typeof Sqlite };
    return { name: 'libsql', open: (file) => new Database(file) };
  } catch {
    return null;
  }
}

/** The binding asked for, or the first that is installed. Throws `store_unavailable` when there is none. */
export async function loadBinding(wanted?: BindingName): Promise<Binding> {
  const found =
    (wanted === 'libsql' ? null : await betterSqlite3()) ?? (wanted === 'better-sqlite3' ? null : await libsql());
  if (found) return found;
  throw new KeysError(
    'store_unavailable',
    `no SQLite binding is installed (${wanted ?? BINDINGS.join(' or ')})`,
    'reinstall: npm install -g unlockos-keys',
  );
}
