import { type ApiKey, EDITABLE_FIELDS, type KeyFieldName, type Status } from '../domain/api-key.js';
import { type AuditAction, stateDifference } from '../domain/audit.js';
import type { Changed } from '../domain/change.js';
import type { Credential } from '../domain/credential.js';
import type { DeletedKey } from '../domain/deletion.js';
import { KeysError } from '../domain/errors.js';
import { assertNearer } from '../domain/expiry.js';
import { nameKey } from '../domain/key-name.js';
import type { HashMove, KeyPatch, NewKey, OnNamesake, Retirement, Stored } from '../domain/key-store.js';
import { PENDING_LABEL, withoutPending } from '../domain/labels.js';
import { assertLifetime, type StorePolicy } from '../domain/policy.js';
import { scopeChangeText } from '../domain/scope-change.js';
import { quoted } from '../domain/text.js';
import { changingColumns, credentialFromRow, keyColumns, keyFromNew, secretColumns } from './credential-row.js';
import type { ReadBack } from './database.js';
import { planDelete } from './deleted-changes.js';
import { and, eq, qb, type SQL } from './drizzle.js';
import { hashBehind, hashColumn } from './hash-column.js';
import {
  type AuditDraft,
  assertUnchanged,
  auditState,
  changedKey,
  noChange,
  type Planned,
  readBackAll,
  readBackKey,
} from './planned.js';
import { affectingRows, statement } from './query.js';
import { apiKeys } from './schema.js';
import { credentialById, insertKey, moveHash } from './statements.js';

// What each change of keys writes, worked out from rows that were read under the same lock. Nothing here runs a statement.

function nameTaken(name: string): KeysError {
  return new KeysError(
    'name_taken',
    `a key named ${quoted(name)} exists`,
    `choose another name, or see it: unlockos-keys show ${/^[\w.-]+$/.test(name) ? name : quoted(name)}`,
  );
}

/** For the log: how the scopes of a new key differ from those of the key that it was made from. */
function scopeReason({ scopeChange }: NewKey): Pick<AuditDraft, 'reason'> {
  return scopeChange ? { reason: `compared with ${scopeChange.from}: ${scopeChangeText(scopeChange)}` } : {};
}

function planInsert(row: NewKey, policy: StorePolicy, at: Date): Planned<ApiKey> {
  assertLifetime(policy, row, at);
  const { hash, guard } = row;
  const key = keyFromNew(row, at);
  return {
    writes: [affectingRows(1, insertKey({ ...keyColumns(key), ...secretColumns({ key, hash, guard }) }))],
    drafts: [
      {
        action: 'key.create',
        keyId: key.id,
        keyName: key.name,
        before: null,
        after: { ...auditState({ key, hash, guard }) },
        ...scopeReason(row),
      },
    ],
    result: key,
  };
}

/** Checks that the rows hold the hashes that were written, or throws `store_unavailable`: what was printed must be what is stored. */
function readBackOf(rows: readonly NewKey[]): ReadBack {
  return {
    statements: rows.map(({ id }) => credentialById({ id })),
    check(found) {
      const isStored = ({ hash, allowFrom = [] }: NewKey, row: readonly unknown[] | undefined) => {
        const stored = row && credentialFromRow(row);
        return stored?.hash === hash && stored.key.allowFrom.join() === allowFrom.join();
      };
      const missing = rows.find((row, i) => !isStored(row, found[i]?.[0]));
      if (missing)
        throw new KeysError(
          'store_unavailable',
          `key ${missing.id} was written but cannot be read back`,
          'run unlockos-keys doctor; the key string was not handed out',
        );
    },
  };
}

/**
 * Creates keys; where a name exists, `onNamesake` decides. Throws `name_taken` where it refuses. Deletions come first, so that the names
 * are free for the new keys.
 */
export function planCreate(
  newKeys: readonly NewKey[],
  namesakes: readonly (Credential & { readonly seq: number })[],
  { policy, now }: { readonly policy: StorePolicy; readonly now: number },
  at: Date,
  onNamesake: OnNamesake = () => 'refuse',
): Planned<Stored[]> {
  const deletions: Planned<DeletedKey>[] = [];
  const insertions: Planned<ApiKey>[] = [];
  const made: NewKey[] = [];
  const result = newKeys.map((wanted): Stored => {
    const existing = namesakes.find(({ key }) => nameKey(key.name) === nameKey(wanted.name));
    const decision = existing && onNamesake(existing.key, wanted);
    if (decision === 'refuse') throw nameTaken(existing?.key.name ?? wanted.name);
    if (existing && decision === 'keep') return { key: existing.key, created: false, replaced: null };
    if (existing) deletions.push(planDelete(existing, { seq: existing.seq, keepDeleted: policy.keepDeleted, now }));
    const insertion = planInsert(wanted, policy, at);
    insertions.push(insertion);
    made.push(wanted);
    return { key: insertion.result, created: true, replaced: existing?.key ?? null };
  });
  const parts = [...deletions, ...insertions];
  return {
    writes: parts.flatMap(({ writes }) => writes),
    drafts: parts.flatMap(({ drafts }) => drafts),
    result,
    readBack: readBackAll([...deletions.map(({ readBack }) => readBack), readBackOf(made)]),
  };
}

/**
 * Creates `successor` in place of a key. The key is renamed first, so that its name is free. Throws `conflict` if the key is no longer
 * as the rotation was planned from.
 */
