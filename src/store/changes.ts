import { type ApiKey, nameKey } from '../domain/api-key.js';
import { type AuditAction, type AuditBody, keyState, stateDifference } from '../domain/audit.js';
import { KeysError } from '../domain/errors.js';
import type { Changed, Credential, HashMove, NewKey, OnNamesake, Retirement, Stored } from '../domain/key-store.js';
import type { CatalogueScope } from '../domain/scopes.js';
import { credentialDigest, type StoreScheme } from '../domain/secret-hash.js';
import { quoted } from '../domain/text.js';
import type { ReadBack, Write } from './database.js';
import { and, eq } from './drizzle.js';
import { editableColumns, KEY_FIELD_COUNT, keyFromNew, searchText } from './key-row.js';
import { qb, statement, touching } from './query.js';
import { apiKeys, scopes } from './schema.js';
import { credentialById, deleteKey, insertKey, moveHash, setHashScheme } from './statements.js';

// What each change writes, worked out from rows that were read under the same lock. Nothing here runs anything.

/** The part of an audit row that a change supplies; who, when and why come with the change as a whole. */
export type Draft = Pick<AuditBody, 'action' | 'keyId' | 'keyName' | 'before' | 'after'>;

export interface Planned<T> {
  readonly writes: readonly Write[];
  /** None: nothing is written at all. */
  readonly drafts: readonly Draft[];
  readonly result: T;
  readonly readBack?: ReadBack | undefined;
}

/** A key as the audit log sees it. */
export function stateOf({ key, hash, guard }: Pick<Credential, 'key' | 'hash' | 'guard'>) {
  return keyState(key, credentialDigest(hash, guard));
}

export function nothing<T>(result: T): Planned<T> {
  return { writes: [], drafts: [], result };
}

export function nameTaken(name: string): KeysError {
  return new KeysError(
    'name_taken',
    `a key named ${quoted(name)} exists`,
    `choose another name, or see it: unlockos-keys show ${/^[\w.-]+$/.test(name) ? name : quoted(name)}`,
  );
}

export function planDelete(found: Credential): Planned<ApiKey> {
  const { key } = found;
  return {
    writes: [touching(1, deleteKey({ id: key.id }))],
    drafts: [{ action: 'key.delete', keyId: key.id, keyName: key.name, before: { ...stateOf(found) }, after: null }],
    result: key,
  };
}

function planInsert(row: NewKey, at: Date): Planned<ApiKey> {
  const key = keyFromNew(row, at);
  const insert = insertKey({
    ...row,
    nameKey: nameKey(row.name),
    scopes: [...row.scopes],
    rateLimit: row.rateLimit.limit,
    rateWindowSeconds: row.rateLimit.windowSeconds,
    expiresAt: row.expiresAt?.getTime() ?? null,
    at: at.getTime(),
    searchText: searchText(row),
    labels: JSON.stringify(row.labels ?? {}),
    rotatedFrom: row.rotatedFrom ?? null,
  });
  const after = { ...stateOf({ key, hash: row.hash, guard: row.guard }) };
  return {
    writes: [touching(1, insert)],
    drafts: [{ action: 'key.create', keyId: key.id, keyName: key.name, before: null, after }],
    result: key,
  };
}

/** Rows are there with the hashes that were written, or `store_unavailable`: what was printed must be what is stored. */
function readBackOf(rows: readonly NewKey[]): ReadBack {
  return {
    statements: rows.map(({ id }) => credentialById({ id })),
    check(found) {
      const missing = rows.find(({ hash }, i) => found[i]?.[0]?.[KEY_FIELD_COUNT] !== hash);
      if (missing)
        throw new KeysError(
          'store_unavailable',
          `key ${missing.id} was written but cannot be read back`,
          'unlockos-keys doctor says more; the key was not handed out',
        );
    },
  };
}

/** New keys, those whose name exists settled by `onNamesake`. Deletions come first: their names are then free. */
export function planCreate(
  newKeys: readonly NewKey[],
  namesakes: readonly Credential[],
  at: Date,
  onNamesake: OnNamesake = () => 'refuse',
): Planned<Stored[]> {
  const deletions: Planned<ApiKey>[] = [];
  const insertions: Planned<ApiKey>[] = [];
  const made: NewKey[] = [];
  const result = newKeys.map((wanted): Stored => {
    const existing = namesakes.find(({ key }) => nameKey(key.name) === nameKey(wanted.name));
    const settled = existing && onNamesake(existing.key, wanted);
    if (settled === 'refuse') throw nameTaken(existing?.key.name ?? wanted.name);
    if (existing && settled === 'keep') return { key: existing.key, created: false, replaced: null };
    if (existing) deletions.push(planDelete(existing));
    const insertion = planInsert(wanted, at);
    insertions.push(insertion);
    made.push(wanted);
    return { key: insertion.result, created: true, replaced: existing?.key ?? null };
  });
  const parts = [...deletions, ...insertions];
  return {
    writes: parts.flatMap(({ writes }) => writes),
    drafts: parts.flatMap(({ drafts }) => drafts),
    result,
    readBack: readBackOf(made),
  };
}

