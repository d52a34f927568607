import { type CatalogueScope, didYouMean } from '../domain/scopes.js';
import { MAX_PROBLEMS } from '../yaml/problems.js';

/** The scopes that keys can have once the manifest is applied: those of the catalogue, and those that the manifest adds. */
export class ScopeLookup {
  readonly #catalogue: ReadonlyMap<string, CatalogueScope>;
  readonly #added: ReadonlySet<string>;
  readonly #guesses = new Map<string, string | null>();

  constructor(catalogue: readonly CatalogueScope[], added: readonly string[]) {
    this.#catalogue = new Map(catalogue.map((entry) => [entry.scope, entry]));
    this.#added = new Set(added);
  }

  isInCatalogue(scope: string): boolean {
    return this.#catalogue.has(scope);
  }

  isRetired(scope: string): boolean {
    return this.#catalogue.get(scope)?.retired === true;
  }

  /** True for a scope that a new key can take. */
  isOpen(scope: string): boolean {
    const known = this.#catalogue.get(scope);
    return known ? !known.retired : this.#added.has(scope);
  }

  /** The open scope that was probably meant. Only as many are looked for as messages are shown: each is compared with all scopes. */
  guess(scope: string): string | null {
    const known = this.#guesses.get(scope);
    if (known !== undefined || this.#guesses.size >= MAX_PROBLEMS) return known ?? null;
    const open = [...this.#catalogue.values()].filter(({ retired }) => !retired).map((entry) => entry.scope);
    const guess = didYouMean(scope, [...open, ...this.#added]);
    this.#guesses.set(scope, guess);
    return guess;
  }
}
