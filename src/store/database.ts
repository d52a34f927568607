import type { Authorship } from '../domain/audit.js';
import type { Finding } from '../domain/key-store.js';
import type { Migration } from './migrations.js';

/** One SQL statement with its parameters, as drizzle compiles it. Its text is the key under which a driver keeps it prepared. */
export interface Statement {
  readonly sql: string;
  readonly params: readonly unknown[];
}

/** A statement that changes rows, and how many it must change: anything else undoes the whole write. Null: as many as there are. */
export interface Write extends Statement {
  readonly rows: number | null;
}

export type Rows = readonly (readonly unknown[])[];

/** What must be found again once a write is committed; `check` throws when it is not. */
export interface ReadBack {
  readonly statements: readonly Statement[];
  check(rows: Rows[]): void;
}

/** What a write came to: statements to run, or none, and the answer to give either way. */
export interface WritePlan<T> {
  readonly writes: readonly Write[];
  readonly result: T;
  readonly readBack?: ReadBack | undefined;
}

/** What every engine is opened with. */
export interface EngineOptions {
  /** Make the store when it is not there. */
  readonly create: boolean;
  /** How long to wait for another process's lock, or for one answer of a server, in milliseconds. */
  readonly timeoutMs: number;
  /** Recorded in the first row of a new store's audit log. */
  readonly by: () => Authorship;
  readonly now: () => Date;
  /** For `doctor`: open whatever version is there and change nothing. */
  readonly inspect?: boolean | undefined;
  /** To be filled with a copy of another store: a new one gets no history of its own, and an unfinished one is taken. */
  readonly receive?: boolean | undefined;
  /**
   * False for a process that writes nothing but marks, counters and better hashes: a power cut may then undo its last moments, and a
   * write costs no wait for the disk. Default: true.
   */
  readonly durable?: boolean | undefined;
  /** Other migrations than those that are shipped, for testing upgrades. */
  readonly migrations?: readonly Migration[] | undefined;
}

/**
 * The seam between the one SQL implementation and the engines below it. Each engine supplies a consistent read and an atomic
 * read-then-write; nothing above it opens a transaction.
 */
export interface Database {
  readonly location: string;
  readonly engine: string;
  /** True once this process has made the schema. */
  readonly created: boolean;
  /** True when every read is a round trip, so that asking for more at once is cheaper than asking twice. */
  readonly distant: boolean;
  /** How many statements one write may have. */
  readonly mostWrites: number;

  /** Another number once another connection has changed the database; null where that takes a round trip. */
  version(): number | null;

  /** Runs all reads against one snapshot. `fresh`: what is committed by now, not what a replica has heard of. */
  read(statements: readonly Statement[], options?: { fresh?: boolean }): Promise<Rows[]>;

  /**
   * Runs `reads`, gives their rows to `plan`, and applies what it returns, all or nothing, with no other change in between; then
   * reads back what the plan asks for, as another client would. `plan` must be pure: an engine without interactive transactions
   * calls it again after a conflict, and after a reply that never came.
   */
  write<T>(reads: readonly Statement[], plan: (rows: Rows[]) => WritePlan<T>): Promise<T>;

  /**
   * Runs statements that write and answer rows, as one atomic write that no other plan depends on: counters. Never sent twice, so it
   * rejects where a reply was lost.
   */
  run(statements: readonly Statement[]): Promise<Rows[]>;

  /** Engine-specific health: integrity, permissions, settings, reachability. */
  check(): Promise<Finding[]>;
  backup(file: string): Promise<void>;
  close(): Promise<void>;
}
