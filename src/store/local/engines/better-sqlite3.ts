import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { moduleUrl } from '../../../files/asset.js';
import type { Engine } from './engine.js';
import { Sqlite3Connection } from './sqlite3-connection.js';

const TRAITS = { plucks: true, readsAnyText: true };

/** The first version of Node on which better-sqlite3 12 aborts. */
const UNSOUND_FROM_NODE = 24;
/** Versions from here on need a newer Node than those on which this engine is chosen, and end the process of an older one. */
const UNSOUND_FROM_VERSION = 13;

function major(version: string): number {
  return Number(/^v?(\d+)/.exec(version)?.[1]);
}

/** The path of the addon; null when none was compiled, or none that is safe on this Node. Reads only package.json. */
function soundAddon(require: NodeJS.Require): string | null {
  if (major(process.version) >= UNSOUND_FROM_NODE) return null;
  try {
    const manifest = require.resolve('better-sqlite3/package.json');
    const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
    if (major(version) >= UNSOUND_FROM_VERSION) return null;
    const addon = path.join(path.dirname(manifest), 'build/Release/better_sqlite3.node');
    return existsSync(addon) ? addon : null;
  } catch {
    return null; // not installed
  }
}

/** Where the header of a database says whether it has a write-ahead log (2) or not (1), for writing and for reading. */
const LOG_VERSIONS = [18, 19] as const;

/** The bytes of a database, for this engine, which is compiled without the names that say `immutable`. In memory there is no log. */
function inMemory(file: string): Buffer {
  const bytes = readFileSync(file);
  for (const at of LOG_VERSIONS) if (at < bytes.length) bytes[at] = 1;
  return bytes;
}

/** Null where better-sqlite3 is not installed, was not compiled, was compiled for another Node, or is not sound on this one. */
export async function load(): Promise<Engine | null> {
  const require = createRequire(moduleUrl());
  const addon = soundAddon(require);
  if (addon === null) return null;
  try {
    require(addon);
  } catch {
    return null; // compiled for another version of Node
  }
  const { default: Database } = await import('better-sqlite3');
  // Loading the addon by its path spares the search through a dozen places that the `bindings` package makes.
  return {
    name: 'better-sqlite3',
    open: (file) => new Sqlite3Connection(new Database(file, { nativeBinding: addon }), TRAITS),
    openStill: (file) => new Sqlite3Connection(new Database(inMemory(file), { nativeBinding: addon }), TRAITS),
  };
}
