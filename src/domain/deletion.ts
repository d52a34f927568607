import type { ApiKey } from './api-key.js';
import type { Creator } from './change.js';

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
