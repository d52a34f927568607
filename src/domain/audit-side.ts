import type { AuditAction, AuditBody, AuditHead, AuditRow, KeyState } from './audit.js';
import type { PolicySettings } from './policy.js';
import type { CatalogueScope } from './scopes.js';

// What is read of the audit log, and what the log is compared with.

/** A deleted key in the form of the audit log. */
export type DeletedState = StoredState & { readonly keptUntil: Date };

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

/** The part of a store that is about its audit log. */
export interface AuditSide {
  /** Newest last. A damaged row is among them, with the action `damaged`. */
  events(query: AuditQuery): Promise<ChainedEvent[]>;
  /**
   * The rows that match and come after one that was read before, oldest first, at most `limit` of them. Throws `anchor_missing` when the log
   * does not contain that row.
   */
  page(after: AuditPosition, query: Omit<AuditQuery, 'limit'>, limit: number): Promise<AuditPage>;
  head(): Promise<AuditHead>;
  /** A page of the raw chain, for verification: the rows after `afterSeq`. */
  rows(afterSeq: number, limit: number): Promise<AuditRow[]>;
  /** A page of the deleted keys that can be restored, as {@link keyStates} of keys. */
  deletedStates(
    afterSeq: number,
    limit: number,
  ): Promise<{ readonly head: AuditHead; readonly deleted: DeletedState[] }>;
  /** A page of keys in the form of the audit log: the rows after `afterSeq`, and the last row of the log, as they were at one moment. */
  keyStates(afterSeq: number, limit: number): Promise<{ readonly head: AuditHead; readonly keys: StoredState[] }>;
  /** The catalogue and the hash scheme, and the last row of the log, as they were at one moment. */
  storedCatalogue(): Promise<StoredCatalogue>;
  /** The audit events of an operation id, oldest first; empty for an unknown id. */
  operation(op: string): Promise<AuditEvent[]>;
}
