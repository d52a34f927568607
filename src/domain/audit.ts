import { createHash } from 'node:crypto';
import type { ApiKey } from './api-key.js';
import { formatRateLimit, type RateLimit } from './rate-limit.js';

/** Every change that a store records. `audit verify` reports a row with any other action. */
export const AUDIT_ACTIONS = [
  'store.create',
  'store.hash',
  'store.policy',
  'store.restore',
  'store.upgrade',
  'key.create',
  'key.edit',
  'key.enable',
  'key.disable',
  'key.delete',
  'key.restore',
  'key.purge',
  'key.rotate',
  'key.expire',
  'key.rehash',
  'scope.add',
  'scope.retire',
] as const;
export type AuditAction = (typeof AUDIT_ACTIONS)[number];

/** A job that asked for a change with an ID token, as the provider signed it. */
export interface Proof {
  readonly issuer: string;
  readonly subject: string;
  /** The claims that tell this job from all others, as text. */
  readonly job: Readonly<Record<string, string>>;
}

/**
 * Who made a change. The tool reads the OS user and the host itself; the actor is a claim (from a flag or a variable of the CI system),
 * unless it is `proven`.
 */
export interface Authorship {
  readonly actor: string | null;
  readonly osUser: string;
  readonly host: string;
  readonly tool: string;
  /** What proves the actor. Absent for one that is only claimed. */
  readonly proven?: Proof | undefined;
}

/** The fields of a key that the audit log leaves out: the id, which each row names, and those that change without an audit row. */
type UnrecordedField = 'id' | 'updatedAt' | 'lastUsedAt' | 'damaged';
type Recorded<T> = T extends Date | RateLimit ? string : T;

/** A key as the audit log records it, with a fingerprint instead of the hash. */
export type KeyState = { readonly [F in Exclude<keyof ApiKey, UnrecordedField>]: Recorded<ApiKey[F]> } & {
  readonly credential: string;
};

/** The content of a row. It never holds a secret, a token or a command line. */
export interface AuditBody extends Authorship {
  readonly at: string;
  readonly action: AuditAction;
  readonly keyId: string | null;
  readonly keyName: string | null;
  readonly reason: string | null;
  /** The changed fields before the change; null for something new. */
  readonly before: Readonly<Record<string, unknown>> | null;
  readonly after: Readonly<Record<string, unknown>> | null;
}

/**
 * A row of the log. `hash` is SHA-256(prev LF body), so that each hash covers all rows up to its own. The text of a row repeats the
 * operation id (`op`), which is thus under the hash as well. It did not in 0.1.0: such rows are only at the beginning of a log.
 */
export interface AuditRow {
  readonly seq: number;
  readonly op: string;
  readonly body: string;
  readonly prev: string;
  readonly hash: string;
  /** The columns that do not hold text, and are given as empty. */
  readonly damaged?: readonly string[];
}

/** The last row of a log. Noted somewhere else, it shows later whether the log was cut or rewritten. */
export interface AuditHead {
  readonly seq: number;
  readonly hash: string;
}

/** The head of an empty log: what the first row is chained to. */
export const GENESIS: AuditHead = { seq: 0, hash: '0'.repeat(64) };

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}

/** JSON with sorted keys: equal values give equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(sorted(value));
}

export function chainHash(prev: string, body: string): string {
  return createHash('sha256').update(`${prev}\n${body}`).digest('hex');
}

/**
 * Chains `bodies` to the log after `head`. `op` is the operation id of the whole change; rows after the first add their index to it. `bare`:
 * the texts do not repeat it, as in 0.1.0.
 */
export function appendToChain(
  head: AuditHead,
  op: string,
  bodies: readonly AuditBody[],
  { bare = false } = {},
): AuditRow[] {
  let { seq, hash: prev } = head;
  return bodies.map((body, index) => {
    const id = index === 0 ? op : `${op}/${index}`;
    const text = canonicalJson(bare ? body : { ...body, op: id });
    const row = {
      seq: seq + 1,
      op: id,
      body: text,
      prev,
      hash: chainHash(prev, text),
    };
    seq = row.seq;
    prev = row.hash;
    return row;
  });
}

/** The state of `key` for the audit log. `credential` is the fingerprint of its hash and guard tag. */
export function keyState(key: ApiKey, credential: string): KeyState {
  const { id: _id, updatedAt: _updatedAt, lastUsedAt: _lastUsedAt, damaged: _damaged, ...recorded } = key;
  return {
    ...recorded,
    rateLimit: formatRateLimit(key.rateLimit),
    expiresAt: key.expiresAt?.toISOString() ?? null,
    createdAt: key.createdAt.toISOString(),
    credential,
  };
}

/** The fields that differ between two states, with their values before and after. */
export function stateDifference<T extends object>(before: T, after: T): { before: Partial<T>; after: Partial<T> } {
  const changed = (Object.keys(after) as (keyof T)[]).filter(
    (field) => canonicalJson(before[field]) !== canonicalJson(after[field]),
  );
  const pick = (state: T) => Object.fromEntries(changed.map((field) => [field, state[field]])) as Partial<T>;
  return { before: pick(before), after: pick(after) };
}

/** Parses `seq:hash`, as `audit head` prints it; null for any other text. */
export function parseHead(text: string): AuditHead | null {
  const match = /^(0|[1-9]\d{0,14}):([0-9a-f]{64})$/.exec(text);
  return match ? { seq: Number(match[1]), hash: match[2] as string } : null;
}

export function formatHead(head: AuditHead): string {
  return `${head.seq}:${head.hash}`;
}
