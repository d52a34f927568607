import type { ApiKey } from './api-key.js';
import type { Change, Creator } from './change.js';

// Deleted keys, which can be restored for a while.

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

/** How a key is deleted. */
export interface DeleteOptions {
  /** Remove it at once, so that nobody can restore it. */
  readonly purge?: boolean | undefined;
  /** Its key string leaked: whoever restores it is told. */
  readonly leaked?: boolean | undefined;
}

/** The part of a store that is about deleted keys. */
export interface DeletedSide {
  /** The deleted keys that can be restored, the last first; with `where`, those with this id or this name. */
  list(where?: { readonly id?: string; readonly name?: string }): Promise<Deletion[]>;
  /**
   * Makes a deleted key again what it was, but inactive, under `name` if that is given. Throws `not_found` when it cannot be restored,
   * `name_taken`, and `store_corrupt` when it is not as the audit log has it.
   */
  restore(id: string, name: string | null, change: Change): Promise<ApiKey>;
  /** Removes a deleted key for good. Throws `not_found` when there is nothing left of it. */
  purge(id: string, change: Change): Promise<ApiKey>;
  /** Removes deleted keys that are past their time, as each audited change does. Writes no audit row: the log has their time. */
  dropPast(): Promise<void>;
}
