import type { Authorship } from '../domain/audit.js';
import { KeysError } from '../domain/errors.js';
import type { Credential, KeyStore } from '../domain/key-store.js';
import { idWithin, KEY_STRING_LENGTH, type Mode, parseKeyString } from '../domain/key-string.js';
import { Peppers } from '../domain/peppers.js';
import { guardMatches, readHashScheme } from '../domain/secret-hash.js';
import { quoted } from '../domain/text.js';
import { type Demands, INVALID, judge, type Verdict } from '../domain/verdict.js';
import { BcryptThread } from './bcrypt-thread.js';
import { HashMoves } from './hash-moves.js';
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
  /**
   * `memory`, the default: each process lets a key's whole limit through. `shared`: all processes of a store together do, each request
   * being counted there. `off`: limits are not enforced. Or a limiter of one's own.
   */
  readonly rateLimit?: 'memory' | 'shared' | 'off' | RateLimiter | undefined;
  /** Write down when keys were last used, a few seconds late. Default: true. */
  readonly markUsed?: boolean | undefined;
  /** For a store whose keys are hashed with a pepper. */
  readonly peppers?: Peppers | undefined;
  /**
   * Refuse every key that is not hashed with a pepper: whoever can write to the store, but has no pepper, then makes no key that works.
   * For a store all of whose keys have moved over. Default: false.
   */
  readonly pepperedOnly?: boolean | undefined;
  /** Who is said in the audit log to move keys over to the store's hash scheme. Absent: none is moved. */
  readonly by?: (() => Authorship) | undefined;
  readonly now?: (() => number) | undefined;
}

/** What a request needs. */
export interface Needs {
  readonly scopes?: readonly string[] | undefined;
}

export interface Counters {
  /** How often bcrypt was run to prove a key. */
  readonly bcrypt: number;
  /** How many keys wait for it now. */
  readonly waiting: number;
  /** How many proofs are remembered. */
  readonly proofs: number;
  /** How many keys were moved to the store's hash scheme. */
  readonly moved: number;
  /** How often marks or moves could not be written. */
  readonly failedFlushes: number;
}

const MAX_STALE_MS = 60_000;
const NOTHING: Needs = {};
const REFUSED: Promise<Verdict> = Promise.resolve(INVALID);

function limiterFor(wanted: 'memory' | 'shared' | 'off' | RateLimiter, store: KeyStore): RateLimiter | null {
  if (typeof wanted === 'object') return wanted;
  if (wanted === 'shared') return { admit: (keyId, limit) => store.admit(keyId, limit) };
  if (wanted === 'memory') return new MemoryLimiter();
  if (wanted === 'off') return null;
  throw new KeysError('usage', `rateLimit ${quoted(String(wanted))} is unknown`, 'memory, shared, off, or a limiter');
}

/**
 * Answers whether a key string may do what a request needs, many thousand times a second. Status, expiry and scopes are as the store has
 * them at that moment; only the proof of a secret is remembered. bcrypt runs once for each key and process, in a thread, and never for a
 * wrong secret, whatever its sender knows.
 */
export class Verifier {
  readonly #store: KeyStore;
  readonly #environment: Mode;
  readonly #rows: RowSource;
  readonly #bcrypt = new BcryptThread();
  readonly #prover: Prover;
  readonly #moves: HashMoves | null;
  readonly #pepperedOnly: boolean;
  readonly #limiter: RateLimiter | null;
  readonly #marks: UsageMarks | null;
  readonly #now: () => number;

  /** Throws `usage` for options that are none. */
  constructor(store: KeyStore, options: VerifierOptions) {
    const { environment, maxStaleMs = 0, rateLimit = 'memory', markUsed = true, now = Date.now, by } = options;
    const { peppers = Peppers.none, pepperedOnly = false } = options;
    if (environment !== 'live' && environment !== 'test')
      throw new KeysError('usage', 'environment must be live or test');
    if (!(maxStaleMs >= 0 && maxStaleMs <= MAX_STALE_MS))
      throw new KeysError('usage', `maxStaleMs must be 0 to ${MAX_STALE_MS}`);
    this.#store = store;
    this.#environment = environment;
    this.#now = now;
    this.#rows = store.version() === null ? new AgingRows(store, maxStaleMs, now) : new VersionedRows(store);
    this.#limiter = limiterFor(rateLimit, store);
    this.#prover = new Prover(peppers, this.#bcrypt);
    this.#moves = by ? new HashMoves(store, peppers, this.#bcrypt, by) : null;
    this.#pepperedOnly = pepperedOnly;
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
    if (row.outdated || this.#pepperedOnly) return this.#decideByScheme(keyString, row, needs);
    return this.#decideProven(keyString, row, needs);
  }

  /** For a key that is to move to the store's scheme, or may have to. */
  #decideByScheme(keyString: string, row: Credential, needs: Needs): Verdict | Promise<Verdict> {
    if (this.#pepperedOnly && readHashScheme(row.hash).scheme !== 'hmac-sha256') return INVALID;
    const verdict = this.#decideProven(keyString, row, needs);
    const moves = row.outdated ? this.#moves : null;
    if (moves === null) return verdict;
    const parsed = parseKeyString(keyString);
    const note = (settled: Verdict): Verdict => {
      if (parsed.ok && settled.verdict === 'valid') moves.note(parsed, row);
      return settled;
    };
    return verdict instanceof Promise ? verdict.then(note) : note(verdict);
  }

  #decideProven(keyString: string, row: Credential, needs: Needs): Verdict | Promise<Verdict> {
    const { id } = row.key;
    const proven = this.#prover.known(id, keyString, row.hash);
    if (proven !== undefined) return proven ? this.#judge(row, needs) : INVALID;
    const parsed = parseKeyString(keyString);
    if (!parsed.ok || parsed.id !== id || parsed.mode !== row.key.mode) return INVALID;
    if (!guardMatches(parsed.body, row.guard)) return INVALID;
    const proof = this.#prover.prove(parsed, keyString, row.hash);
    if (!(proof instanceof Promise)) return proof ? this.#judge(row, needs) : INVALID;
    return proof.then((matches) => (matches ? this.#judgeAnew(id, keyString, needs) : INVALID));
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

  /** For metrics and tests. */
  get counters(): Counters {
    return {
      bcrypt: this.#bcrypt.comparisons,
      waiting: this.#prover.waiting,
      proofs: this.#prover.remembered,
      moved: this.#moves?.moved ?? 0,
      failedFlushes: (this.#marks?.failures ?? 0) + (this.#moves?.failures ?? 0),
    };
  }

  /** Writes the last marks and moves, and closes the store. */
  async close(): Promise<void> {
    await this.#moves?.flush();
    await this.#marks?.flush();
    await this.#bcrypt.close();
    await this.#store.close();
  }
}
