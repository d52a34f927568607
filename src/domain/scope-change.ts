import { type Check, shape, text, texts } from './checks.js';
import { KeysError } from './errors.js';
import { isKeyId } from './key-string.js';
import { assertScopeForm, type CatalogueScope, didYouMean, resolveScopes } from './scopes.js';
import { quoted } from './text.js';

/** How the scopes of a new key differ from those of the key that it was made from. */
export interface ScopeChange {
  /** The id of that key. Its own scopes stay as they are. */
  readonly from: string;
  readonly added: readonly string[];
  readonly dropped: readonly string[];
}

/** Which scopes a new key gets, compared with those of another key. */
export interface ScopeRequest {
  /** All scopes of the new key, in place of those of the other key. */
  readonly scopes?: readonly string[] | undefined;
  /** Scopes that the new key gets besides those of the other key. `category:*` adds the whole category. */
  readonly addScopes?: readonly string[] | undefined;
  /** Scopes of the other key that the new key does not get. `category:*` drops the whole category. */
  readonly dropScopes?: readonly string[] | undefined;
}

/** The key whose scopes are compared. `title` names it in messages. */
interface Base {
  readonly title: string;
  readonly scopes: readonly string[];
}

/** True for scopes that another key's scopes are the base of. */
export function isRelative({ addScopes, dropScopes }: ScopeRequest): boolean {
  return addScopes !== undefined || dropScopes !== undefined;
}

/** The scopes of the base key that `piece` names: one scope, or those of a category. Throws when the base key has none of them. */
function droppedBy(piece: string, { title, scopes }: Base): string[] {
  const category = piece.endsWith(':*') ? piece.slice(0, -1) : null;
  const found = scopes.filter((scope) => (category === null ? scope === piece : scope.startsWith(category)));
  if (found.length > 0) return found;
  const guess = didYouMean(piece, scopes);
  throw new KeysError(
    'not_found',
    `${title} has no scope ${quoted(piece)} to drop${guess === null ? '' : `, did you mean ${guess}?`}`,
    `it has: ${scopes.join(', ')}`,
  );
}

/** Throws `conflict` where nothing that is to be added is new: the caller takes the key for another one. */
function assertGrows(added: readonly string[], { title, scopes }: Base): void {
  if (added.length === 0 || added.some((scope) => !scopes.includes(scope))) return;
  throw new KeysError('conflict', `${title} has ${added.join(', ')} already`, `it has: ${scopes.join(', ')}`);
}

/**
 * The scopes that are asked for, in the order of the catalogue. Those that stay may be retired ones, those that are added may not. Throws
 * `usage` for unknown, retired and contradictory ones, `not_found` for one to drop that is not there, `conflict` for one to add that is, and
 * `missing_input` where none is left.
 */
export function scopesFrom(base: Base, request: ScopeRequest, catalogue: readonly CatalogueScope[]): readonly string[] {
  const { scopes, addScopes = [], dropScopes = [] } = request;
  if (scopes !== undefined) {
    if (isRelative(request))
      throw new KeysError(
        'usage',
        'all scopes are given, and scopes to add or to drop as well',
        'pass either --scope, or --add-scope and --drop-scope',
      );
    const resolved = resolveScopes(scopes, catalogue);
    if (resolved.length > 0) return resolved;
    throw new KeysError(
      'missing_input',
      'a key needs at least one scope',
      'leave --scope out to keep the present ones',
    );
  }
  if (!isRelative(request)) return base.scopes;
  const added = resolveScopes(addScopes, catalogue);
  const dropped = dropScopes.flatMap((piece) => droppedBy(piece, base));
  if (added.length + dropped.length === 0)
    throw new KeysError('missing_input', 'no scope to add or to drop was named', 'e.g. --add-scope plan:read');
  const both = added.find((scope) => dropped.includes(scope));
  if (both !== undefined)
    throw new KeysError('usage', `scope ${quoted(both)} is both added and dropped`, 'name it once');
  assertGrows(added, base);
  const wanted = new Set([...base.scopes.filter((scope) => !dropped.includes(scope)), ...added]);
  if (wanted.size === 0)
    throw new KeysError(
      'missing_input',
      `${base.title} would be left without a scope, and a key needs at least one`,
      'add another: --add-scope',
    );
  const known = catalogue.map(({ scope }) => scope).filter((scope) => wanted.has(scope));
  return [...known, ...[...wanted].filter((scope) => !known.includes(scope))];
}

/** What the scopes of a new key differ in from those of the key with the id `from`; null where they are the same. */
export function scopeChange(from: string, before: readonly string[], after: readonly string[]): ScopeChange | null {
  const added = after.filter((scope) => !before.includes(scope));
  const dropped = before.filter((scope) => !after.includes(scope));
  return added.length + dropped.length === 0 ? null : { from, added, dropped };
}

/** `+ plan:read − checkin:read`. */
export function scopeChangeText({ added, dropped }: Pick<ScopeChange, 'added' | 'dropped'>): string {
  return [...added.map((scope) => `+ ${scope}`), ...dropped.map((scope) => `− ${scope}`)].join(' ');
}

/** For plans that a program can have put together itself. */
export const scopeChangeCheck: Check = (value, at) => {
  if (value === null) return;
  shape<ScopeChange>({ from: text, added: texts, dropped: texts }, ['from', 'added', 'dropped'])(value, at);
  const { from, added, dropped } = value as ScopeChange;
  if (!isKeyId(from)) throw new KeysError('usage', `${at}.from must be a key id`);
  for (const scope of [...added, ...dropped]) assertScopeForm(scope);
};
