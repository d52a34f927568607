import type { ApiKey, EDITABLE_FIELDS, FIELD_DEFAULTS, STATUSES, Status } from './api-key.js';
import type { AuditAction, AuditBody, AuditHead, AuditRow, Authorship, KeyState } from './audit.js';
import type { CopySide } from './copy.js';
import type { RateDecision } from './gcra.js';
import type { Exchange, Exchanged, ExchangeRefusal } from './issue.js';
import type { Mode } from './key-string.js';
import type { Labels } from './labels.js';
import type { NamePattern } from './lookalikes.js';
import type { PolicyInput, PolicySettings, StorePolicy } from './policy.js';
import type { RateLimit } from './rate-limit.js';
import type { ScopeChange } from './scope-change.js';
import type { CatalogueScope } from './scopes.js';
import type { StoreScheme } from './secret-hash.js';
import { safeText } from './text.js';
import type { UseSide } from './use.js';

export const SORT_FIELDS = ['created', 'name', 'last-used', 'expires'] as const;
export type SortField = (typeof SORT_FIELDS)[number];

/** Which keys to list: those that meet every condition given. */
export interface ListQuery {
  /** Default: any status. */
  readonly status?: (typeof STATUSES)[number] | undefined;
  readonly mode?: Mode | undefined;
  /** Keys that have all of these scopes. */
  readonly scopes?: readonly string[] | undefined;
  /** Part of the name, the description or the id, whatever its case. */
  readonly search?: string | undefined;
  /** Keys that have all of these labels. */
  readonly labels?: Labels | undefined;
  /** Keys that were rotated and have not expired. */
  readonly rotating?: boolean | undefined;
  /** Keys created before this time and not used since then. */
  readonly unusedSince?: Date | undefined;
  /** Active keys that expire by this time. */
  readonly expiringBefore?: Date | undefined;
  /** Keys without an expiry. */
  readonly neverExpires?: boolean | undefined;
  /** Keys created before this time. */
  readonly createdBefore?: Date | undefined;
  /** Keys that were refused at least this often in 30 days, today included: none where no server counted. */
  readonly refusedAtLeast?: number | undefined;
  /** Keys that were made and never handed out, as far as anyone can know. */
  readonly undelivered?: boolean | undefined;
  readonly sort?: SortField | undefined;
  readonly descending?: boolean | undefined;
  /** The maximum number of keys. Default: all. */
  readonly limit?: number | undefined;
  /** The `next` of the previous page. */
  readonly cursor?: string | undefined;
  readonly now: Date;
}

/** A page of keys. */
export interface KeyPage {
  readonly keys: readonly ApiKey[];
  /** The `cursor` of the next page; null on the last page. It stays valid when keys are added or deleted. */
  readonly next: string | null;
}

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

export interface Credential {
  readonly key: ApiKey;
  readonly hash: string;
  readonly guard: string;
  /** The store's hash scheme; null for one that this version does not know. A key with an older hash gets a new one when it is verified next. */
  readonly scheme: StoreScheme | null;
  /** True when the key's hash was made with another scheme. */
  readonly outdated: boolean;
}

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

/** Who makes a change, when, and its operation id. A change that is sent again with the same id is made once. */
export interface Change {
  readonly by: Authorship;
  readonly at: Date;
  readonly op: string;
  readonly reason?: string | null | undefined;
}

/** A key that was deleted. */
export type DeletedKey = ApiKey & {
  /** Until when it can be restored; null for a key that is gone. */
  readonly keptUntil: Date | null;
};

/** A key that was deleted and can be restored, and how it was deleted. */
export interface Deletion {
  readonly key: ApiKey;
  readonly keptUntil: Date;
  readonly deletedAt: Date;
  readonly deletedBy: Creator;
  readonly reason: string | null;
  /** Its key string leaked. */
  readonly leaked: boolean;
}

/** Who made something, as the audit log has it. `proven` is set when the actor is more than a claim. */
export type Creator = Pick<Authorship, 'actor' | 'osUser'> & { readonly proven?: unknown };

/** `alice (ops)`: the claimed person and the OS user, or the OS user alone; `github:acme/app … (proven, ops)` for a proven actor. */
export function whoText({ actor, osUser, proven }: Creator): string {
  return safeText(actor === null ? osUser : `${actor} (${proven ? 'proven, ' : ''}${osUser})`);
}

/** A deleted key in the form of the audit log. */
export type DeletedState = StoredState & { readonly keptUntil: Date };

/** How a key is deleted. */
export interface DeleteOptions {
  /** Remove it at once, so that nobody can restore it. */
  readonly purge?: boolean | undefined;
  /** Its key string leaked: whoever restores it is told. */
  readonly leaked?: boolean | undefined;
}

/** Where the audit log ended before the first and after the last change that was made here, and the hash of its first row, which no two stores share. */
export interface LogChange {
  readonly birth: string;
  readonly before: AuditHead;
  readonly head: AuditHead;
}

