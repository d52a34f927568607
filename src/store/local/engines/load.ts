import { KeysError } from '../../../domain/errors.js';
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
    'use Node 22.16 or newer, which has one built in, or install without --omit=optional',
  );
}