export function planRotate(
  found: Credential,
  successor: NewKey,
  { name, expiresAt, seen }: Retirement,
  policy: StorePolicy,
  at: Date,
): Planned<{ key: ApiKey; retired: ApiKey }> {
  const { key } = found;
  assertUnchanged(key, seen);
  if (key.rotatedTo !== null)
    throw new KeysError('conflict', `key ${seen.id} was changed meanwhile`, 'run the command again');
  const update = planUpdate(found, { name, expiresAt, rotatedTo: successor.id, updatedAt: at }, 'key.rotate');
  const retired = update.result.key;
  const insertion = planInsert({ ...successor, rotatedFrom: seen.id }, policy, at);
  return {
    writes: [...update.writes, ...insertion.writes],
    drafts: [...update.drafts.map((draft) => ({ ...draft, ...scopeReason(successor) })), ...insertion.drafts],
    result: { key: insertion.result, retired },
    readBack: readBackAll([update.readBack, readBackOf([successor])]),
  };
}

/** Gives a key the fields of `patch`. Throws `name_taken` when another of `namesakes` has the new name, `conflict` for a later expiry. */
export function planEdit(found: Credential, patch: KeyPatch, namesakes: readonly ApiKey[], at: Date): Planned<Changed> {
  const other = namesakes.find(({ id }) => id !== found.key.id);
  if (other) throw nameTaken(other.name);
  if (patch.expiresAt !== undefined) assertNearer(found.key, patch.expiresAt);
  const given = EDITABLE_FIELDS.filter((field) => patch[field] !== undefined);
  const edited = Object.fromEntries(given.map((field) => [field, patch[field]])) as Partial<ApiKey>;
  return planUpdate(found, { ...edited, updatedAt: at }, 'key.edit');
}

/** Enables or disables a key. */
export function planStatus(
  found: Credential,
  status: Status,
  action: 'key.enable' | 'key.disable',
  at: Date,
): Planned<Changed> {
  if (status === 'active' && found.key.damaged)
    throw new KeysError(
      'conflict',
      `key ${found.key.id} is damaged: its ${found.key.damaged.join(', ')} cannot be read`,
      `it would not be valid: unlockos-keys delete ${found.key.id}`,
    );
  // Whoever enables a key has its key string. Otherwise the labels are not touched: they may be damaged, and stay as they are.
  const delivered = status === 'active' &&
    PENDING_LABEL in found.key.labels && { labels: withoutPending(found.key.labels) };
  return planUpdate(found, { status, ...delivered, updatedAt: at }, action);
}

/** Removes the mark of a key that is not yet handed out from each of these keys. */
export function planSettle(ids: readonly string[], found: readonly Credential[], at: Date): Planned<ApiKey[]> {
  const byId = new Map(found.map((each) => [each.key.id, each]));
  const parts = ids.map((id) => {
    const credential = byId.get(id);
    if (!credential) throw new KeysError('conflict', `key ${id} has been deleted meanwhile`);
    const { key } = credential;
    return planUpdate(credential, { labels: withoutPending(key.labels), updatedAt: at }, 'key.edit');
  });
  return {
    writes: parts.flatMap(({ writes }) => writes),
    drafts: parts.flatMap(({ drafts }) => drafts),
    result: parts.map(({ result }) => result.key),
  };
}

/** Lets a key expire at `at`, unless it had expired by then. */
export function planExpire(found: Credential, at: Date): Planned<Changed> {
  const { key } = found;
  if (key.expiresAt !== null && key.expiresAt <= at && !key.damaged?.includes('expiresAt'))
    return noChange({ key, changed: false });
  return planUpdate(found, { expiresAt: at, updatedAt: at }, 'key.expire');
}

/**
 * Gives a key the values of `change`. Writes nothing when nothing differs. Damaged fields stay as they are, unless they are changed; and where
 * the row is damaged, it counts as the same by its id alone.
 */
function planUpdate(found: Credential, change: Partial<ApiKey>, action: AuditAction): Planned<Changed> {
  const { damaged = [] } = found.key;
  const key = changedKey(found.key, change);
  const { before, after } = stateDifference(auditState(found), auditState({ ...found, key }));
  if (Object.keys(after).length === 0) return noChange({ key: found.key, changed: false });
  const hash = damaged.includes('allowFrom') ? hashBehind(found.hash) : found.hash;
  const same = (field: KeyFieldName, condition: SQL) => (damaged.includes(field) ? undefined : condition);
  const update = qb
    .update(apiKeys)
    .set({ ...changingColumns(key), ...('allowFrom' in after && { hash: hashColumn(key, hash) }) })
    .where(
      and(
        eq(apiKeys.id, key.id),
        same('status', eq(apiKeys.status, found.key.status)),
        same('updatedAt', eq(apiKeys.updatedAt, found.key.updatedAt.getTime())),
      ),
    );
  return {
    writes: [affectingRows(1, statement(update))],
    drafts: [{ action, keyId: key.id, keyName: key.name, before, after }],
    result: { key, changed: true },
    readBack: readBackKey(key.id, { ...found, key, hash: 'allowFrom' in after ? hash : found.hash }),
  };
}

/** Stores other hashes of the same secrets, for the keys whose hash is still `from`. Answers their ids. */
export function planRehash(moves: readonly HashMove[], found: readonly Credential[]): Planned<string[]> {
  const parts = moves.flatMap(({ id, from, to }) => {
    const credential = found.find(({ key }) => key.id === id);
    if (credential?.hash !== from || from === to) return [];
    const { before, after } = stateDifference(auditState(credential), auditState({ ...credential, hash: to }));
    const draft: AuditDraft = { action: 'key.rehash', keyId: id, keyName: credential.key.name, before, after };
    const move = { id, from: hashColumn(credential.key, from), to: hashColumn(credential.key, to) };
    return [{ id, write: affectingRows(1, moveHash(move)), draft }];
  });
  return {
    writes: parts.map(({ write }) => write),
    drafts: parts.map(({ draft }) => draft),
    result: parts.map(({ id }) => id),
  };
}
