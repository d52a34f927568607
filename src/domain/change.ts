import type { ApiKey } from './api-key.js';
import type { AuditHead, Authorship } from './audit.js';
import { safeText } from './text.js';

// Who makes a change, when and why, and what came of it.

/** Who makes a change, when, and its operation id. A change that is sent again with the same id is made once. */
export interface Change {
  readonly by: Authorship;
  readonly at: Date;
  readonly op: string;
  readonly reason?: string | null | undefined;
}

/** Who made something, as the audit log has it. `proven` is set when the actor is more than a claim. */
export type Creator = Pick<Authorship, 'actor' | 'osUser'> & { readonly proven?: unknown };

/** `alice (ops)`: the claimed person and the OS user, or the OS user alone; `github:acme/app … (proven, ops)` for a proven actor. */
export function whoText({ actor, osUser, proven }: Creator): string {
  return safeText(actor === null ? osUser : `${actor} (${proven ? 'proven, ' : ''}${osUser})`);
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

/**
 * The audit reason for a key that was disabled because nobody received its key string. Running the command again may replace such a key,
 * and no other inactive key.
 */
export const UNDELIVERED = 'the key string could not be delivered';
/** The audit reason for removing the mark of a key whose key string was not delivered yet. */
export const DELIVERED = 'the key string was delivered';
