import { KeysError } from '../domain/errors.js';
import type { Credential, KeyStore } from '../domain/key-store.js';
import { idWithin, KEY_STRING_LENGTH, type Mode, parseKeyString } from '../domain/key-string.js';
import { guardMatches } from '../domain/secret-hash.js';
import { type Demands, INVALID, judge, type Verdict } from '../domain/verdict.js';
import { MemoryLimiter, type RateLimiter } from './memory-limiter.js';
import { Prover } from './prover.js';
import { AgingRows, type RowSource, VersionedRows } from './row-source.js';
import { UsageMarks } from './usage-marks.js';

export interface VerifierOptions {
  /** The server's own environment: a key of the other mode never verifies there. */
  readonly environment: Mode;
  /**
   * How old what a remote store said of a key may be, in milliseconds, 0 to 60000: so long may a key go on working after it was disabled.
   * 0, the default, asks on every call. A local store is always asked.
   */
  readonly maxStaleMs?: number | undefined;
  /** `memory`, the default: each process lets a key's whole limit through. `off`: limits are not enforced. Or a limiter of one's own. */
  readonly rateLimit?: 'memory' | 'off' | RateLimiter | undefined;
  /** Write down when keys were last used, a few seconds late. Default: true. */
  readonly markUsed?: boolean | undefined;
  readonly now?: (() => number) | undefined;
}

/** What a request needs. */
export interface Needs {
  readonly scopes?: readonly string[] | undefined;
}

const MAX_STALE_MS = 60_000;
const NOTHING: Needs = {};
const REFUSED: Promise<Verdict> = Promise.resolve(INVALID);

/**
 * Answers whether a key string may do what a request needs, many thousand times a second. Status, expiry and scopes are as the store has
 * them at that moment; only the proof of a secret is remembered. bcrypt runs once for each key and process, in a thread, and never for a
 * wrong secret, whatever its sender knows.
 */
export class Verifier {
  readonly #store: KeyStore;
  readonly #environment: Mode;
  readonly #rows: RowSource;
  readonly #prover = new Prover();
  readonly #limiter: RateLimiter | null;
  readonly #marks: UsageMarks | null;
  readonly #now: () => number;

  /** Throws `usage` for options that are none. */
  constructor(store: KeyStore, options: VerifierOptions) {
    const { environment, maxStaleMs = 0, rateLimit = 'memory', markUsed = true, now = Date.now } = options;
    if (environment !== 'live' && environment !== 'test')
      throw new KeysError('usage', 'environment must be live or test');
    if (!(maxStaleMs >= 0 && maxStaleMs <= MAX_STALE_MS))
      throw new KeysError('usage', `maxStaleMs must be 0 to ${MAX_STALE_MS}`);
    this.#store = store;
    this.#environment = environment;
    this.#now = now;
    this.#rows = store.version() === null ? new AgingRows(store, maxStaleMs, now) : new VersionedRows(store);
    this.#limiter = rateLimit === 'memory' ? new MemoryLimiter() : rateLimit === 'off' ? null : rateLimit;
    this.#marks = markUsed ? new UsageMarks(store) : null;
  }

  /**
   * The verdict on a key string as it came in, untrimmed. Order: shape, checksum, row by id, mode, guard, proof, status, expiry,
   * environment, scopes, rate limit, mark. A refusal is a value; it rejects with a `KeysError` when the store cannot answer
   * (`store_…`), or when too many keys wait to be proven for the first time (`store_busy`): never `valid` then, and never `invalid`.
   */
  verify(keyString: unknown, needs: Needs = NOTHING): Promise<Verdict> {
    try {
      if (typeof keyString !== 'string' || keyString.length !== KEY_STRING_LENGTH) return REFUSED;
      const id = idWithin(keyString);
      if (!this.#prover.knows(id) && !parseKeyString(keyString).ok) return REFUSED; // no store is asked about what is no key string
      const row = this.#rows.row(id);
      const verdict =
        row instanceof Promise ? this.#decideLater(keyString, row, needs) : this.#decide(keyString, row, needs);
      return verdict instanceof Promise ? verdict : Promise.resolve(verdict);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async #decideLater(keyString: string, row: Promise<Credential | null>, needs: Needs): Promise<Verdict> {
    return this.#decide(keyString, await row, needs);
  }

  /**
   * A key string that was proven before needs no reading: the digest that it is known by is of every character of it. Any other is read,
   * and has to get past the guard tag before bcrypt sees it.
   */
  #decide(keyString: string, row: Credential | null, needs: Needs): Verdict | Promise<Verdict> {
    if (row === null) return INVALID;
    const { id } = row.key;
    const proven = this.#prover.known(id, keyString, row.hash);
    if (proven !== undefined) return proven ? this.#judge(row, needs) : INVALID;
    const parsed = parseKeyString(keyString);
    if (!parsed.ok || parsed.id !== id || parsed.mode !== row.key.mode) return INVALID;
    if (!guardMatches(parsed.body, row.guard)) return INVALID;
    return this.#prover
      .prove(parsed, keyString, row.hash)
      .then((matches) => (matches ? this.#judgeAnew(id, keyString, needs) : INVALID));
  }

  /** Proving takes a while, in which the key may have been disabled: its row is asked for again. */
  async #judgeAnew(id: string, keyString: string, needs: Needs): Promise<Verdict> {
    const row = await this.#rows.row(id);
    if (row === null) return INVALID;
    return this.#prover.known(id, keyString, row.hash) === true ? this.#judge(row, needs) : INVALID;
  }

  #judge({ key }: Credential, needs: Needs): Verdict | Promise<Verdict> {
    const now = this.#now();
    const demands: Demands = { environment: this.#environment, scopes: needs.scopes };
    const verdict = judge(key, demands, now);
    if (verdict.verdict !== 'valid') return verdict;
    if (this.#limiter === null) return this.#used(verdict, now);
    const decision = this.#limiter.admit(key.id, key.rateLimit, now);
    const decided = (settled: Awaited<typeof decision>): Verdict =>
      settled.admitted
        ? this.#used({ verdict: 'valid', key, rate: settled.rate }, now)
        : { verdict: 'rate_limited', key, rate: settled.rate, retryAfterMs: settled.retryAfterMs };
    return decision instanceof Promise ? decision.then(decided) : decided(decision);
  }

  #used(verdict: Verdict & { verdict: 'valid' }, now: number): Verdict {
    this.#marks?.mark(verdict.key.id, now);
    return verdict;
  }

  /** For metrics and tests: how often bcrypt was run, and how often marks could not be written. */
  get counters(): { readonly bcrypt: number; readonly failedFlushes: number } {
    return { bcrypt: this.#prover.comparisons, failedFlushes: this.#marks?.failures ?? 0 };
  }

  /** Writes the last marks and closes the store. */
  async close(): Promise<void> {
    await this.#marks?.flush();
    await this.#prover.close();
    await this.#store.close();
  }
}