/** A key and the one that takes its place; the name is free for it because the old one is renamed first. */
export function planRotate(
  found: Credential,
  successor: NewKey,
  { name, expiresAt, seen }: Retirement,
  at: Date,
): Planned<{ key: ApiKey; retired: ApiKey }> {
  const { key } = found;
  const isSeen = key.updatedAt.getTime() === seen.updatedAt.getTime() && key.name === seen.name;
  if (!isSeen || key.status !== seen.status || key.rotatedTo !== null)
    throw new KeysError('conflict', `key ${seen.id} was changed meanwhile`, 'run the command again');
  const retired = { ...found.key, name, expiresAt, rotatedTo: successor.id, updatedAt: at };
  const update = planUpdate(found, retired, 'key.rotate');
  const insertion = planInsert({ ...successor, rotatedFrom: seen.id }, at);
  return {
    writes: [...update.writes, ...insertion.writes],
    drafts: [...update.drafts, ...insertion.drafts],
    result: { key: insertion.result, retired },
    readBack: readBackOf([successor]),
  };
}

/** The difference between a key and what it shall become; none is no write. */
export function planUpdate(found: Credential, key: ApiKey, action: AuditAction): Planned<Changed> {
  const { before, after } = stateDifference(stateOf(found), stateOf({ ...found, key }));
  if (Object.keys(after).length === 0) return nothing({ key: found.key, changed: false });
  const update = qb
    .update(apiKeys)
    .set(editableColumns(key))
    .where(
      and(
        eq(apiKeys.id, key.id),
        eq(apiKeys.status, found.key.status),
        eq(apiKeys.updatedAt, found.key.updatedAt.getTime()),
      ),
    );
  return {
    writes: [touching(1, statement(update))],
    drafts: [{ action, keyId: key.id, keyName: key.name, before, after }],
    result: { key, changed: true },
  };
}

/** Other hashes of the same secrets, for the keys that still are as the caller saw them. */
export function planRehash(moves: readonly HashMove[], found: readonly Credential[]): Planned<string[]> {
  const parts = moves.flatMap(({ id, from, to }) => {
    const credential = found.find(({ key }) => key.id === id);
    if (credential?.hash !== from || from === to) return [];
    const { before, after } = stateDifference(stateOf(credential), stateOf({ ...credential, hash: to }));
    const draft: Draft = { action: 'key.rehash', keyId: id, keyName: credential.key.name, before, after };
    return [{ id, write: touching(1, moveHash({ id, from, to })), draft }];
  });
  return {
    writes: parts.map(({ write }) => write),
    drafts: parts.map(({ draft }) => draft),
    result: parts.map(({ id }) => id),
  };
}

export function planHashScheme(
  scheme: StoreScheme,
  before: StoreScheme,
): Planned<{ scheme: StoreScheme; changed: boolean }> {
  if (scheme === before) return nothing({ scheme, changed: false });
  return {
    writes: [touching(1, setHashScheme({ scheme }))],
    drafts: [{ action: 'store.hash', keyId: null, keyName: null, before: { scheme: before }, after: { scheme } }],
    result: { scheme, changed: true },
  };
}

/** A scope behind the last one; a category that exists keeps its label. */
export function planAddScope(
  scope: string,
  categoryLabel: string | null,
  known: readonly CatalogueScope[],
  lastPosition: number,
): Planned<CatalogueScope> {
  if (known.some((entry) => entry.scope === scope))
    throw new KeysError('conflict', `scope ${quoted(scope)} is already in the catalogue`, 'unlockos-keys scopes list');
  const [category = '', action = ''] = scope.split(':');
  const label = known.find((entry) => entry.category === category)?.categoryLabel ?? categoryLabel ?? category;
  const insert = qb
    .insert(scopes)
    .values({ position: lastPosition + 1, scope, category, categoryLabel: label, action });
  return {
    writes: [touching(1, statement(insert))],
    drafts: [{ action: 'scope.add', keyId: null, keyName: null, before: null, after: { scope, categoryLabel: label } }],
    result: { scope, category, categoryLabel: label, action, retired: false },
  };
}

export function planRetireScope(
  scope: string,
  known: readonly CatalogueScope[],
): Planned<{ scope: CatalogueScope; changed: boolean }> {
  const found = known.find((entry) => entry.scope === scope);
  if (!found)
    throw new KeysError('not_found', `scope ${quoted(scope)} is not in the catalogue`, 'unlockos-keys scopes list');
  if (found.retired) return nothing({ scope: found, changed: false });
  const update = qb
    .update(scopes)
    .set({ retired: true })
    .where(and(eq(scopes.scope, scope), eq(scopes.retired, false)));
  return {
    writes: [touching(1, statement(update))],
    drafts: [
      {
        action: 'scope.retire',
        keyId: null,
        keyName: null,
        before: { scope, retired: false },
        after: { scope, retired: true },
      },
    ],
    result: { scope: { ...found, retired: true }, changed: true },
  };
}
