import type { ApiKey, DisplayStatus } from './api-key.js';
import type { AuditAction, AuditBody, AuditHead, AuditRow, Authorship, KeyState } from './audit.js';
import type { CopySide } from './copy.js';
import type { RateDecision } from './gcra.js';
import type { Mode } from './key-string.js';
import type { Labels } from './labels.js';
import type { RateLimit } from './rate-limit.js';
import type { CatalogueScope } from './scopes.js';
import type { StoreScheme } from './secret-hash.js';

export const SORT_FIELDS = ['created', 'name', 'last-used', 'expires'] as const;
export type SortField = (typeof SORT_FIELDS)[number];

export interface ListQuery {
  readonly status?: DisplayStatus | undefined;
  readonly mode?: Mode | undefined;
  /** The key holds every one of these. */
  readonly scopes?: readonly string[] | undefined;
  /** A piece of the name, the description or the id, whatever its case. */
  readonly search?: string | undefined;
  /** The key carries every one of these. */
  readonly labels?: Labels | undefined;
  /** Keys that another replaces, and that have not expired. */
  readonly rotating?: boolean | undefined;
  /** Last used before this instant, or never used and created before it. */
  readonly unusedSince?: Date | undefined;
  /** Active, and expiring after now and up to this instant. */
  readonly expiringBefore?: Date | undefined;
  readonly sort?: SortField | undefined;
  readonly descending?: boolean | undefined;
  /** At most so many keys; all when absent. */
  readonly limit?: number | undefined;
  /** Where the page before ended. */
  readonly cursor?: string | undefined;
  readonly now: Date;
}

export interface KeyPage {
  readonly keys: readonly ApiKey[];
  /** Pass it as `cursor` for the page that follows; null on the last page. Stable: it names a place, not a count. */
  readonly next: string | null;
}

/** What a new row holds besides what the store itself fills in. */
export interface NewKey {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  readonly mode: Mode;
  readonly scopes: readonly string[];
  readonly rateLimit: RateLimit;
  readonly expiresAt: Date | null;
  readonly hash: string;
  readonly guard: string;
  readonly labels?: Labels | undefined;
  readonly rotatedFrom?: string | null | undefined;
}

/**
 * The fields that may be edited. Scopes, mode, id and creation time never change, and an expiry only comes nearer: the database
 * refuses anything else.
 */
export interface KeyPatch {
  readonly name?: string | undefined;
  readonly description?: string | null | undefined;
  readonly rateLimit?: RateLimit | undefined;
  /** All of them, in place of those that there were. */
  readonly labels?: Labels | undefined;
}

export interface Credential {
  readonly key: ApiKey;
  readonly hash: string;
  readonly guard: string;
  /** What the store makes new hashes by; a key with another hash moves over when it is next proven. */
  readonly scheme: StoreScheme;
  /** Its hash is not of that scheme. */
  readonly outdated: boolean;
}

/** A hash of a key that was just proven, by the scheme of the store. */
export interface HashMove {
  readonly id: string;
  readonly from: string;
  readonly to: string;
}

/** What becomes of a key that is rotated. */
export interface Retirement {
  readonly name: string;
  readonly expiresAt: Date;
  /** The key as the rotation was worked out from. */
  readonly seen: ApiKey;
}

/** Who changes something, when, and under which operation id (one id, one change, however often it is sent). */
export interface Change {
  readonly by: Authorship;
  readonly at: Date;
  readonly op: string;
  readonly reason?: string | null | undefined;
}

export interface Changed {
  readonly key: ApiKey;
  /** False when the key already was as asked for: nothing was written. */
  readonly changed: boolean;
}

export interface AuditQuery {
  readonly keyId?: string | undefined;
  readonly actor?: string | undefined;
  readonly action?: AuditAction | undefined;
  readonly since?: Date | undefined;
  readonly limit?: number | undefined;
}

export interface AuditEvent extends AuditBody {
  readonly seq: number;
  readonly op: string;
}

export interface StoredState {
  readonly seq: number;
  readonly id: string;
  readonly state: KeyState;
}

/**
 * What to do with a name that exists. `fail`: refuse. `skip`: keep the key that has it, if it is of the same mode and scopes. `rotate`:
 * delete that key and make another in its place, in one write.
 */
export const IF_EXISTS = ['fail', 'skip', 'rotate'] as const;
export type IfExists = (typeof IF_EXISTS)[number];

/** The answer to one name that exists, found under the lock: refuse it, keep the key that has it, or put the new key in its place. */
export type OnNamesake = (existing: ApiKey, wanted: NewKey) => 'refuse' | 'keep' | 'replace';

/** Why a key was disabled that nobody got: such a one may be replaced by a run that is repeated, others that are inactive may not. */
export const UNDELIVERED = 'the key string could not be delivered';

/** What became of one of the keys that `create` was asked for. */
export interface Stored {
  readonly key: ApiKey;
  /** False when a key with this name was kept: nothing was made. */
  readonly created: boolean;
  /** The key that had the name and was deleted for this one. */
  readonly replaced: ApiKey | null;
}

