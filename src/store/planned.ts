import type { ApiKey } from '../domain/api-key.js';
import { type AuditBody, canonicalJson, type KeyState, keyState } from '../domain/audit.js';
import type { Credential } from '../domain/credential.js';
import { KeysError } from '../domain/errors.js';
import { credentialDigest } from '../domain/secret-hash.js';
import { quoted } from '../domain/text.js';
import { credentialFromRow } from './credential-row.js';
import type { ReadBack, Write } from './database.js';
import { credentialById } from './statements.js';

// What every change of a key is planned with.

/** The part of an audit row that depends on the change; who and when are the same for all rows of one write, and so is why, unless it says. */
export type AuditDraft = Pick<AuditBody, 'action' | 'keyId' | 'keyName' | 'before' | 'after'> &
  Partial<Pick<AuditBody, 'reason'>>;

/** A change, ready to be written. */
export interface Planned<T> {
  readonly writes: readonly Write[];
  /** The audit rows. A change without audit rows writes nothing. */
  readonly drafts: readonly AuditDraft[];
  /** What the change answers once it is committed. */
  readonly result: T;
  readonly readBack?: ReadBack | undefined;
}

/** A key as the audit log records it; null for what cannot be read. */
export function auditState({ key, hash, guard }: Pick<Credential, 'key' | 'hash' | 'guard'>): KeyState {
  const state = keyState(key, credentialDigest(hash, guard));
  return key.damaged
    ? { ...state, ...Object.fromEntries(unreadable(key, state).map((field) => [field, null])) }
    : state;
}

/** The fields of an audit state that are damaged in the store. */
function unreadable({ damaged = [] }: ApiKey, state: KeyState): string[] {
  return damaged.filter((field) => Object.hasOwn(state, field));
}

/** A key with other values; a damaged field that gets a new value is no longer damaged. */
export function changedKey(key: ApiKey, change: Partial<ApiKey>): ApiKey {
  const { damaged, ...whole } = { ...key, ...change };
  const left = damaged?.filter((field) => !Object.hasOwn(change, field)) ?? [];
  return left.length === 0 ? whole : { ...whole, damaged: left };
}

/** A change that writes nothing. */
export function noChange<T>(result: T): Planned<T> {
  return { writes: [], drafts: [], result };
}

/**
 * Throws `conflict` if the key was changed after `seen` was read. Compares every field but the last use: two changes can fall into the
 * same millisecond.
 */
export function assertUnchanged(key: ApiKey, seen: ApiKey): void {
  const state = ({ lastUsedAt: _, ...fields }: ApiKey) => canonicalJson(JSON.parse(JSON.stringify(fields)));
  if (state(key) !== state(seen))
    throw new KeysError(
      'conflict',
      `key ${quoted(seen.name)} (${seen.id}) was changed meanwhile; nothing was done to it`,
      'run the command again to see what it would do now',
    );
}

/** Checks that a key was stored as it is answered, or is gone (null). */
export function readBackKey(id: string, wanted: Credential | null): ReadBack {
  return {
    statements: [credentialById({ id })],
    check([rows = []]) {
      const [row] = rows;
      const found = row ? credentialFromRow(row) : null;
      const times = (credential: Credential | null) => credential?.key.updatedAt.getTime();
      const state = (credential: Credential | null) => credential && canonicalJson(auditState(credential));
      if (state(found) !== state(wanted) || times(found) !== times(wanted))
        throw new KeysError(
          'store_corrupt',
          `the change of key ${id} was written but cannot be read back`,
          'unlockos-keys audit verify lists what is wrong',
        );
    },
  };
}

/** Several checks as one. */
export function readBackAll(parts: readonly (ReadBack | undefined)[]): ReadBack {
  const all = parts.filter((part) => part !== undefined);
  return {
    statements: all.flatMap(({ statements }) => statements),
    check(rows) {
      let at = 0;
      for (const { statements, check } of all) {
        check(rows.slice(at, at + statements.length));
        at += statements.length;
      }
    },
  };
}
