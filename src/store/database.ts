import type { Authorship } from '../domain/audit.js';
import type { Change } from '../domain/change.js';
import type { Finding, Replacement, SchemaUpgrade } from '../domain/key-store.js';
import type { Migration } from './migrations.js';

/** One SQL statement with its parameters, as drizzle compiles it. An engine caches the prepared statement by its text. */
export interface Statement {
  readonly sql: string;
  readonly params: readonly unknown[];
  /** The most rows that it can return; absent for one that may return any number. */
  readonly most?: number | undefined;
  /** Its rows differ with every read, as those of a clock do, so they cannot tell whether the store has changed. Default: false. */
  readonly volatile?: boolean | undefined;
}

/** A statement that changes rows. `rows`: how many it must change, or else the whole write is undone; null for any number. */
export interface Write extends Statement {
  readonly rows: number | null;
}

/** Result rows, each a list of values in the order of its columns. */
export type Rows = readonly (readonly unknown[])[];

/** What is read once a write is committed; `check` throws when the rows are not as written. */
export interface ReadBack {
  readonly statements: readonly Statement[];
  check(rows: Rows[]): void;
}

/** What a write runs (possibly nothing), and what it returns. */
export interface WritePlan<T> {
  readonly writes: readonly Write[];
  readonly result: T;
  readonly readBack?: ReadBack | undefined;
}

/** What every engine is opened with. */
export interface EngineOptions {
  /** Create the store when it does not exist. */
  readonly create: boolean;
  /** How long to wait for another process's lock, or for one answer of a server. Milliseconds. */
  readonly timeoutMs: number;
  /** Recorded in the first row of a new store's audit log. */
  readonly by: () => Authorship;
  readonly now: () => Date;
  /** For `doctor`: open a store of any version, and change nothing. */
  readonly inspect?: boolean | undefined;
  /** For `store copy`: a new store gets no audit row of its own, and an unfinished copy is accepted. */
  readonly receive?: boolean | undefined;
  /**
   * False for a process that writes only marks, counters and new hashes of the same secrets: a write then does not wait for the disk, and a
   * power cut may undo the last ones. Default: true.
   */
  readonly durable?: boolean | undefined;
  /** Called before an older schema is upgraded, for people to know. */
  readonly onUpgrade?: ((upgrade: SchemaUpgrade) => void) | undefined;
  /**
   * Called when the store makes its caller wait: for an answer as soon as a server is asked, for a lock once it has not come for a second.
   * What it returns is called when the wait is over.
   */
  readonly onWait?: ((what: 'answer' | 'lock') => () => void) | undefined;
  /** Migrations to use in place of the shipped ones, for testing upgrades. */
  readonly migrations?: readonly Migration[] | undefined;
}

/**
 * The seam between the one SQL implementation and the engines below it. Each engine supplies a consistent read and an atomic
 * read-then-write; nothing above it opens a transaction.
 */
export interface Database {
  /** A path or a URL, without credentials. */
  readonly location: string;
  /** For people: what the store runs on. */
  readonly engine: string;
  /** True once this process has created the store. */
  readonly created: boolean;
  /** True when every read is a round trip: reading more at once is then cheaper than reading twice. */
  readonly remote: boolean;
  /** The largest number of statements that one write may have. */
  readonly maxStatements: number;

  /** A number that changes when another connection changes the database; null where asking takes a round trip. */
  version(): number | null;

  /** How often another store took the place of this one, as far as reads have found out; always 0 for a server. */
  replaced(): number;

  /** Runs all reads against one snapshot. `fresh`: includes all that is committed, not only what a replica has received. */
  read(statements: readonly Statement[], options?: { fresh?: boolean }): Promise<Rows[]>;

  /**
   * Runs `reads`, passes their rows to `plan`, and applies what it returns: all or nothing, with no other change in between. Then reads
   * back what the plan asks for, as another client would. `plan` must be pure: an engine without interactive transactions calls it again
   * after a conflict or a lost reply. Throws `conflict` when a statement changed another number of rows than it must, and
   * `outcome_unknown` when nobody can say whether the write was committed. With `wait: false`, an engine whose waiting would stop this
   * thread throws `store_busy` at once while another process holds the lock. With `change: true`, an older schema is upgraded before, and
   * a newer one is refused with `store_newer`; marks and counters do neither.
   */
  write<T>(
    reads: readonly Statement[],
    plan: (rows: Rows[]) => WritePlan<T>,
    options?: { wait?: boolean; change?: boolean },
  ): Promise<T>;

  /**
   * Runs statements that write and return rows, as one atomic write: counters. They are never sent twice, so a lost reply rejects. It does not
   * wait for a lock, as in `write`.
   */
  run(statements: readonly Statement[]): Promise<Rows[]>;

  /** The version of the schema as of the last look; null before the first. Asks nobody. */
  seenVersion(): number | null;

  /** See {@link KeyStore.schema}. */
  schema(): Promise<{ version: number; latest: number }>;
  /** See {@link KeyStore.upgrade}. */
  upgrade(): Promise<SchemaUpgrade | null>;
  /** Checks integrity, permissions, schema and reachability. */
  check(): Promise<Finding[]>;
  /** Writes a complete, consistent copy to a new file. Throws `usage` where the engine cannot. */
  backup(file: string): Promise<void>;
  /** See {@link KeyStore.replace}. */
  replace(file: string, change: Change): Promise<Replacement>;
  close(): Promise<void>;
}
