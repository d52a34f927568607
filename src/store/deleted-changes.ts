import { type ApiKey, isUndelivered } from '../domain/api-key.js';
import { stateDifference } from '../domain/audit.js';
import type { Credential } from '../domain/credential.js';
import type { DeletedKey, DeleteOptions } from '../domain/deletion.js';
import { KeysError } from '../domain/errors.js';
import { keepMs } from '../domain/policy.js';
import { quoted } from '../domain/text.js';
import { keyColumns, recordOf, secretColumns } from './credential-row.js';
import { dropDeleted, insertDeleted, keepCounts, restoreCounts } from './deleted-writes.js';
import { eq, qb } from './drizzle.js';
import { auditState, type Planned, readBackKey } from './planned.js';
import { affectingRows, statement } from './query.js';
import { apiKeys, keyUsage } from './schema.js';
import { deleteKey } from './statements.js';

// What deleting a key, restoring it and removing it for good write, worked out as in `changes.ts`.

/** What decides how a key is deleted: its row, the time of the database, and how long the policy keeps deleted keys. */
export interface Keeping extends DeleteOptions {
  readonly seq: number;
  readonly now: number;
  readonly keepDeleted: string;
}

/** Until when a deleted key is kept; null for one that nobody could use again. */
function keptUntil(key: ApiKey, { purge, now, keepDeleted }: Keeping): Date | null {
  const ms = keepMs(keepDeleted);
  return purge || ms === 0 || key.damaged || isUndelivered(key) ? null : new Date(now + ms);
}

/** Deletes a key. With `seen`: throws `conflict` if the key was changed or used after that was read. */
export function planDelete(found: Credential, keeping: Keeping, seen?: ApiKey): Planned<DeletedKey> {
  const { key } = found;
  if (seen) assertUnused(key, seen);
  const until = keptUntil(key, keeping);
  const { seq, leaked } = keeping;
  const kept = until && insertDeleted({ seq, id: key.id, keptUntil: until.getTime(), record: recordOf(found) });
  const after = { ...(until && { keptUntil: until.toISOString() }), ...(leaked && { leaked: true }) };
  return {
    writes: [...(kept ? [kept, keepCounts(seq)] : []), affectingRows(1, deleteKey({ id: key.id }))],
    drafts: [
      {
        action: 'key.delete',
        keyId: key.id,
        keyName: key.name,
        before: { ...auditState(found) },
        after: Object.keys(after).length === 0 ? null : after,
      },
    ],
    result: { ...key, keptUntil: until },
    readBack: readBackKey(key.id, null),
  };
}

/** Puts a deleted key back, inactive. Throws `name_taken` when another key has its name by now. */
export function planRestore(
  { seq, credential }: { readonly seq: number; readonly credential: Credential },
  name: string | null,
  namesakes: readonly ApiKey[],
  at: Date,
): Planned<ApiKey> {
  const { id } = credential.key;
  const key: ApiKey = { ...credential.key, name: name ?? credential.key.name, status: 'inactive', updatedAt: at };
  const [other] = namesakes;
  if (other)
    throw new KeysError(
      'name_taken',
      `a key named ${quoted(other.name)} exists (${other.id}), so key ${id} cannot have its name back`,
      `give it another: unlockos-keys restore ${id} --name NEW-NAME`,
    );
  const columns = { seq, ...keyColumns(key), ...secretColumns({ ...credential, key }) };
  const { before, after } = stateDifference(auditState(credential), auditState({ ...credential, key }));
  const used = key.lastUsedAt?.getTime();
  return {
    writes: [
      affectingRows(1, statement(qb.insert(apiKeys).values(columns))),
      ...(used === undefined
        ? []
        : [affectingRows(1, statement(qb.update(keyUsage).set({ lastUsedAt: used }).where(eq(keyUsage.keySeq, seq))))]),
      restoreCounts(seq),
      dropDeleted(id),
    ],
    drafts: [{ action: 'key.restore', keyId: id, keyName: key.name, before, after }],
    result: key,
    readBack: readBackKey(id, { ...credential, key }),
  };
}

/** Removes a deleted key for good. */
export function planPurge({ key }: Credential): Planned<ApiKey> {
  return {
    writes: [dropDeleted(key.id)],
    drafts: [{ action: 'key.purge', keyId: key.id, keyName: key.name, before: null, after: null }],
    result: key,
  };
}

function assertUnused(key: ApiKey, seen: ApiKey): void {
  const times = ({ updatedAt, lastUsedAt }: ApiKey) => `${updatedAt.getTime()} ${lastUsedAt?.getTime()}`;
  if (times(key) !== times(seen) || key.status !== seen.status)
    throw new KeysError(
      'conflict',
      `key ${quoted(seen.name)} (${seen.id}) was changed or used meanwhile and was not deleted`,
      'run the command again to see what it would do now',
    );
}
