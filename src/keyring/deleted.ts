import type { Deletion } from '../domain/deletion.js';
import { KeysError } from '../domain/errors.js';
import { exposedKeyString } from '../domain/exposed.js';
import { nameKey } from '../domain/key-name.js';
import { readTypedId } from '../domain/key-parts.js';
import type { KeyStore } from '../domain/key-store.js';
import { holdsKeyString } from '../domain/key-string.js';
import { relativeTime } from '../domain/relative-time.js';
import { quoted } from '../domain/text.js';
import { describeKey, keyById, wholeId } from './references.js';

const MIN_PREFIX = 4;

/**
 * The deleted key that `ref` names, in the ways that an existing key can be named. Throws `conflict` for a key that exists, `not_found`, or
 * `ambiguous` where several had the name.
 */
export async function resolveDeleted(store: KeyStore, ref: string, now: Date): Promise<Deletion> {
  if (holdsKeyString(ref)) throw exposedKeyString(ref);
  const all = await store.deleted.list();
  const id = wholeId(ref) ?? readTypedId(ref);
  const byId = all.filter(({ key }) => key.id === id);
  const byName = all.filter(({ key }) => nameKey(key.name) === nameKey(ref));
  const byStart = id.length < MIN_PREFIX ? [] : all.filter(({ key }) => key.id.startsWith(id));
  const found = [byId, byName, byStart].find(({ length }) => length > 0) ?? [];
  const [only] = found;
  if (only && found.length === 1) return only;
  if (found.length > 1) {
    const lines = found.slice(0, 5).map(({ key, deletedAt }) => `  ${key.id}  deleted ${relativeTime(deletedAt, now)}`);
    throw new KeysError(
      'ambiguous',
      `${found.length} deleted keys are named ${quoted(ref)}:\n${lines.join('\n')}`,
      'use the whole key id',
    );
  }
  const present = (await keyById(store, id)) ?? (await store.candidates({ name: ref, limit: 1 }))[0];
  if (present)
    throw new KeysError(
      'conflict',
      `${describeKey(present)} is not deleted`,
      `see it: unlockos-keys show ${present.id}`,
    );
  throw new KeysError(
    'not_found',
    `no deleted key ${quoted(ref)} can be restored`,
    'to see those that can: unlockos-keys list --deleted',
  );
}
