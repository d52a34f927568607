import type { ApiKey } from '../domain/api-key.js';
import { whoText } from '../domain/change.js';
import type { Deletion } from '../domain/deletion.js';
import { KeysError } from '../domain/errors.js';
import { exposedKeyString } from '../domain/exposed.js';
import { nameKey } from '../domain/key-name.js';
import { maskedId, readTypedId } from '../domain/key-parts.js';
import type { KeyStore } from '../domain/key-store.js';
import { holdsKeyString, isKeyId, KEY_ID_LENGTH, maskKey } from '../domain/key-string.js';
import { relativeTime } from '../domain/relative-time.js';
import { didYouMean } from '../domain/scopes.js';
import { quoted, safeText } from '../domain/text.js';

const MIN_PREFIX = 4;

/** `key "name" (id)`, as messages name a key. */
export function describeKey({ name, id }: Pick<ApiKey, 'name' | 'id'>): string {
  return `key ${quoted(name)} (${id})`;
}

/** The key with this id, or null. */
export async function keyById(store: KeyStore, id: string): Promise<ApiKey | null> {
  const [key = null] = await store.candidates({ id, limit: 1 });
  return key;
}

function candidateLine(key: ApiKey): string {
  return `  ${maskKey(key.mode, key.id)}  ${safeText(key.name)}`;
}

/** The id that `ref` can only mean: a whole id in either case, or the masked form that lists show. */
export function wholeId(ref: string): string | null {
  const id = ref.toLowerCase();
  return isKeyId(id) ? id : maskedId(ref);
}

function ambiguous(ref: string, found: readonly ApiKey[]): KeysError {
  const shown = found.slice(0, 5).map(candidateLine).join('\n');
  return new KeysError(
    'ambiguous',
    `${quoted(ref)} could be ${found.length > 5 ? 'more than 5' : found.length} keys:\n${shown}`,
    'use the whole key id',
  );
}

/** Throws `not_found` for a whole id that a key had once, whatever name another key has: an id never means anything else. */
async function assertNeverAnId(store: KeyStore, id: string, now: Date): Promise<void> {
  const [last] = await store.audit.events({ keyId: id, limit: 1 });
  if (!last) return;
  const [deletion] = await store.deleted.list({ id });
  throw deletion
    ? wasDeleted(deletion, now)
    : new KeysError(
        'not_found',
        last.action === 'key.delete'
          ? `key ${id} was deleted ${relativeTime(new Date(last.at), now)} by ${whoText(last)}`
          : `key ${id} no longer exists`,
        `what became of it: unlockos-keys audit list --key ${id}`,
      );
}

/** The `not_found` for a key that was deleted, and can be restored. */
function wasDeleted({ key, deletedAt, deletedBy }: Deletion, now: Date): KeysError {
  return new KeysError(
    'not_found',
    `${describeKey(key)} was deleted ${relativeTime(deletedAt, now)} by ${whoText(deletedBy)}`,
    `to bring it back, inactive: unlockos-keys restore ${key.id}`,
  );
}

/** A longer log is not searched for a name that no key has, because every row would have to be read. */
const SEARCHED_ROWS = 100_000;

/** The `not_found` for the last key of this name that was deleted; null when there was none, or nobody knows. */
async function deletedNamesake(store: KeyStore, name: string, now: Date): Promise<KeysError | null> {
  const [deletion] = await store.deleted.list({ name });
  if (deletion) return wasDeleted(deletion, now);
  if ((await store.audit.head()).seq > SEARCHED_ROWS) return null;
  const [last] = await store.audit.events({ keyName: name.normalize('NFC'), action: 'key.delete', limit: 1 });
  if (!last) return null;
  return new KeysError(
    'not_found',
    `key ${quoted(name)} (${last.keyId}) was deleted ${relativeTime(new Date(last.at), now)} by ${whoText(last)}`,
    `what became of it: unlockos-keys audit list --key ${last.keyId}`,
  );
}

/** The `not_found` for a key that has this name, in a row in which something else than the tool changed what names are looked up by. */
function withWrongNameKey(key: ApiKey): KeysError {
  return new KeysError(
    'not_found',
    `${describeKey(key)} is not found by its name: its row was changed by something else than unlockos-keys`,
    `use the id ${key.id}; another name mends the row: unlockos-keys edit ${key.id} --name …`,
  );
}

/**
 * The one key that `ref` names: its id, its exact name, the masked form that lists show, or a prefix of its id (4 characters or more). A
 * whole id is always the id, also of a deleted key; a name of that form only counts where no key has or had that id. Throws `usage` for a
 * whole key string (without repeating it), `not_found`, or `ambiguous` with the candidates.
 */
export async function resolveKey(store: KeyStore, ref: string, now: Date): Promise<ApiKey> {
  if (holdsKeyString(ref)) throw exposedKeyString(ref);
  const whole = wholeId(ref);
  const typed = readTypedId(ref);
  const id = whole ?? (isKeyId(typed) ? typed : undefined);
  const prefix =
    !id && typed.length >= MIN_PREFIX && typed.length < KEY_ID_LENGTH && isKeyId(typed.padEnd(KEY_ID_LENGTH, '0'))
      ? typed
      : undefined;
  const found = await store.candidates({ name: ref, limit: 6, ...(id && { id }), ...(prefix && { idPrefix: prefix }) });
  const byId = whole === null ? undefined : found.find((key) => key.id === whole);
  if (byId) return byId;
  const [only] = found;
  if (whole !== null) await assertNeverAnId(store, whole, now);
  if (only && found.length === 1) return only;
  if (found.length > 1) throw ambiguous(ref, found);
  const deleted = await deletedNamesake(store, ref, now);
  if (deleted) throw deleted;
  const { keys } = await store.list({ limit: 500, now: new Date(0) });
  const namesake = keys.find((key) => nameKey(key.name) === nameKey(ref));
  if (namesake) throw withWrongNameKey(namesake);
  const names = keys.map((key) => key.name);
  const guess = didYouMean(ref, names);
  throw new KeysError(
    'not_found',
    `no key ${quoted(ref)}`,
    guess ? `did you mean ${quoted(guess)}?` : 'unlockos-keys list shows all keys',
  );
}

/**
 * The id of the key that had the name `ref` once: deleted since, or renamed. Null when the audit log knows none. Throws `ambiguous` when
 * several had it, with what became of each.
 */
export async function formerKey(store: KeyStore, ref: string): Promise<string | null> {
  const events = await store.audit.events({ keyName: ref.normalize('NFC') });
  const ids = [...new Set(events.flatMap(({ keyId }) => (keyId === null ? [] : [keyId])))];
  const [only = null] = ids;
  if (ids.length <= 1) return only;
  const lines = ids.slice(-5).map((id) => {
    const last = events.findLast((event) => event.keyId === id);
    return `  ${id}  ${last?.action === 'key.delete' ? 'deleted' : 'last named so'} ${last?.at}`;
  });
  throw new KeysError(
    'ambiguous',
    `no key is named ${quoted(ref)} now, and ${ids.length} were${ids.length > 5 ? '; the latest' : ''}:\n${lines.join('\n')}`,
    'use the key id',
  );
}
