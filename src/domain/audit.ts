import { createHash } from 'node:crypto';
import type { ApiKey } from './api-key.js';
import type { Labels } from './labels.js';
import { formatRateLimit } from './rate-limit.js';
import { DEFAULT_SCHEME } from './secret-hash.js';

/** Everything that can be done to a store. The list is closed: a row with another action fails `audit verify`. */
export const AUDIT_ACTIONS = [
  'store.create',
  'store.hash',
  'key.create',
  'key.edit',
  'key.enable',
  'key.disable',
  'key.delete',
  'key.rotate',
  'key.expire',
  'key.rehash',
  'scope.add',
  'scope.retire',
] as const;
export type AuditAction = (typeof AUDIT_ACTIONS)[number];

/** Who makes a change: the OS user and host are observed, the actor is only claimed (a flag or a CI system's variable). */
export interface Authorship {
  readonly actor: string | null;
  readonly osUser: string;
  readonly host: string;
  readonly tool: string;
}

/** A key as the audit log sees it: every stored field, and a fingerprint in place of the hash. */
export interface KeyState {
  readonly name: string;
  readonly description: string | null;
  readonly mode: string;
  readonly scopes: readonly string[];
  readonly status: string;
  readonly rateLimit: string;
  readonly expiresAt: string | null;
  readonly createdAt: string;
  readonly credential: string;
  readonly labels: Labels;
  readonly rotatedFrom: string | null;
  readonly rotatedTo: string | null;
}

/** What a row says. Never a secret, a token or a command line. */
export interface AuditBody extends Authorship {
  readonly at: string;
  readonly action: AuditAction;
  readonly keyId: string | null;
  readonly keyName: string | null;
  readonly reason: string | null;
  /** The fields that the change touched, as they were; null when there was nothing before. */
  readonly before: Readonly<Record<string, unknown>> | null;
  readonly after: Readonly<Record<string, unknown>> | null;
}

/** A row of the log: `hash` = SHA-256(prev LF body), so that each row vouches for all rows before it. */
export interface AuditRow {
  readonly seq: number;
  readonly op: string;
  readonly body: string;
  readonly prev: string;
  readonly hash: string;
}

/** A point in the log that can be noted elsewhere, and found again or missed. */
export interface AuditHead {
  readonly seq: number;
  readonly hash: string;
}

/** What the first row of a log follows. */
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

/** JSON with its keys in order, so that equal values are equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(sorted(value));
}

export function chainHash(prev: string, body: string): string {
  return createHash('sha256').update(`${prev}\n${body}`).digest('hex');
}

/** The next rows of the log after `head`, chained. `op` identifies the change as a whole; each row's own op adds its place in it. */
export function appendToChain(head: AuditHead, op: string, bodies: readonly AuditBody[]): AuditRow[] {
  let { seq, hash: prev } = head;
  return bodies.map((body, index) => {
    const text = canonicalJson(body);
    const row = {
      seq: seq + 1,
      op: index === 0 ? op : `${op}/${index}`,
      body: text,
      prev,
      hash: chainHash(prev, text),
    };
    seq = row.seq;
    prev = row.hash;
    return row;
  });
}

export function keyState(key: ApiKey, credential: string): KeyState {
  return {
    name: key.name,
    description: key.description,
    mode: key.mode,
    scopes: key.scopes,
    status: key.status,
    rateLimit: formatRateLimit(key.rateLimit),
    expiresAt: key.expiresAt?.toISOString() ?? null,
    createdAt: key.createdAt.toISOString(),
    credential,
    labels: key.labels,
    rotatedFrom: key.rotatedFrom,
    rotatedTo: key.rotatedTo,
  };
}

/** The fields in which two states differ, each side by itself. */
export function stateDifference<T extends object>(before: T, after: T): { before: Partial<T>; after: Partial<T> } {
  const changed = (Object.keys(after) as (keyof T)[]).filter(
    (field) => canonicalJson(before[field]) !== canonicalJson(after[field]),
  );
  const pick = (state: T) => Object.fromEntries(changed.map((field) => [field, state[field]])) as Partial<T>;
  return { before: pick(before), after: pick(after) };
}

/** Reads `seq:hash`, the form that `audit head` prints; null when it is not of that form. */
export function parseHead(text: string): AuditHead | null {
  const match = /^(0|[1-9]\d{0,14}):([0-9a-f]{64})$/.exec(text);
  return match ? { seq: Number(match[1]), hash: match[2] as string } : null;
}

