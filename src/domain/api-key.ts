import type { Mode } from './key-string.js';
import { type Labels, PENDING, PENDING_LABEL } from './labels.js';
import type { RateLimit } from './rate-limit.js';

export type Status = 'active' | 'inactive';
/** The statuses by which keys are listed. `expired` is derived from the time; an inactive key stays inactive when its time runs out. */
export const STATUSES = ['active', 'inactive', 'expired'] as const;
/** What people see. `damaged`: a field of the key cannot be read, so the key is not valid; it can still be disabled, edited and deleted. */
export type DisplayStatus = (typeof STATUSES)[number] | 'damaged';

/** The record of a key. It contains nothing secret: it may be printed, logged and sent anywhere. */
export interface ApiKey {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  readonly mode: Mode;
  readonly scopes: readonly string[];
  readonly status: Status;
  readonly rateLimit: RateLimit;
  readonly expiresAt: Date | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly lastUsedAt: Date | null;
  readonly labels: Labels;
  /** The networks that the key works from, such as `10.0.0.0/8`; empty: it works from everywhere. */
  readonly allowFrom: readonly string[];
  /** The id of the key that this one replaced. That key may have been deleted. */
  readonly rotatedFrom: string | null;
  /** The id of the key that replaces this one. */
  readonly rotatedTo: string | null;
  /** The fields whose stored values cannot be read. Their values here say nothing. Absent for all other keys. */
  readonly damaged?: readonly KeyFieldName[];
}

/** A field that a store keeps of a key. */
export type KeyFieldName = Exclude<keyof ApiKey, 'damaged'>;

/** The fields that an edit may change. The expiry only moves nearer. */
export const EDITABLE_FIELDS = [
  'name',
  'description',
  'rateLimit',
  'expiresAt',
  'labels',
  'allowFrom',
] as const satisfies readonly (keyof ApiKey)[];

/**
 * The fields that a new key may leave out, and that audit logs written before they existed do not mention, with the value that a key
 * then has. A field that is added to {@link ApiKey} is added here too.
 */
export const FIELD_DEFAULTS = {
  labels: {},
  allowFrom: [],
  rotatedFrom: null,
  rotatedTo: null,
} as const satisfies Partial<ApiKey>;

/** The status that people see. A key with `expiresAt` 12:00 has expired at 12:00. */
export function statusAt(key: Pick<ApiKey, 'status' | 'expiresAt' | 'damaged'>, now: Date): DisplayStatus {
  if (key.damaged) return 'damaged';
  if (key.status === 'inactive') return 'inactive';
  return key.expiresAt !== null && key.expiresAt <= now ? 'expired' : 'active';
}

/** True for a key whose key string, as far as anyone can know, was never handed out. */
export function isUndelivered({ labels, lastUsedAt }: Pick<ApiKey, 'labels' | 'lastUsedAt'>): boolean {
  const mark = labels[PENDING_LABEL];
  return lastUsedAt === null && (mark === PENDING || mark?.startsWith(`${PENDING}:`) === true);
}
