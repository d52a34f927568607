import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

/** The name under which SQLite reads a file as it is: it makes nothing beside it, and looks for no change. */
export function stillName(file: string): string {
  return `${pathToFileURL(file).href}?immutable=1`;
}

/** Where the header of a database says whether it has a write-ahead log (2) or not (1), for writing and for reading. */
export const LOG_VERSIONS = [18, 19] as const;

/** The bytes of a database that nobody writes to, as one without a log. */
export function stillBytes(file: string): Buffer {
  const bytes = readFileSync(file);
  for (const at of LOG_VERSIONS) if (at < bytes.length) bytes[at] = 1;
  return bytes;
}

/** A compiled statement. Each is used either to read rows or to write, never for both. */
export interface Prepared {
  /** The rows, each a list of values in the order of its columns. */
  all(...params: readonly unknown[]): unknown[][];
  /** The first value of the first row; undefined when there is no row. */
  value(): unknown;
  /** Runs a statement that returns no rows. Returns the number of rows that it changed. */
  run(...params: readonly unknown[]): number;
}

/** An open connection to a SQLite file, with only what this project needs. */
export interface Connection {
  readonly inTransaction: boolean;
  /** Runs one or more statements without parameters and discards their rows. */
  exec(sql: string): void;
  prepare(sql: string): Prepared;
  /** Fills an empty file with a copy, where VACUUM INTO cannot. */
  copyInto?(file: string): void;
  close(): void;
}

/**
 * A SQLite library. Its errors have SQLite's extended result code by name (`SQLITE_BUSY_SNAPSHOT`) in `code`; `store/errors.ts` reads
 * nothing else.
 */
export interface Engine {
  readonly name: EngineName;
  /** Opens `file`, an absolute path, and creates it when it does not exist. */
  open(file: string): Connection;
  /** Opens a file that nobody writes to, only to read it: without locks, a log or any other file beside it. */
  openStill(file: string): Connection;
  /** Called after a connection was closed, by an engine that does not give up its file descriptors by itself. */
  release?(): Promise<void>;
  /** Has connections that were closed let go of their files now, where an engine does that later by itself. */
  letGo?(): Promise<void>;
  /** Called before a file is opened, by an engine that may still hold it by a name that it had before. */
  forget?(file: string): Promise<void>;
}

/**
 * In order of preference. `node:sqlite` is part of Node (from 22.16 with all that we need) and depends on nothing. better-sqlite3 12
 * is the fastest on Node 20; compiled for Node 24 it aborts the process when the garbage collector runs, so newer versions of Node
 * never load it. libsql ships its binding inside the package and runs everywhere. See docs/decisions/0005-engines.md.
 */
export const LOCAL_ENGINES = ['node:sqlite', 'better-sqlite3', 'libsql'] as const;
export type EngineName = (typeof LOCAL_ENGINES)[number];
