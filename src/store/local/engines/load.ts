import { KeysError } from '../../../domain/errors.js';
import { errnoOf } from '../../../files/errno.js';
import { type Engine, type EngineName, LOCAL_ENGINES } from './engine.js';

const LOADERS: Readonly<Record<EngineName, () => Promise<Engine | null>>> = {
  'node:sqlite': async () => (await import('./node-sqlite.js')).load(),
  'better-sqlite3': async () => (await import('./better-sqlite3.js')).load(),
  libsql: async () => (await import('./libsql.js')).load(),
};

/** The engines that work in this process, the preferred one first. Loads each of them. */
export async function workingEngines(): Promise<EngineName[]> {
  const loaded = await Promise.all(LOCAL_ENGINES.map(async (name) => ((await LOADERS[name]()) ? [name] : [])));
  return loaded.flat();
}

/** Loads `wanted`, or else the preferred engine of those that work here. Throws `store_unavailable` when no engine works. */
export async function loadEngine(wanted?: EngineName): Promise<Engine> {
  for (const name of wanted ? [wanted] : LOCAL_ENGINES) {
    const engine = await LOADERS[name]();
    if (engine) return engine;
  }
  throw new KeysError(
    'store_unavailable',
    `no SQLite engine works here (${wanted ?? LOCAL_ENGINES.join(', ')}; Node ${process.version})`,
    addonsAreRefused()
      ? 'Node refuses addons (--no-addons, or its permission model without --allow-addons): allow them, or use Node 22.16 or newer, which has an engine built in'
      : 'use Node 22.16 or newer, which has one built in, or install without --omit=optional',
  );
}

/** Whether this process may load no addon at all; asked by loading none. */
function addonsAreRefused(): boolean {
  try {
    process.dlopen({ exports: {} }, '');
    return false;
  } catch (error) {
    return errnoOf(error) === 'ERR_DLOPEN_DISABLED';
  }
}
