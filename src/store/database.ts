import type { Finding } from '../domain/key-store.js';

/** One SQL statement with its parameters, as drizzle compiles it. Its text is the key under which a driver keeps it prepared. */
export interface Statement {
  readonly sql: string;
  readonly params: readonly unknown[];
}

/** A statement that changes rows, and how many it must change: anything else undoes the whole write. */
export interface Write extends Statement {
  readonly rows: number;
}

export type Rows = readonly (readonly unknown[])[];

/** What a write came to: statements to run, or none, and the answer to give either way. */
export interface WritePlan<T> {
  readonly writes: readonly Write[];
  readonly result: T;
}

/**
 * The seam between the one SQL implementation and the engines below it. Each engine supplies a consistent read and an atomic
 * read-then-write; nothing above it opens a transaction.
 */
export interface Database {
  readonly location: string;
  readonly engine: string;
  readonly created: boolean;

  /** Runs all reads against one snapshot. */
  read(statements: readonly Statement[]): Promise<Rows[]>;

  /**
   * Runs `reads`, gives their rows to `plan`, and applies what it returns, all or nothing, with no other change in between.
   * `plan` must be pure: an engine without interactive transactions may call it again after a conflict.
   */
  write<T>(reads: readonly Statement[], plan: (rows: Rows[]) => WritePlan<T>): Promise<T>;

  /** The same database through a new connection, found by its location, not by a handle that is already open. */
  reopen(): Promise<Database>;

  /** Engine-specific health: integrity, permissions, settings. */
  check(): Promise<Finding[]>;
  backup(file: string): Promise<void>;
  close(): Promise<void>;
}
