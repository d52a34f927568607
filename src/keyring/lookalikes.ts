import { MAX_NAME, mixedScripts, nameKey } from '../domain/key-name.js';
import type { KeyStore } from '../domain/key-store.js';
import { loadLookalikes, type Resemblance } from '../domain/lookalikes.js';
import { quoted } from '../domain/text.js';

/** A name that looks like that of a key. */
export interface Lookalike extends Resemblance {
  /** The id of the key that has the other name; null where the other name is one of those that were asked about. */
  readonly id: string | null;
}

/** As many names are looked for in one query: the pattern of each may be long. */
const NAMES_AT_ONCE = 50;

/** See `Keyring.lookalikes`. One read for 50 names. Texts too long for a name are left out. */
export async function findLookalikes(store: KeyStore, texts: readonly string[]): Promise<Lookalike[]> {
  const names = texts.filter(({ length }) => length <= 4 * MAX_NAME).map((name) => name.normalize('NFC'));
  if (names.length === 0) return [];
  const lookalikes = await loadLookalikes();
  const found: Lookalike[] = [];
  const earlier = new Map<string, string[]>();
  for (let from = 0; from < names.length; from += NAMES_AT_ONCE) {
    const some = names.slice(from, from + NAMES_AT_ONCE);
    const keys = await store.namesMatching(some.flatMap((name) => lookalikes.patterns(name)));
    const taken = new Set(keys.map(({ name }) => nameKey(name)));
    for (const name of some) {
      const skeletons = lookalikes.skeletons(name);
      const given = skeletons.flatMap((each) => earlier.get(each) ?? []).filter((other) => !taken.has(nameKey(other)));
      for (const { id, name: other } of [...keys, ...[...new Set(given)].map((each) => ({ id: null, name: each }))]) {
        const resemblance = lookalikes.compare(name, other);
        if (resemblance) found.push({ ...resemblance, id });
      }
      for (const each of skeletons) earlier.set(each, [...(earlier.get(each) ?? []), name]);
    }
  }
  return found;
}

/**
 * What people should know about names before they take one for another. `except`: the id of the key that has the name already, or had it
 * until now.
 */
export async function nameWarnings(
  keyring: { lookalikes(names: readonly string[]): Promise<Lookalike[]> },
  names: readonly string[],
  except?: string,
): Promise<string[]> {
  const mixed = names.flatMap((name) => {
    const scripts = mixedScripts(name).join(' and ');
    return scripts === '' ? [] : [`the name ${quoted(name)} mixes ${scripts} letters, some of which look alike`];
  });
  const alike = (await keyring.lookalikes(names))
    .filter(({ id }) => id === null || id !== except)
    .map(({ name, other, id, characters }) => {
      const whose = id === null ? quoted(other) : `that of key ${quoted(other)} (${id})`;
      return `the name ${quoted(name)} looks like ${whose}${characters.length === 0 ? '' : `: ${characters.join(', ')}`}`;
    });
  return [...mixed, ...alike];
}