/** A key after a change. */
export interface Changed {
  readonly key: ApiKey;
  /** False when the key was already as requested: nothing was written. */
  readonly changed: boolean;
}

/** Which audit events to list: those that meet every condition given. */
export interface AuditQuery {
  readonly keyId?: string | undefined;
  /** The name that the key had when it was changed, whatever the case of its letters A to Z. */
  readonly keyName?: string | undefined;
  readonly actor?: string | undefined;
  readonly action?: AuditAction | undefined;
  readonly since?: Date | undefined;
  readonly limit?: number | undefined;
}

/** A row of the audit log. */
export interface AuditEvent extends Omit<AuditBody, 'action'> {
  /** `damaged` for a row that cannot be read; its other fields are then empty. */
  readonly action: AuditAction | 'damaged';
  /** Its place in the log, from 1. */
  readonly seq: number;
  /** The operation id, or one derived from it. */
  readonly op: string;
}

/** A row of the audit log with all that its hash covers, so that it can be checked without the store. */
export interface ChainedEvent extends AuditEvent {
  /** The hash of the row before. */
  readonly prev: string;
  /** SHA-256 of `prev`, a line feed, and the text of the row. */
  readonly hash: string;
  /** The text of the row where it is not the sorted JSON of the other fields, because the row is damaged or of another form; else null. */
  readonly body: string | null;
}

/** A row that was read before: where to go on. Without `hash`, any row of this number. */
export interface AuditPosition {
  readonly seq: number;
  readonly hash?: string | undefined;
}

/** The next part of the audit log. */
export interface AuditPage {
  /** The rows that match, oldest first. */
  readonly events: readonly ChainedEvent[];
  /** Where the next page goes on: the last row that was looked at. */
  readonly next: AuditHead;
  /** False when the log ended in `next` at that moment. */
  readonly more: boolean;
}

/** What the audit log must agree with besides the keys, and the last row of the log when it was read. */
export interface StoredCatalogue {
  readonly head: AuditHead;
  readonly catalogue: readonly CatalogueScope[];
  /** The rows of the catalogue that cannot be read, as their number and fields. */
  readonly damaged: readonly string[];
  /** The hash scheme as it is stored, whether or not anybody knows it. */
  readonly scheme: string;
  /** The settings of the policy, likewise. */
  readonly policy: PolicySettings;
}

export interface StoredState {
  readonly seq: number;
  readonly id: string;
  readonly state: KeyState;
  /** The fields of the key that cannot be read. */
  readonly damaged: readonly string[];
}

/**
 * What to do with a name that exists. `fail`: refuse. `skip`: keep the key that has it, if it is of the same mode and scopes. `replace`:
 * delete that key and make another in its place, in one write.
 */
export const IF_EXISTS = ['fail', 'skip', 'replace'] as const;
export type IfExists = (typeof IF_EXISTS)[number];

/** Decides, while the store is locked, about a name that exists: refuse, keep the existing key, or replace it with the new one. */
export type OnNamesake = (existing: ApiKey, wanted: NewKey) => 'refuse' | 'keep' | 'replace';

/**
 * The audit reason for a key that was disabled because nobody received its key string. Running the command again may replace such a key,
 * and no other inactive key.
 */
export const UNDELIVERED = 'the key string could not be delivered';
/** The audit reason for removing the mark of a key whose key string was not delivered yet. */
export const DELIVERED = 'the key string was delivered';

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

/** How many days ahead a census looks for keys that expire. */
export const CENSUS_DAYS = [7, 14, 30] as const;

/** How many keys a store holds, of one mode. */
export interface ModeCensus {
  /** By status. */
  readonly keys: Readonly<Record<(typeof STATUSES)[number], number>>;
  /** Active keys that expire within so many days. */
  readonly expiringWithin: Readonly<Record<(typeof CENSUS_DAYS)[number], number>>;
  /** When the next active key expires; null when none does. */
  readonly nextExpiry: Date | null;
}

