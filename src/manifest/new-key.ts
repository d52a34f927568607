import { newNameProblem, OTHER_NAME } from '../domain/key-name.js';
import { lifetimeProblem, type StorePolicy } from '../domain/policy.js';
import { quoted } from '../domain/text.js';
import type { ManifestKey, Problem } from './manifest.js';
import type { ScopeLookup } from './scope-lookup.js';

/** Checks the name, the scopes and the expiry that a manifest gives a new key, so that `apply` meets no refusal halfway. */
export class NewKeyChecks {
  readonly #scopes: ScopeLookup;
  readonly #policy: StorePolicy;
  readonly #now: Date;
  readonly #problems: Problem[];

  /** What is wrong is added to `problems`. */
  constructor(scopes: ScopeLookup, policy: StorePolicy, now: Date, problems: Problem[]) {
    this.#scopes = scopes;
    this.#policy = policy;
    this.#now = now;
    this.#problems = problems;
  }

  /** Notes a name that no new key can have. */
  name({ name, place }: ManifestKey): void {
    const what = newNameProblem(name);
    if (what !== null) this.#problems.push({ place, what, advice: OTHER_NAME });
  }

  /** When a key that is created now expires; undefined where the manifest does not say. */
  expiry({ mode, expiry }: ManifestKey): Date | null | undefined {
    const now = this.#now;
    if (!expiry) return undefined;
    const at = 'at' in expiry ? expiry.at : expiry.after === null ? null : new Date(now.getTime() + expiry.after);
    const problem = lifetimeProblem(this.#policy, mode, at, now);
    if (problem !== null)
      this.#problems.push({
        place: expiry.place,
        what: `the key ${problem}`,
        advice: `write ${this.#policy.maxLifetime[mode]} or less, or leave it out`,
      });
    if ('after' in expiry) return at;
    if (expiry.at !== null && expiry.at <= now)
      this.#problems.push({
        place: expiry.place,
        what: `${expiry.at.toISOString()} is in the past, so the new key would not work`,
        advice: 'write a later expiresAt',
      });
    return expiry.at;
  }

  /** Notes each scope that a new key cannot take. */
  scopes({ scopes }: ManifestKey): void {
    for (const { scope, place } of scopes) {
      if (this.#scopes.isOpen(scope)) continue;
      if (this.#scopes.isRetired(scope)) {
        this.#problems.push({
          place,
          what: `scope ${quoted(scope)} is retired, so no new key can have it`,
          advice: 'remove it',
        });
        continue;
      }
      const guess = this.#scopes.guess(scope);
      this.#problems.push({
        place,
        what: `scope ${quoted(scope)} is not in the catalogue${guess ? `, did you mean ${guess}?` : ''}`,
        advice: 'use a scope of the catalogue (unlockos-keys scopes list), or add it under scopes',
      });
    }
  }
}