export function formatHead(head: AuditHead): string {
  return `${head.seq}:${head.hash}`;
}

/** What a key of an older log has in the fields that it does not speak of. */
const LATER_FIELDS = { labels: {}, rotatedFrom: null, rotatedTo: null };

function isBody(value: unknown): value is AuditBody {
  return typeof value === 'object' && value !== null && AUDIT_ACTIONS.includes((value as AuditBody).action);
}

/**
 * Replays a log from its first row: checks the chain, and rebuilds what the keys and the catalogue must look like, so that a row
 * changed behind the log's back is found. Feed rows in order, then compare each key with {@link AuditReplay.checkKey}.
 */
export class AuditReplay {
  readonly problems: string[] = [];
  #head = GENESIS;
  readonly #keys = new Map<string, Record<string, unknown>>();
  readonly #scopes = new Map<string, unknown>();
  #hashScheme: unknown = DEFAULT_SCHEME;

  get head(): AuditHead {
    return this.#head;
  }

  feed(row: AuditRow): void {
    const expected = this.#head.seq + 1;
    if (row.seq !== expected) this.problems.push(`audit row ${expected} is missing (found ${row.seq} in its place)`);
    if (row.prev !== this.#head.hash) this.problems.push(`audit row ${row.seq} does not follow the row before it`);
    if (chainHash(row.prev, row.body) !== row.hash)
      this.problems.push(`audit row ${row.seq} was changed: its hash does not match its text`);
    this.#head = { seq: row.seq, hash: row.hash };
    let body: unknown;
    try {
      body = JSON.parse(row.body);
    } catch {
      body = null;
    }
    if (isBody(body)) this.#apply(row.seq, body);
    else this.problems.push(`audit row ${row.seq} is not an event that this tool knows`);
  }

  #apply(seq: number, body: AuditBody): void {
    const id = body.keyId ?? '';
    const known = this.#keys.get(id);
    switch (body.action) {
      case 'store.create':
        for (const scope of (body.after?.scopes ?? []) as string[]) this.#scopes.set(scope, false);
        break;
      case 'store.hash':
        this.#hashScheme = body.after?.scheme;
        break;
      case 'scope.add':
        this.#scopes.set(String(body.after?.scope), false);
        break;
      case 'scope.retire':
        this.#scopes.set(String(body.after?.scope), true);
        break;
      case 'key.create':
        if (known) this.problems.push(`audit row ${seq} creates key ${id} a second time`);
        this.#keys.set(id, { ...LATER_FIELDS, ...body.after });
        break;
      case 'key.delete':
        if (!known) this.problems.push(`audit row ${seq} deletes key ${id}, which did not exist`);
        this.#keys.delete(id);
        break;
      default:
        if (!known) this.problems.push(`audit row ${seq} changes key ${id}, which did not exist`);
        else Object.assign(known, body.after);
    }
  }

  /** Compares a stored key with what the log says of it. Each key may be checked once; {@link finish} reports those never seen. */
  checkKey(id: string, state: KeyState): void {
    const expected = this.#keys.get(id);
    this.#keys.delete(id);
    if (!expected) {
      this.problems.push(`key ${id} is in the store but not in the audit log`);
      return;
    }
    const fields = Object.keys(state).filter(
      (field) => canonicalJson(expected[field]) !== canonicalJson(state[field as keyof KeyState]),
    );
    if (fields.length > 0) this.problems.push(`key ${id} was changed behind the audit log: ${fields.join(', ')}`);
  }

  checkScope(scope: string, retired: boolean): void {
    if (this.#scopes.get(scope) !== retired)
      this.problems.push(`scope ${scope} is not in the catalogue as the audit log has it`);
    this.#scopes.delete(scope);
  }

  checkHashScheme(scheme: string): void {
    if (this.#hashScheme !== scheme)
      this.problems.push(`the hash scheme is ${scheme}, and by the audit log ${String(this.#hashScheme)}`);
  }

  /** To be called when every key and scope has been checked. */
  finish(): void {
    for (const id of this.#keys.keys()) this.problems.push(`key ${id} is in the audit log but not in the store`);
    for (const scope of this.#scopes.keys())
      this.problems.push(`scope ${scope} is in the audit log but not in the catalogue`);
  }
}
