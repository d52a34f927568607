import { writeFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type Sqlite from 'better-sqlite3';
import { startImmediate } from '../../../domain/real-time.js';
import { lookFor } from '../../../files/exists.js';
import { type Engine, stillBytes, stillName } from './engine.js';
import { Sqlite3Connection } from './sqlite3-connection.js';

const TRAITS = { plucks: false, readsAnyText: false };

/** Each closed connection keeps two file descriptors until then, of the 1024 that a process has by default. */
const COLLECT_EVERY = 50;
let closed = 0;

/** The names by which files were opened, by device and inode; of the last files only, because it matters only for one that was moved. */
const opened = new Map<string, Set<string>>();
const REMEMBERED = 200;

function identityOf(file: string): string {
  const { dev, ino } = lookFor(file) ?? {};
  return `${dev}:${ino}`;
}

function remember(file: string): void {
  const identity = identityOf(file);
  const names = opened.get(identity) ?? new Set();
  opened.delete(identity);
  opened.set(identity, names.add(file));
  for (const [oldest] of opened) {
    if (opened.size <= REMEMBERED) break;
    opened.delete(oldest);
  }
}

const nextTurn = () => new Promise((resolve) => startImmediate(resolve));

/** libsql ends a connection only when its statements are garbage-collected. */
async function collect(): Promise<void> {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  await nextTurn(); // finalizers run after this turn of the event loop
}

/** Waits for the callers to return, which may still hold a statement. */
async function letGo(): Promise<void> {
  await nextTurn();
  await collect();
}

/** Many short-lived stores leave little garbage. */
async function release(): Promise<void> {
  closed += 1;
  if (closed % COLLECT_EVERY === 0) await collect();
}

/** A closed connection that was not collected would have SQLite look for the log of a moved file beside its old name. */
async function forget(file: string): Promise<void> {
  const names = [...(opened.get(identityOf(file)) ?? [])];
  if (names.some((name) => name !== file)) await collect();
}

/** Null when the package or its binding for this platform is not installed. */
export async function load(): Promise<Engine | null> {
  try {
    const { default: Database } = (await import('libsql')) as unknown as { default: typeof Sqlite };
    const connect = (name: string) => new Sqlite3Connection(new Database(name), TRAITS);
    const open = (file: string) => {
      const connection = connect(file);
      remember(file);
      return connection;
    };
    // Its VACUUM INTO of a file that is only read fails where a table has generated columns.
    const openStill = (file: string) =>
      Object.assign(connect(stillName(file)), { copyInto: (copy: string) => writeFileSync(copy, stillBytes(file)) });
    return { name: 'libsql', open, openStill, release, letGo, forget };
  } catch {
    return null;
  }
}
