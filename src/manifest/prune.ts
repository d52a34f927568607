import { type ApiKey, statusAt } from '../domain/api-key.js';
import { nameKey } from '../domain/key-name.js';
import type { CatalogueScope } from '../domain/scopes.js';
import { quoted } from '../domain/text.js';
import { type Manifest, OWNER_LABEL } from './manifest.js';
import type { Step } from './steps.js';

/** The steps that remove what the manifest no longer names, and notes about keys that stay. */
export function planPrune(
  manifest: Manifest,
  current: { readonly keys: readonly ApiKey[]; readonly catalogue: readonly CatalogueScope[] },
  now: Date,
): { steps: Step[]; notes: string[] } {
  const { steps, notes } = pruneKeys(manifest, current.keys, now);
  return { steps: [...steps, ...pruneScopes(manifest, current.catalogue)], notes };
}

/** Keys that the manifest owns and no longer names: a working key is disabled, any other is deleted. */
function pruneKeys(
  { keys: entries, name }: Manifest,
  keys: readonly ApiKey[],
  now: Date,
): { steps: Step[]; notes: string[] } {
  const steps: Step[] = [];
  const notes: string[] = [];
  const named = new Set(entries.map((entry) => nameKey(entry.name)));
  for (const key of keys) {
    if (key.labels[OWNER_LABEL] !== name || named.has(nameKey(key.name))) continue;
    const works = statusAt(key, now) === 'active';
    if (works && key.rotatedTo !== null)
      notes.push(
        `${quoted(key.name)} (${key.id}) is not pruned: it was rotated, and works until ${key.expiresAt?.toISOString()}`,
      );
    else if (works) steps.push({ action: 'disable', key, name: key.name, pruned: true });
    else steps.push({ action: 'delete', key });
  }
  return { steps, notes };
}

function pruneScopes({ keys, scopes }: Manifest, catalogue: readonly CatalogueScope[]): Step[] {
  if (scopes === null) return [];
  const listed = new Set([scopes, ...keys.map((key) => key.scopes)].flatMap((all) => all.map(({ scope }) => scope)));
  return catalogue.flatMap(({ scope, retired }): Step[] =>
    retired || listed.has(scope) ? [] : [{ action: 'retire-scope', scope }],
  );
}
