import { isScopeForm } from '../domain/scopes.js';
import { DAY_MS, type Use } from '../domain/use.js';
import type { Verdict } from '../domain/verdict.js';

/** A refusal that carries its key: the secret was proven. */
export type RefusalVerdict = Exclude<Verdict, { verdict: 'valid' | 'invalid' }>;

/** How many of the missing scopes are named. */
const MAX_SCOPES = 3;

interface Used {
  at: number;
  times: number;
}

interface Refused extends Used {
  verdict: RefusalVerdict;
}

/** What happened on one day. */
interface Page {
  readonly used: Map<string, Used>;
  readonly refused: Map<string, Refused>;
}

const emptyPage = (): Page => ({ used: new Map(), refused: new Map() });

/**
 * What a refusal was about. Which scopes a request needs may come from outside (`POST /verify`): what has not the form of a scope is left out.
 */
function detailOf(verdict: RefusalVerdict): string | null {
  if (verdict.verdict === 'wrong_environment') return verdict.environment;
  if (verdict.verdict === 'wrong_address') return verdict.address === null ? 'address not known' : null; // the store keeps no address
  if (verdict.verdict !== 'missing_scope') return null;
  const scopes = verdict.missingScopes.filter((scope) => typeof scope === 'string' && isScopeForm(scope));
  if (scopes.length === 0) return null;
  const more = scopes.length > MAX_SCOPES ? ` and ${scopes.length - MAX_SCOPES} more` : '';
  return `${scopes.slice(0, MAX_SCOPES).join(', ')}${more}`.slice(0, 200);
}

/** Counts uses and refusals in memory, by key, UTC day and verdict. Every request pays for it. */
export class UsePages {
  #older: Page[] = [];
  #page = emptyPage();
  #dayStart = 0;
  #dayEnd = 0;

  /** How many places are taken. */
  get size(): number {
    return this.#older.reduce((sum, page) => sum + sizeOf(page), sizeOf(this.#page));
  }

  /** True when the key was already in the page. */
  used(keyId: string, at: number): boolean {
    if (at >= this.#dayEnd || at < this.#dayStart) this.#turn(at);
    const known = this.#page.used.get(keyId);
    if (known === undefined) {
      this.#page.used.set(keyId, { at, times: 1 });
      return false;
    }
    known.at = at;
    known.times += 1;
    return true;
  }

  /** True when this refusal of the key was already in the page. */
  refused(verdict: RefusalVerdict, at: number): boolean {
    if (at >= this.#dayEnd || at < this.#dayStart) this.#turn(at);
    const place = `${verdict.key.id} ${verdict.verdict}`;
    const known = this.#page.refused.get(place);
    if (known === undefined) {
      this.#page.refused.set(place, { at, times: 1, verdict });
      return false;
    }
    known.at = at;
    known.times += 1;
    known.verdict = verdict;
    return true;
  }

  #turn(at: number): void {
    this.#dayStart = Math.floor(at / DAY_MS) * DAY_MS;
    this.#dayEnd = this.#dayStart + DAY_MS;
    if (sizeOf(this.#page) === 0) return;
    this.#older.push(this.#page);
    this.#page = emptyPage();
  }

  /** Empties the pages. */
  take(): Use[] {
    const pages = [...this.#older, this.#page];
    this.#older = [];
    this.#page = emptyPage();
    return pages.flatMap(({ used, refused }) => [
      ...Array.from(
        used,
        ([id, { at, times }]): Use => ({ id, verdict: 'valid', times, at: new Date(at), detail: null }),
      ),
      ...Array.from(
        refused.values(),
        ({ at, times, verdict }): Use => ({
          id: verdict.key.id,
          verdict: verdict.verdict,
          times,
          at: new Date(at),
          detail: detailOf(verdict),
        }),
      ),
    ]);
  }
}

function sizeOf({ used, refused }: Page): number {
  return used.size + refused.size;
}
