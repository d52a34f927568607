import type { ApiKey, EDITABLE_FIELDS, FIELD_DEFAULTS, Status } from './api-key.js';
import type { AuditHead } from './audit.js';
import type { AuditEvent, AuditSide } from './audit-side.js';
import type { Change, Changed, Creator, LogChange } from './change.js';
import type { CopySide } from './copy.js';
import type { Credential } from './credential.js';
import type { DeletedKey, DeletedSide, DeleteOptions } from './deletion.js';
import type { RateDecision } from './gcra.js';
import type { Exchange, Exchanged, ExchangeRefusal } from './issue.js';
import type { KeyCensus, KeyPage, KnownPage, ListQuery } from './key-query.js';
import type { NamePattern } from './lookalikes.js';
import type { StorePolicy } from './policy.js';
import type { RateLimit } from './rate-limit.js';
import type { ScopeChange } from './scope-change.js';
import type { CatalogueScope } from './scopes.js';
import type { StoreScheme } from './secret-hash.js';
import type { SettingsSide } from './settings-side.js';
import type { UseSide } from './use.js';
import type { WatchSide } from './watch.js';

/** The fields that a store fills in when it creates a key. */
type FilledField = 'damaged' | 'status' | 'createdAt' | 'updatedAt' | 'lastUsedAt' | 'rotatedTo';
type DefaultedField = Exclude<keyof typeof FIELD_DEFAULTS, FilledField>;

/** A key to create: every field that the store does not fill in, plus the hash and guard tag, which {@link ApiKey} leaves out. */
export type NewKey = Omit<ApiKey, FilledField | DefaultedField> & {
  readonly [F in DefaultedField]?: ApiKey[F];
} & {
  /** The hash of the secret, see `domain/secret-hash.ts`. */
  readonly hash: string;
  /** The guard tag: a quick check that a verifier makes before the hash. */
  readonly guard: string;
  /** What the key was made from, where its scopes differ: for the audit log. */
  readonly scopeChange?: ScopeChange | null | undefined;
};

/**
 * New values for editable fields. `labels` replaces all labels. The database refuses changes to scopes, mode, id and creation time, and
 * a later expiry.
 */
export type KeyPatch = { readonly [F in (typeof EDITABLE_FIELDS)[number]]?: ApiKey[F] | undefined };

/** A new hash, made with the store's scheme, for a key that was just verified. */
export interface HashMove {
  readonly id: string;
  readonly from: string;
  readonly to: string;
}

/** The new name and expiry of a key that is rotated. */
export interface Retirement {
  readonly name: string;
  readonly expiresAt: Date;
  /** The key as it was read before the rotation; a conflict when it has changed since. */
  readonly seen: ApiKey;
}

/** An upgrade of a store to a newer schema. */
export interface SchemaUpgrade {
  readonly from: number;
  readonly to: number;
  /** The path of the copy made before the upgrade; null for a store on a server. */
  readonly copy: string | null;
}

/** The result of a replacement: the head of the log, and where the replaced store was kept (null when there was none). */
export interface Replacement {
  readonly head: AuditHead;
  readonly kept: string | null;
}

/**
 * What to do with a name that exists. `fail`: refuse. `skip`: keep the key that has it, if it is of the same mode and scopes. `replace`:
 * delete that key and make another in its place, in one write.
 */
export const IF_EXISTS = ['fail', 'skip', 'replace'] as const;
export type IfExists = (typeof IF_EXISTS)[number];

/** Decides, while the store is locked, about a name that exists: refuse, keep the existing key, or replace it with the new one. */
export type OnNamesake = (existing: ApiKey, wanted: NewKey) => 'refuse' | 'keep' | 'replace';

/** The result for one of the keys that `create` was asked for. */
export interface Stored {
  readonly key: ApiKey;
  /** False when a key with this name was kept: nothing was created. */
  readonly created: boolean;
  /** The key that had the name and was deleted for this one. */
  readonly replaced: ApiKey | null;
}

/** What `create` reads first, in one consistent read. */
export interface Prospect {
  readonly catalogue: readonly CatalogueScope[];
  readonly namesakes: readonly ApiKey[];
  readonly scheme: StoreScheme;
  readonly policy: StorePolicy;
  /** Audit events that this operation id has already. */
  readonly operation: readonly AuditEvent[];
}

/** The result of one check of a store. */
export interface Finding {
  readonly check: string;
  readonly status: 'ok' | 'warning' | 'failed';
  readonly detail: string;
  readonly hint: string | null;
}

/**
 * The store interface. Every change is one atomic write with its audit row. It checks that exactly one row was changed, and it is made
 * once per operation id: sent again, it changes nothing and reports so. Errors are `KeysError`s with a `store_…` code, `unauthorized`,
 * `not_found`, `name_taken`, `conflict`, or `outcome_unknown` when the store did not answer.
 */
export interface KeyStore {
  /** The path or URL, without credentials. */
  readonly location: string;
  /** True when this process created the store. */
  readonly created: boolean;
  /** The changes that were made through this object; null when none was. */
  readonly lastChange: LogChange | null;

