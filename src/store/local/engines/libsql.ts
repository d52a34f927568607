import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type Sqlite from 'better-sqlite3';
import { type Engine, stillName } from './engine.js';
import { Sqlite3Connection } from './sqlite3-connection.js';

/** Each closed connection keeps two file descriptors until then, of the 1024 that a process has by default. */
const COLLECT_EVERY = 50;
const { setImmediate } = globalThis; // fake timers of an application's tests would never run it
let closed = 0;

/** libsql ends a connection only when its statements are garbage-collected, and many short-lived stores leave little garbage. */
async function release(): Promise<void> {
  closed += 1;
  if (closed % COLLECT_EVERY !== 0) return;
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  await new Promise((resolve) => setImmediate(resolve)); // finalizers run after this turn of the event loop
}

/** Null when the package or its binding for this platform is not installed. */
export async function load(): Promise<Engine | null> {
  try {
    const { default: Database } = (await import('libsql')) as unknown as { default: typeof Sqlite };
    const open = (file: string) => new Sqlite3Connection(new Database(file), { plucks: false });
    return { name: 'libsql', open, openStill: (file) => open(stillName(file)), release };
  } catch {
    return null;
  }
}