/** How many keys a store holds. */
export type KeyCensus = Readonly<Record<Mode, ModeCensus>>;

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

  /** The keys that match `ref`: by exact id, by exact name, and at most `limit` by a prefix of the id. */
  candidates(ref: { id?: string; name?: string; idPrefix?: string; limit: number }): Promise<ApiKey[]>;
  credential(id: string): Promise<Credential | null>;
  list(query: ListQuery): Promise<KeyPage>;
  /** How many keys match, whatever the limit and the cursor. */
  count(query: ListQuery): Promise<number>;
  /** Who made each of these keys, by its id. A key of which the log does not say is left out. */
  creators(ids: readonly string[]): Promise<Map<string, Creator>>;
  /** Counts all keys in one query. */
  census(now: Date): Promise<KeyCensus>;

  prospect(names: readonly string[], op: string | null): Promise<Prospect>;
  /** Id and name of the keys whose names match one of these patterns, at most 1000. */
  namesMatching(patterns: readonly NamePattern[]): Promise<Pick<ApiKey, 'id' | 'name'>[]>;
  /** The audit events of an operation id, oldest first; empty for an unknown id. */
  operation(op: string): Promise<AuditEvent[]>;

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
  /** The deleted keys that can be restored, the last first; with `where`, those with this id or this name. */
  deletions(where?: { readonly id?: string; readonly name?: string }): Promise<Deletion[]>;
  /**
   * Makes a deleted key again what it was, but inactive, under `name` if that is given. Throws `not_found` when it cannot be restored,
   * `name_taken`, and `store_corrupt` when it is not as the audit log has it.
   */
  restore(id: string, name: string | null, change: Change): Promise<ApiKey>;
  /** Removes a deleted key for good. Throws `not_found` when there is nothing left of it. */
  purge(id: string, change: Change): Promise<ApiKey>;
  /** Removes deleted keys that are past their time, as each audited change does. Writes no audit row: the log has their time. */
  dropPast(): Promise<void>;
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

  /** The scopes, without those whose row is damaged. */
  catalogue(): Promise<CatalogueScope[]>;
  addScope(scope: string, categoryLabel: string | null, change: Change): Promise<CatalogueScope>;
  /** `changed` is false when the scope was already retired. */
  retireScope(scope: string, change: Change): Promise<{ scope: CatalogueScope; changed: boolean }>;

  policy(): Promise<StorePolicy>;
  /** The policy as {@link setPolicy} would make it. */
  plannedPolicy(input: PolicyInput): Promise<StorePolicy>;
  /**
   * Changes the policy; what is left out stays. New keys that it does not allow are refused with `guarded`, under the lock of the change.
   * `changed` is false when it was the same. Throws `usage` for values that no policy has.
   */
  setPolicy(input: PolicyInput, change: Change): Promise<{ policy: StorePolicy; changed: boolean }>;

  /** The scheme of new hashes, also one that this version does not know. */
  hashScheme(): Promise<string>;
  /** `changed` is false when the store already used this scheme. */
  setHashScheme(scheme: StoreScheme, change: Change): Promise<{ scheme: StoreScheme; changed: boolean }>;
  /** The number of keys by kind of hash. The kind is the beginning of the hash, up to its cost or pepper id. */
  hashKinds(): Promise<{ kind: string; keys: number }[]>;
  /** Replaces hashes by new hashes of the same secrets. Skips keys whose hash is no longer `from`. Returns the ids of the others. */
  rehash(moves: readonly HashMove[], change: Change): Promise<string[]>;

  /**
   * A number that changes whenever anybody changes the store (except for use that was recorded through this object). Null where it
   * cannot be read without asking a server. Takes about a microsecond.
   */
  version(): number | null;
  /** Marks of last use, counts of use and refusals, and who records them. */
  readonly use: UseSide;

  /**
   * Counts one request against a key's limit, by the database's clock. Exact for any number of processes. Never sent again: when no answer
   * comes, it rejects with a `store_…` code, and the request may have been counted.
   */
  admit(id: string, rateLimit: RateLimit): Promise<RateDecision>;

  /** Newest last. A damaged row is among them, with the action `damaged`. */
  auditEvents(query: AuditQuery): Promise<ChainedEvent[]>;
  /**
   * The rows that match and come after one that was read before, oldest first, at most `limit` of them. Throws `anchor_missing` when the log
   * does not contain that row.
   */
  auditPage(after: AuditPosition, query: Omit<AuditQuery, 'limit'>, limit: number): Promise<AuditPage>;
  auditHead(): Promise<AuditHead>;
  /** The changes that were made through this object; null when none was. */
  readonly lastChange: LogChange | null;
  /** A page of the raw chain, for verification: the rows after `afterSeq`. */
  auditRows(afterSeq: number, limit: number): Promise<AuditRow[]>;
  /** A page of the deleted keys that can be restored, as {@link keyStates} of keys. */
  deletedStates(
    afterSeq: number,
    limit: number,
  ): Promise<{ readonly head: AuditHead; readonly deleted: DeletedState[] }>;
  /** A page of keys in the form of the audit log: the rows after `afterSeq`, and the last row of the log, as they were at one moment. */
  keyStates(afterSeq: number, limit: number): Promise<{ readonly head: AuditHead; readonly keys: StoredState[] }>;
  /** The catalogue and the hash scheme, and the last row of the log, as they were at one moment. */
  storedCatalogue(): Promise<StoredCatalogue>;

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
  readonly copySide: CopySide;
  /** Writes a complete, consistent copy of the store to a new file. */
  backup(file: string): Promise<void>;
  /**
   * Replaces the local store at `file` by a copy of this store, safely while other processes have `file` open, and keeps the replaced file
   * next to it. The last audit row of the copy records this. Throws `usage` when this store is not a local file.
   */
  replace(file: string, change: Change): Promise<Replacement>;
  close(): Promise<void>;
}
