import { nameKey } from './key-name.js';
import { safeText } from './text.js';

// Names that people take for one another, as Unicode Technical Standard 39 finds them: two names look alike when they have the same
// skeleton, in which each character is replaced by the one that it looks like. Case does not count, as it does not in names.

/**
 * A net for names that may look like another: for each place the characters that may stand there, or null for any number of any
 * characters. `longest`: how many characters a name has at most. What it catches must still be compared.
 */
export interface NamePattern {
  readonly places: readonly (readonly string[] | null)[];
  readonly longest: number;
}

/** A name that looks like another. */
export interface Resemblance {
  readonly name: string;
  /** The other name. */
  readonly other: string;
  /** Characters beyond ASCII that only one of them has: `"а" is U+0430 (Cyrillic)`. At most three. */
  readonly characters: readonly string[];
}

/** Marks belong to the character before them: NFC makes one character of both. */
const marks = () => /\p{M}+/gu;
/** Where the table takes characters apart in other ways than by their marks: no pattern is made of these. */
const irregular = () => /^\p{M}|[\u1100-\u11ff]/u;

/** Tells which names look alike. */
export class Lookalikes {
  readonly #table: ReadonlyMap<string, string>;
  readonly #sources = new Map<string, ReadonlyMap<string, ReadonlySet<string>>>();
  #initials: ReadonlyMap<string, readonly [string, string][]> | undefined;

  constructor(table: Readonly<Record<string, string>>) {
    this.#table = new Map(Object.entries(table));
  }

  #mapped(text: string): string {
    const mapped = Array.from(text.normalize('NFD'), (char) => this.#table.get(char) ?? char).join('');
    return mapped.normalize('NFD').toLowerCase();
  }

  /** What it looks like in any case: `I` looks like `l`, and as a small letter it does not. */
  #skeleton(text: string): string {
    return this.#mapped(this.#mapped(text));
  }

  /** The skeletons of a name: as it is written, and in small letters. */
  skeletons(name: string): readonly string[] {
    return [...new Set([this.#skeleton(name), this.#skeleton(nameKey(name))])];
  }

  /** Null for two names that do not look alike, or are the same whatever their case. */
  compare(name: string, other: string): Resemblance | null {
    if (nameKey(name) === nameKey(other)) return null;
    const skeletons = this.skeletons(other);
    if (!this.skeletons(name).some((each) => skeletons.includes(each))) return null;
    const differing = [...onlyIn(name, other), ...onlyIn(other, name)].filter((char) => char > '\x7f');
    return { name, other, characters: differing.slice(0, 3).map(described) };
  }

  /** Patterns for the name keys of all names that look like this one. */
  patterns(name: string): NamePattern[] {
    return this.skeletons(name).map((skeleton) => this.#pattern(skeleton));
  }

  /** Marks are left to the comparison: their order is not that of the characters that they came from. */
  #pattern(skeleton: string): NamePattern {
    const longest = Array.from(skeleton).length;
    if (irregular().test(skeleton)) return { places: [null], longest };
    const bases = skeleton.match(/\P{M}\p{M}*/gu) ?? [];
    const text = bases.map((base) => base.replace(marks(), ''));
    const isMarked = (at: number) => bases[at] !== text[at];
    let covered = 0; // up to where one character may stand for what begins before
    const places = text.map((base, at) => {
      const rest = text.slice(at).join('');
      const here = [...this.#sourcesOf(base)].filter(([look]) => rest.startsWith(look.replace(marks(), '')));
      const isInside = at < covered;
      const ends = here.map(([look]) => at + Array.from(look.replace(marks(), '')).length);
      covered = Math.max(covered, ...ends);
      if (isInside || isMarked(at) || ends.some((end) => isMarked(end - 1))) return null;
      return [base, ...here.flatMap(([, chars]) => [...chars])];
    });
    return { places, longest };
  }

  /** The characters that a name key can have in place of what begins with this in a skeleton, by what they look like. */
  #sourcesOf(initial: string): ReadonlyMap<string, ReadonlySet<string>> {
    const known = this.#sources.get(initial);
    if (known) return known;
    const sources = new Map<string, Set<string>>();
    for (const [char, look] of this.#byInitial().get(initial) ?? []) {
      const whole = this.#mapped(look.toLowerCase());
      const chars = (sources.get(whole) ?? new Set()).add(char.normalize('NFC'));
      sources.set(whole, char === 'σ' ? chars.add('ς') : chars); // the small letter of Σ at the end of a word
    }
    this.#sources.set(initial, sources);
    return sources;
  }

  /** The small letters of the table with what they, or their capitals, look like, by the first character of their skeleton. */
  #byInitial(): ReadonlyMap<string, readonly [char: string, look: string][]> {
    if (this.#initials) return this.#initials;
    const initials = new Map<string, string>();
    const found = new Map<string, [string, string][]>();
    for (const [char, look] of this.#table) {
      const small = char.toLowerCase();
      for (const each of small === char ? [look] : [look, this.#table.get(small) ?? small]) {
        const [first = ''] = each;
        const [initial = ''] = initials.get(first) ?? this.#mapped(first.toLowerCase());
        initials.set(first, initial);
        const group = found.get(initial);
        if (group) group.push([small, each]);
        else found.set(initial, [[small, each]]);
      }
    }
    this.#initials = found;
    return found;
  }
}

let loaded: Promise<Lookalikes> | undefined;

/** Reads the table, at the first call: that takes some milliseconds. */
export async function loadLookalikes(): Promise<Lookalikes> {
  loaded ??= import('./confusables.js').then(({ CONFUSABLES }) => new Lookalikes(CONFUSABLES));
  return loaded;
}

/** The characters that one name has, and another has in neither case. */
function onlyIn(name: string, other: string): string[] {
  const theirs = new Set([...other, ...nameKey(other)]);
  return [...new Set(name)].filter((char) => !theirs.has(char) && !theirs.has(char.toLowerCase()));
}

const SCRIPTS = [
  'Latin',
  'Cyrillic',
  'Greek',
  'Armenian',
  'Hebrew',
  'Arabic',
  'Cherokee',
  'Georgian',
  'Coptic',
] as const;

function described(char: string): string {
  const code = (char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
  const script = SCRIPTS.find((each) => new RegExp(`\\p{Script=${each}}`, 'u').test(char));
  return `"${safeText(char)}" is U+${code}${script ? ` (${script})` : ''}`;
}
