import type { ApiKey, STATUSES } from './api-key.js';
import type { Creator } from './change.js';
import type { Mode } from './key-string.js';
import type { Labels } from './labels.js';
import type { Recording, UseTotals } from './use.js';

// Which keys to list and to count.

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

/** A page of keys, with what the store knows beside them. */
export interface KnownPage extends KeyPage {
  /** When the use of keys was recorded, and by which servers. */
  readonly recording: Recording;
  /** How often keys were used and refused, by key id. A key without either may be left out. */
  readonly totals: ReadonlyMap<string, UseTotals>;
  /** Who made the keys, by key id. */
  readonly creators: ReadonlyMap<string, Creator>;
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
