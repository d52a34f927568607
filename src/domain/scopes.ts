import leven from 'leven';
import { KeysError } from './errors.js';
import { quoted } from './text.js';

/** One entry of the catalogue. Keys that have a retired scope keep it; new keys cannot get it. */
export interface CatalogueScope {
  readonly scope: string;
  readonly category: string;
  readonly categoryLabel: string;
  readonly action: string;
  readonly retired: boolean;
}

const SCOPE = /^[a-z][a-z0-9-]{0,30}:[a-z][a-z0-9-]{0,30}$/;
const EXPANSION = /^([a-z][a-z0-9-]{0,30}):\*$/;

export function isScopeForm(text: string): boolean {
  return SCOPE.test(text);
}

/** Throws `usage` unless `text` has the form `category:action`, without wildcards. */
export function assertScopeForm(text: string): void {
  if (!isScopeForm(text)) {
    throw new KeysError(
      'usage',
      `${quoted(text)} is not a scope`,
      'a scope is category:action in lower-case letters, digits and hyphens, e.g. checkin:read',
    );
  }
}

/** The candidate closest to `text`, within about two typing errors; null when none is. For suggestions only. */
export function didYouMean(text: string, candidates: readonly string[]): string | null {
  if (text.length > 100) return null;
  let best: string | null = null;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const distance = leven(text, candidate);
    if (distance >= bestDistance || distance > Math.max(2, Math.floor(candidate.length / 4))) continue;
    best = candidate;
    bestDistance = distance;
  }
  return best;
}

/** Splits repeated and comma-separated flag values. Keeps their order and drops empty ones. */
export function splitList(values: readonly string[]): string[] {
  return values
    .flatMap((value) => value.split(','))
    .map((piece) => piece.trim())
    .filter((piece) => piece !== '');
}

/**
 * Resolves the requested scopes to the exact scopes of a new key, in catalogue order, each once. `checkin:*` is expanded to the
 * scopes that the category has now; the wildcard itself is never stored. Throws one `usage` error that names every invalid scope.
 */
export function resolveScopes(requested: readonly string[], catalogue: readonly CatalogueScope[]): string[] {
  const open = catalogue.filter((entry) => !entry.retired);
  const names = open.map((entry) => entry.scope);
  const chosen = new Set<string>();
  const problems: string[] = [];
  for (const piece of requested) {
    const category = EXPANSION.exec(piece)?.[1];
    const matches = category
      ? open.filter((entry) => entry.category === category).map((entry) => entry.scope)
      : names.filter((name) => name === piece);
    for (const scope of matches) chosen.add(scope);
    if (matches.length > 0) continue;
    if (catalogue.some((entry) => entry.scope === piece)) {
      problems.push(`scope ${quoted(piece)} is retired`);
      continue;
    }
    const candidates = category ? [...new Set(open.map((entry) => `${entry.category}:*`))] : names;
    const guess = didYouMean(piece, candidates);
    problems.push(`unknown scope ${quoted(piece)}${guess ? `, did you mean ${guess}?` : ''}`);
  }
  if (problems.length > 0) {
    throw new KeysError(
      'usage',
      problems.join('\n'),
      `the catalogue has: ${names.join(', ')} (unlockos-keys scopes list)`,
    );
  }
  return names.filter((name) => chosen.has(name));
}