  /** The keys that match `ref`: by exact id, by exact name, and at most `limit` by a prefix of the id. */
  candidates(ref: { id?: string; name?: string; idPrefix?: string; limit: number }): Promise<ApiKey[]>;
  credential(id: string): Promise<Credential | null>;
  list(query: ListQuery): Promise<KeyPage>;
  /** {@link list}, with how often those keys were used since a day, and who made them. Of a server, a page is one request. */
  listKnown(query: ListQuery, sinceDay: number): Promise<KnownPage>;
  /** How many keys match, whatever the limit and the cursor. */
  count(query: ListQuery): Promise<number>;
  /** Who made each of these keys, by its id. A key of which the log does not say is left out. */
  creators(ids: readonly string[]): Promise<Map<string, Creator>>;
  /** Counts all keys in one query. */
  census(now: Date): Promise<KeyCensus>;

  prospect(names: readonly string[], op: string | null): Promise<Prospect>;
  /** Id and name of the keys whose names match one of these patterns, at most 1000. */
  namesMatching(patterns: readonly NamePattern[]): Promise<Pick<ApiKey, 'id' | 'name'>[]>;
  /**
   * Creates all of the keys or none, and reads each back through a new connection. `onNamesake` decides about names that exist, under the
   * same lock. Without it, or where it refuses, throws `name_taken` with the first such name.
   */
  create(keys: readonly NewKey[], change: Change, onNamesake?: OnNamesake): Promise<Stored[]>;
  /** Why this exchange would be refused now; null where it would not. Writes nothing. */
  exchangeRefusal(exchange: Exchange): Promise<ExchangeRefusal | null>;
  /** Creates a key for an ID token: once for each token, and within the limits of its rule, however many processes do so at once. */
  exchange(key: NewKey, exchange: Exchange, change: Change): Promise<Exchanged>;
  /** Deletes a key that was made for an ID token and reached nobody, for good: the token may be exchanged again. */
  takeBack(id: string, change: Change): Promise<void>;
  /** With `seen`, throws `conflict` when the key has changed since `seen` was read. */
  edit(id: string, patch: KeyPatch, change: Change, seen?: ApiKey): Promise<Changed>;
  /** `seen` as for {@link edit}. */
  setStatus(id: string, status: Status, change: Change, seen?: ApiKey): Promise<Changed>;
  /**
   * Removes the mark "not delivered yet" from these keys, and returns them as they are then. Throws `conflict` when one of them was
   * deleted.
   */
  settle(ids: readonly string[], change: Change): Promise<ApiKey[]>;
  /**
   * Puts a key out of reach, for as long as the policy keeps it. It is gone at once with `purge`, and when it is damaged or was never handed
   * out. With `seen`, throws `conflict` when the key was changed or used since `seen` was read.
   */
  delete(id: string, change: Change, seen?: ApiKey, options?: DeleteOptions): Promise<DeletedKey>;
  /**
   * Rotates key `id` in one write: `successor` gets its name, and the key itself gets the name and expiry of `retiring`. Each refers to
   * the other. Throws `conflict` when the key has changed since `retiring.seen` was read.
   */
  rotate(
    id: string,
    successor: NewKey,
    retiring: Retirement,
    change: Change,
  ): Promise<{ key: ApiKey; retired: ApiKey }>;
  /** Makes a key expire at `change.at`. `changed` is false when it had expired before. */
  expire(id: string, change: Change): Promise<Changed>;

  /** Replaces hashes by new hashes of the same secrets. Skips keys whose hash is no longer `from`. Returns the ids of the others. */
  rehash(moves: readonly HashMove[], change: Change): Promise<string[]>;

  /**
   * A number that changes whenever anybody changes the store (except for use that was recorded through this object). Null where it
   * cannot be read without asking a server. Takes about a microsecond.
   */
  version(): number | null;
  /** The audit log. */
  readonly audit: AuditSide;
  /** What holds for every key: the catalogue of scopes, the policy, the hash scheme. */
  readonly settings: SettingsSide;
  /** The deleted keys that can be restored. */
  readonly deleted: DeletedSide;
  /** Marks of last use, counts of use and refusals, and who records them. */
  readonly use: UseSide;
  /** For a verifier that keeps credentials of a remote store. */
  readonly watch: WatchSide;

  /**
   * Counts one request against a key's limit, by the database's clock. Exact for any number of processes. Never sent again: when no answer
   * comes, it rejects with a `store_…` code, and the request may have been counted.
   */
  admit(id: string, rateLimit: RateLimit): Promise<RateDecision>;

  /** The version of the store's schema, and the latest that this package knows. */
  schema(): Promise<{ version: number; latest: number }>;
  /**
   * Upgrades an older schema, with an audit row; returns null when the schema is up to date. Every audited change does this first; reading
   * never does. Throws `store_newer`.
   */
  upgrade(): Promise<SchemaUpgrade | null>;

  /** Differences between the keys and the columns and tables derived from them (search text, scope and label indexes). */
  derivedProblems(): Promise<string[]>;
  /** Checks the integrity, permissions and triggers of the file or database: one finding per check. */
  check(): Promise<Finding[]>;
  /** Methods for copying this store, or another store into it. */
  readonly copy: CopySide;
  /** Writes a complete, consistent copy of the store to a new file. */
  backup(file: string): Promise<void>;
  /**
   * Replaces the local store at `file` by a copy of this store, safely while other processes have `file` open, and keeps the replaced file
   * next to it. The last audit row of the copy records this. Throws `usage` when this store is not a local file.
   */
  replace(file: string, change: Change): Promise<Replacement>;
  close(): Promise<void>;
}