/** What must be known before keys are made, as of one moment. */
export interface Prospect {
  readonly catalogue: readonly CatalogueScope[];
  readonly namesakes: readonly ApiKey[];
  readonly scheme: StoreScheme;
  /** What this operation id has already done. */
  readonly operation: readonly AuditEvent[];
}

/** One line of a health report. */
export interface Finding {
  readonly check: string;
  readonly status: 'ok' | 'warning' | 'failed';
  readonly detail: string;
  readonly hint: string | null;
}

/**
 * What the use cases need of a store. Every change is one atomic write together with its audit row, asserts that it touched exactly
 * one row, and is carried out once per operation id: sent again, it changes nothing and says so. Failures are `KeysError`s with a
 * `store_…` code, `unauthorized`, `not_found`, `name_taken`, `conflict`, or `outcome_unknown` when the store fell silent.
 */
export interface KeyStore {
  /** Where it is: a path or a URL, without credentials. */
  readonly location: string;
  /** True when this process made it. */
  readonly created: boolean;

  /** The keys that `ref` may mean: by exact id, exact name, and prefix of the id (when `idPrefix` is given). At most `limit` of the last. */
  candidates(ref: { id?: string; name?: string; idPrefix?: string; limit: number }): Promise<ApiKey[]>;
  credential(id: string): Promise<Credential | null>;
  list(query: ListQuery): Promise<KeyPage>;

  prospect(names: readonly string[], op: string | null): Promise<Prospect>;
  /** What was done under an operation id, oldest first; empty when nothing was. */
  operation(op: string): Promise<AuditEvent[]>;

  /**
   * All of the keys or none, each read back through a fresh connection. Names that exist are settled by `onNamesake`, under the same
   * lock; without it, or where it refuses, `name_taken` names the first.
   */
  create(keys: readonly NewKey[], change: Change, onNamesake?: OnNamesake): Promise<Stored[]>;
  edit(id: string, patch: KeyPatch, change: Change): Promise<Changed>;
  setStatus(id: string, status: 'active' | 'inactive', change: Change): Promise<Changed>;
  /** With `seen`: only while it is as that says, changed and used by nobody since; throws `conflict` otherwise. */
  delete(id: string, change: Change, seen?: ApiKey): Promise<ApiKey>;
  /**
   * Puts `successor` in the place of key `id`, in one write: it takes the key's name, and the key itself the name and the expiry of
   * `retiring`, each linked to the other. Throws `conflict` when the key is not as `retiring.seen` says any more.
   */
  rotate(
    id: string,
    successor: NewKey,
    retiring: Retirement,
    change: Change,
  ): Promise<{ key: ApiKey; retired: ApiKey }>;
  /** Lets a key expire at `change.at`; `changed` is false for one that had expired by then. */
  expire(id: string, change: Change): Promise<Changed>;

  catalogue(): Promise<CatalogueScope[]>;
  addScope(scope: string, categoryLabel: string | null, change: Change): Promise<CatalogueScope>;
  /** Idempotent: `changed` is false when it was retired before. */
  retireScope(scope: string, change: Change): Promise<{ scope: CatalogueScope; changed: boolean }>;

  hashScheme(): Promise<StoreScheme>;
  /** Idempotent: `changed` is false when it was so before. */
  setHashScheme(scheme: StoreScheme, change: Change): Promise<{ scheme: StoreScheme; changed: boolean }>;
  /** How many keys have which kind of hash: what it begins with, up to its cost or its pepper. */
  hashKinds(): Promise<{ kind: string; keys: number }[]>;
  /** Gives keys another hash of the same secret; those that are not as `from` says any more are passed over. Resolves to the others' ids. */
  rehash(moves: readonly HashMove[], change: Change): Promise<string[]>;

  /**
   * A number that is another one once anybody has changed the store, last-used marks by this very object excepted; null where that
   * cannot be known without asking a server. Costs about a microsecond.
   */
  version(): number | null;
  /** Notes when keys were last used. Marks only move forward; unknown keys are passed over. Leaves no audit row. */
  markUsed(marks: readonly { readonly id: string; readonly at: Date }[]): Promise<void>;

  /**
   * Counts one request against a key's limit, by the database's clock: exact, whatever the number of processes that ask. Sent once: it
   * rejects with a `store_…` code when no answer came, and the request may then have been counted.
   */
  admit(id: string, rateLimit: RateLimit): Promise<RateDecision>;

  /** Newest last. */
  auditEvents(query: AuditQuery): Promise<AuditEvent[]>;
  auditHead(): Promise<AuditHead>;
  /** The raw chain in pages, for verifying: rows after `seq`. */
  auditRows(afterSeq: number, limit: number): Promise<AuditRow[]>;
  /** Keys as the audit log sees them, in pages: rows after `seq`. */
  keyStates(afterSeq: number, limit: number): Promise<StoredState[]>;

  /** Integrity of the file or database, its permissions, its triggers: one finding each. */
  check(): Promise<Finding[]>;
  /** For copying the store, or another into it. */
  readonly copySide: CopySide;
  /** Writes a complete, consistent copy to a new file. */
  backup(file: string): Promise<void>;
  close(): Promise<void>;
}
