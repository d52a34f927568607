import type { AuditAction, AuditBody, AuditHead, KeyState } from './audit.js';
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
