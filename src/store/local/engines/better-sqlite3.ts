import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { moduleName } from '../../../files/asset.js';
import { type Engine, stillBytes } from './engine.js';
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

/** Null where better-sqlite3 is not installed, was not compiled, was compiled for another Node, or is not sound on this one. */
export async function load(): Promise<Engine | null> {
  const require = createRequire(moduleName());
  const addon = soundAddon(require);
  if (addon === null) return null;
  const options: { nativeBinding?: string } = {};
  try {
    options.nativeBinding = require(addon); // the addon itself, which its types do not know: `bindings` would search a dozen places for it
    const { default: Database } = await import('better-sqlite3'); // in a try: who bundles an application without it gets no error
    return {
      name: 'better-sqlite3',
      open: (file) => new Sqlite3Connection(new Database(file, options), TRAITS),
      openStill: (file) => new Sqlite3Connection(new Database(stillBytes(file), options), TRAITS),
    };
  } catch {
    return null; // compiled for another version of Node
  }
}
