import leven from 'leven';
import { KeysError } from './errors.js';
import { quoted } from './text.js';

/** One entry of the catalogue. A retired scope stays on the keys that hold it; no new key can take it. */
export interface CatalogueScope {
  readonly scope: string;
  readonly category: string;
  readonly categoryLabel: string;
  readonly action: string;
  readonly retired: boolean;
}

const SCOPE = /^[a-z][a-z0-9-]{0,30}:[a-z][a-z0-9-]{0,30}$/;
const EXPANSION = /^([a-z][a-z0-9-]{0,30}):\*$/;

/** Throws `usage` unless `text` has the form `category:action`. Wildcards are not of that form. */
export function assertScopeForm(text: string): void {
  if (!SCOPE.test(text)) {
    throw new KeysError(
      'usage',
      `${quoted(text)} is not a scope`,
      'a scope is category:action in lower-case letters, digits and hyphens, e.g. checkin:read',
    );
  }
}

/** The nearest candidate within two or so typing errors; never acted on, only suggested. */
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

/** Splits repeated and comma-separated flag values, keeping order and dropping empty pieces. */
export function splitList(values: readonly string[]): string[] {
  return values
    .flatMap((value) => value.split(','))
    .map((piece) => piece.trim())
    .filter((piece) => piece !== '');
}

/**
 * Turns what was asked for into the exact scopes that a key will hold, in catalogue order, each once. `checkin:*` stands for the
 * scopes of that category that exist now: it is expanded here and never stored. Throws `usage`, naming every bad piece at once.
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
