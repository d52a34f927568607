import type { ApiKey } from './api-key.js';
import type { AuditHead, AuditRow } from './audit.js';
import type { StorePolicy } from './policy.js';
import type { CatalogueScope } from './scopes.js';
import type { StoreScheme } from './secret-hash.js';
import type { Recording } from './use.js';

/** A key with everything that a store keeps of it. The secret is not kept. */
export interface CopiedKey {
  /** Its place in the order of creation. */
  readonly seq: number;
  readonly key: ApiKey;
  readonly hash: string;
  readonly guard: string;
}

/** A deleted key that can be restored, as it is stored. */
export interface CopiedDeletion {
  readonly seq: number;
  readonly id: string;
  /** In milliseconds since 1970. */
  readonly keptUntil: number;
  /** The key, its hash and its guard tag, as one text. */
  readonly record: string;
}

/** A range of audit rows, and the keys that they are about, all as they were at one moment. */
export interface CopyPage {
  readonly rows: readonly AuditRow[];
  readonly keys: readonly CopiedKey[];
  /** The ids, in these rows, of keys that no longer exist. */
  readonly gone: readonly string[];
  /** Those of them that can be restored. */
  readonly deleted: readonly CopiedDeletion[];
  readonly catalogue: readonly (CatalogueScope & { readonly position: number })[];
  readonly scheme: StoreScheme;
  readonly policy: StorePolicy;
}

/** A count of use as it is stored: the key's place in the order of creation, day, verdict, times, last time, detail. */
export type CopiedCount = readonly [
  seq: number,
  day: number,
  verdict: string,
  times: number,
  lastAt: number,
  detail: string | null,
];

/**
 * What a store can do when it is copied, or copied to. Copying walks along the source's audit log: the target's own log tells how far
 * it has come, so a copy that was cut off goes on there, and one that was finished takes in what happened since.
 */
export interface CopySide {
  /** From the source: the rows after `seq`, at most `limit`. */
  page(seq: number, limit: number): Promise<CopyPage>;
  /** From the source: keys in the order of creation, after `seq`. */
  keys(seq: number, limit: number): Promise<CopiedKey[]>;

  /** Leaves `token` in the target for a moment, for {@link sees} to look for. Leaves no audit row. */
  leaveToken(token: string): Promise<void>;
  /** From the source: whether the token is here, that is, whether source and target are one store under two names. */
  sees(token: string): Promise<boolean>;
  /** Takes the token away. */
  takeToken(): Promise<void>;

  /** Marks the target as unfinished, so that nothing but a copy opens it. Idempotent. */
  begin(): Promise<void>;
  /** Takes a page in, all or nothing. Throws `conflict` unless the target's log ends in `head`. */
  receive(page: CopyPage, head: AuditHead): Promise<void>;
  /** Takes in last-used marks, which no audit row tells of. */
  receiveMarks(keys: readonly CopiedKey[]): Promise<void>;
  /** From the source: counts of use, in order, after that one. None from a store of an earlier schema. */
  counts(after: CopiedCount | null, limit: number): Promise<CopiedCount[]>;
  /** Takes in counts, of which the higher one stays, and when use was recorded. */
  receiveCounts(counts: readonly CopiedCount[], recording: Recording): Promise<void>;
  /** Takes the mark away. Answers false when there was none. */
  finish(): Promise<boolean>;
}
