import type { ApiKey } from './api-key.js';
import type { AuditHead, AuditRow } from './audit.js';
import type { CatalogueScope } from './scopes.js';
import type { StoreScheme } from './secret-hash.js';

/** A key with all that a store keeps of it; its secret is not among that. */
export interface CopiedKey {
  /** Its place in the order of creation. */
  readonly seq: number;
  readonly key: ApiKey;
  readonly hash: string;
  readonly guard: string;
}

/** A stretch of an audit log, and the keys that it is about as they are now. */
export interface CopyPage {
  readonly rows: readonly AuditRow[];
  readonly keys: readonly CopiedKey[];
  /** Ids that the stretch is about and that no key has any more. */
  readonly gone: readonly string[];
  readonly catalogue: readonly (CatalogueScope & { readonly position: number })[];
  readonly scheme: StoreScheme;
}

/**
 * What a store can do when it is copied, or copied to. Copying walks along the source's audit log: the target's own log tells how far
 * it has come, so a copy that was cut off goes on there, and one that was finished takes in what happened since.
 */
export interface CopySide {
  /** From the source: the rows after `seq`, at most `limit`. */
  page(seq: number, limit: number): Promise<CopyPage>;
  /** From the source: keys in the order of creation, after `seq`. */
  keys(seq: number, limit: number): Promise<CopiedKey[]>;

  /** Marks the target as unfinished, so that nothing but a copy opens it. Idempotent. */
  begin(): Promise<void>;
  /** Takes a page in, all or nothing. Throws `conflict` unless the target's log ends in `head`. */
  receive(page: CopyPage, head: AuditHead): Promise<void>;
  /** Takes in last-used marks, which no audit row tells of. */
  receiveMarks(keys: readonly CopiedKey[]): Promise<void>;
  /** Takes the mark away. */
  finish(): Promise<void>;
}
