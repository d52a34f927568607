import os from 'node:os';
import type { Authorship } from '../domain/audit.js';
import { type Check, callback, flag, oneOf, shape, wholeNumber } from '../domain/checks.js';
import type { Credential } from '../domain/credential.js';
import { KeysError } from '../domain/errors.js';
import type { RateDecision } from '../domain/gcra.js';
import { idWithin, parseKeyString } from '../domain/key-parts.js';
import type { KeyStore } from '../domain/key-store.js';
import { KEY_STRING_LENGTH, MODES, type Mode } from '../domain/key-string.js';
import { Peppers } from '../domain/peppers.js';
import { elapsed } from '../domain/real-time.js';
import { guardMatches, readHashScheme } from '../domain/secret-hash.js';
import { quoted } from '../domain/text.js';
import { INVALID, judge, type Needs, type Verdict } from '../domain/verdict.js';
import { BcryptThread } from '../hashing/bcrypt-thread.js';
import { type CredentialCache, DataVersionCredentialCache } from './credential-cache.js';
import { MemoryLimiter, type RateLimiter } from './memory-limiter.js';
import { Prover } from './prover.js';
import { RehashOnUse } from './rehash-on-use.js';
import { RemoteCredentialCache } from './remote-credential-cache.js';
import { SharedLimiter } from './shared-limiter.js';
import type { RefusalVerdict } from './use-pages.js';
import { UseRecorder } from './use-recorder.js';
import { emitWarning } from './warning.js';

export interface VerifierOptions {
  /** The environment of this server. Keys of the other mode are refused with the verdict `wrong_environment`. */
  readonly environment: Mode;
  /**
   * For a remote store: how long, in milliseconds, a verifier may use what it knows about a key, 0 to 60000. A disabled key can work for
   * that long. In that time it asks the store one question for all keys. Default: 0, which asks the store on every call. A local store is
   * always asked.
   */
  readonly maxStaleMs?: number | undefined;
  /**
   * Where requests are counted. `memory`: in this process, so that each process admits the whole limit of a key. `shared`: in the store,
   * one write per request, for all processes together; while another process holds the store's lock, `verify` rejects with `store_busy`. `off`: limits are not enforced. Or your own {@link RateLimiter}, such as
   * `redisLimiter`. Default: `memory`.
   */
  readonly rateLimit?: 'memory' | 'shared' | 'off' | RateLimiter | undefined;
  /**
   * Record in the store, a few seconds later, when keys are used and refused, and how often. Where the store may not be written to, `true` is
   * refused at the start with `marks_refused`. With `false` the store is told, where it can be, that a server does not record use: nobody can say
   * then that a key is unused. Default: true.
   */
  readonly markUsed?: boolean | undefined;
  /**
   * Called when use cannot be recorded: once, until it can be again. Keys are checked all the same. Default: `process.emitWarning`.
   */
  readonly onWarning?: ((warning: KeysError) => void) | undefined;
  /** The peppers of the store's hash scheme. Default: none. */
  readonly peppers?: Peppers | undefined;
  /**
   * Refuse, with the verdict `invalid`, every key that is not hashed with a pepper. Somebody who can write to the store but has no pepper
   * cannot add a working key then. Use it when all keys of the store have a pepper. Default: false.
   */
  readonly pepperedOnly?: boolean | undefined;
  /** The author, in the audit log, of rehashing keys to the store's hash scheme. Without it, keys are not rehashed. */
  readonly by?: (() => Authorship) | undefined;
  /** The current time in milliseconds since the epoch. Default: `Date.now`. */
  readonly now?: (() => number) | undefined;
}

/** Numbers since the verifier was created, for metrics. */
export interface Counters {
  /** How many times bcrypt compared a secret with a hash. */
  readonly bcrypt: number;
  /** How many keys wait for bcrypt now. */
  readonly waiting: number;
  /** How many proofs are cached now. */
  readonly proofs: number;
  /** How many keys were rehashed to the store's hash scheme. */
  readonly moved: number;
  /** How many writes of use or of new hashes failed. */
  readonly failedFlushes: number;
}

/** The environment is the verifier's own. */
type RequestNeeds = Omit<Needs, 'environment'>;

const MAX_STALE_MS = 60_000;
/** How often a secret is proven because its hash changed meanwhile. A store's hash scheme changes once in years. */
const MAX_PROOFS_IN_A_ROW = 5;
const NOTHING: RequestNeeds = {};

function limiterFor(rateLimit: 'memory' | 'shared' | 'off' | RateLimiter, store: KeyStore): RateLimiter | null {
  if (typeof rateLimit === 'object') return rateLimit;
  if (rateLimit === 'shared') return new SharedLimiter(store);
  return rateLimit === 'memory' ? new MemoryLimiter() : null;
}

const counting = oneOf(['memory', 'shared', 'off']);
const rateLimitOption: Check = (value, at) => {
  if (typeof value !== 'object' || value === null) return counting(value, at);
  callback((value as Partial<RateLimiter>).admit, `${at}.admit`);
};

/** The options of a verifier that a program passes. */
export const VERIFIER_CHECKS = {
  environment: oneOf(MODES),
  maxStaleMs: wholeNumber(0, MAX_STALE_MS),
  rateLimit: rateLimitOption,
  markUsed: flag,
  onWarning: callback,
  pepperedOnly: flag,
} as const;

const optionsCheck = shape<VerifierOptions>(
  {
    ...VERIFIER_CHECKS,
    peppers: (value, at) => {
      if (!(value instanceof Peppers)) throw new KeysError('usage', `${at} must be peppers`);
    },
    by: callback,
    now: callback,
  },
  ['environment'],
);

/**
 * Throws `usage` for needs that would be ignored, so that nobody is let in by mistake. By hand, because every request pays for it. A scope that
 * is not a string is one that no key has.
 */
function assertNeeds(needs: RequestNeeds): void {
  if (typeof needs !== 'object' || needs === null) throw strangeNeeds('needs must be an object');
  for (const name in needs)
    if (name !== 'scopes' && name !== 'address') throw strangeNeeds(`needs has an unknown property ${quoted(name)}`);
  if (needs.scopes !== undefined && !Array.isArray(needs.scopes)) throw strangeNeeds('needs.scopes must be an array');
  if (needs.address !== undefined && typeof needs.address !== 'string')
    throw strangeNeeds('needs.address must be a string');
}

function strangeNeeds(what: string): KeysError {
  return new KeysError('usage', `verify: ${what}`, "e.g. verify(keyString, { scopes: ['plan:read'] })");
}

/**
 * Decides whether a key string may do what a request needs, many thousand times a second. Status, expiry and scopes are those in the store at
 * that moment; only the proof of a secret is cached. bcrypt runs once per key and process, in a thread, and not for a wrong secret: the guard
 * tag rejects it first.
 */
export class Verifier {
  readonly #store: KeyStore;
  readonly #environment: Mode;
  readonly #credentials: CredentialCache;
  readonly #bcrypt = new BcryptThread();
  readonly #prover: Prover;
  readonly #rehash: RehashOnUse | null;
  readonly #pepperedOnly: boolean;
  readonly #limiter: RateLimiter | null;
  readonly #recorder: UseRecorder;
  /** Null where use is not recorded. */
  readonly #use: UseRecorder | null;
  readonly #now: () => number;

  /** Throws `usage` for invalid options. */
  constructor(store: KeyStore, options: VerifierOptions) {
    optionsCheck(options, 'verifier: options');
    const { environment, maxStaleMs = 0, rateLimit = 'memory', markUsed = true, now = Date.now, by } = options;
    const { peppers = Peppers.none, pepperedOnly = false, onWarning = emitWarning } = options;
    this.#store = store;
    this.#environment = environment;
    this.#now = now;
    this.#credentials =
      store.version() === null
        ? new RemoteCredentialCache(store, maxStaleMs, () => ({ wall: now(), real: elapsed() }))
        : new DataVersionCredentialCache(store);
    this.#limiter = limiterFor(rateLimit, store);
    this.#prover = new Prover(peppers, this.#bcrypt);
    this.#rehash = by ? new RehashOnUse(store, peppers, this.#bcrypt, by) : null;
    this.#pepperedOnly = pepperedOnly;
    const host = by?.().host ?? os.hostname();
    this.#recorder = new UseRecorder(store, { host, records: markUsed, onWarning, now });
    this.#use = markUsed ? this.#recorder : null;
  }

  /**
   * Makes a verifier, and finds out whether the store takes what it is to record. Throws `marks_refused` if not, `usage` for invalid options, and
   * what a store throws that cannot be used; a store that does not answer now may answer later, and is a warning.
   */
  static async open(store: KeyStore, options: VerifierOptions): Promise<Verifier> {
    const verifier = new Verifier(store, options);
    await verifier.#recorder.start();
    return verifier;
  }

  /**
   * The verdict on a key string, as it came in the request, untrimmed. Checks in this order: shape, checksum, credential by id, mode, guard
   * tag, proof, status, expiry, environment, scopes, address, rate limit; then it notes that the key was used.
   *
   * A refused key is a verdict, not an error. Rejects with a `KeysError` when there is no verdict: `store_…` or `unauthorized` when the store
   * does not answer, `store_busy` when too many keys are checked for the first time, `pepper_missing`; `usage` for needs with another form.
   *
   * @example
   * ```ts
   * const verdict = await verifier.verify(keyString, { scopes: ['plan:read'] });
   * if (verdict.verdict === 'valid') console.log(verdict.key.id);
   * ```
   */
  verify(keyString: unknown, needs: RequestNeeds = NOTHING): Promise<Verdict> {
    try {
      const verdict = this.verdict(keyString, needs);
      return verdict instanceof Promise ? verdict : Promise.resolve(verdict);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * {@link verify} without a promise where there is nothing to wait for, as with a key of a local store that was verified before. For servers that
   * answer many thousand requests a second. Throws or rejects with what `verify` rejects with.
   *
   * @example
   * ```ts
   * const verdict = await verifier.verdict(keyString, { scopes: ['plan:read'] });
   * if (verdict.verdict === 'valid') console.log(verdict.key.id);
   * ```
   */
  verdict(keyString: unknown, needs: RequestNeeds = NOTHING): Verdict | Promise<Verdict> {
    if (needs !== NOTHING) assertNeeds(needs);
    if (typeof keyString !== 'string' || keyString.length !== KEY_STRING_LENGTH) return INVALID;
    const id = idWithin(keyString);
    if (!this.#prover.knows(id) && !parseKeyString(keyString).ok) return INVALID; // no query for a string that is not a key string
    const found = this.#credentials.credential(id);
    return found instanceof Promise
      ? this.#decideLater(keyString, found, needs)
      : this.#decide(keyString, found, needs);
  }

  async #decideLater(keyString: string, found: Promise<Credential | null>, needs: RequestNeeds): Promise<Verdict> {
    return this.#decide(keyString, await found, needs);
  }

  #decide(keyString: string, credential: Credential | null, needs: RequestNeeds): Verdict | Promise<Verdict> {
    if (credential === null) return INVALID;
    if (credential.outdated || this.#pepperedOnly) return this.#decideByScheme(keyString, credential, needs);
    return this.#prove(keyString, credential, needs);
  }

  /** For a key whose hash scheme matters: it is refused without a pepper, or rehashed after a valid verdict. */
  #decideByScheme(keyString: string, credential: Credential, needs: RequestNeeds): Verdict | Promise<Verdict> {
    if (this.#pepperedOnly && readHashScheme(credential.hash).scheme !== 'hmac-sha256') return INVALID;
    const verdict = this.#prove(keyString, credential, needs);
    const rehash = credential.outdated ? this.#rehash : null;
    if (rehash === null) return verdict;
    const parsed = parseKeyString(keyString);
    const note = (decided: Verdict): Verdict => {
      if (parsed.ok && decided.verdict === 'valid') rehash.note(parsed, credential);
      return decided;
    };
    return verdict instanceof Promise ? verdict.then(note) : note(verdict);
  }

  /**
   * A key string that was proven before is not parsed again: the digest in the cache covers every character of it. Any other one is parsed,
   * and must match the guard tag before bcrypt runs.
   */
  #prove(keyString: string, credential: Credential, needs: RequestNeeds, earlier = 0): Verdict | Promise<Verdict> {
    const { id } = credential.key;
    const proven = this.#prover.known(id, keyString, credential.hash);
    if (proven !== undefined) return proven ? this.#judge(credential, needs) : INVALID;
    const parsed = parseKeyString(keyString);
    if (!parsed.ok || parsed.mode !== credential.key.mode) return INVALID;
    if (!guardMatches(parsed.body, credential.guard)) return INVALID;
    const proof = this.#prover.prove(parsed, keyString, credential.hash);
    if (!(proof instanceof Promise)) return proof ? this.#judge(credential, needs) : INVALID;
    return proof.then((matches) => this.#judgeAgain(keyString, credential, matches, needs, earlier + 1));
  }

  /**
   * Reads the key again, because it can have been disabled while bcrypt ran. Another process can also have moved its hash to the store's
   * scheme; then the answer is about a hash that is no longer there, and the secret is proven again.
   */
  async #judgeAgain(
    keyString: string,
    proven: Credential,
    matches: boolean,
    needs: RequestNeeds,
    proofs: number,
  ): Promise<Verdict> {
    const credential = await this.#credentials.credential(proven.key.id);
    if (credential === null) return INVALID;
    if (credential.hash === proven.hash) return matches ? this.#judge(credential, needs) : INVALID;
    if (proofs < MAX_PROOFS_IN_A_ROW) return this.#prove(keyString, credential, needs, proofs);
    throw new KeysError(
      'store_busy',
      `the hash of key ${credential.key.id} changes all the time`,
      'try again in a moment',
    );
  }

  #judge({ key }: Credential, needs: RequestNeeds): Verdict | Promise<Verdict> {
    const now = this.#now();
    const all: Needs = { environment: this.#environment, scopes: needs.scopes, address: needs.address };
    const verdict = judge(key, all, now);
    if (verdict.verdict !== 'valid') return this.#refused(verdict as RefusalVerdict, now);
    if (this.#limiter === null) return this.#used(verdict, now);
    const decision = this.#limiter.admit(key.id, key.rateLimit, now);
    const toVerdict = (limited: RateDecision): Verdict =>
      limited.admitted
        ? this.#used({ verdict: 'valid', key, rate: limited.rate }, now)
        : this.#refused({ verdict: 'rate_limited', key, rate: limited.rate, retryAfterMs: limited.retryAfterMs }, now);
    return decision instanceof Promise ? decision.then(toVerdict) : toVerdict(decision);
  }

  #used(verdict: Verdict & { verdict: 'valid' }, now: number): Verdict {
    this.#use?.used(verdict.key.id, now);
    return verdict;
  }

  #refused(verdict: RefusalVerdict, now: number): Verdict {
    this.#use?.refused(verdict, now);
    return verdict;
  }

  /**
   * Counts a refusal that came after a valid verdict of this verifier: a route that needs more scopes than the key was verified for. `invalid` is not
   * counted.
   *
   * @example
   * ```ts
   * const verdict = await verifier.verify(keyString);
   * if (verdict.verdict === 'valid' && !verdict.key.scopes.includes('plan:read'))
   *   verifier.noteRefusal({ verdict: 'missing_scope', key: verdict.key, missingScopes: ['plan:read'] });
   * ```
   */
  noteRefusal(verdict: Verdict): void {
    if (verdict.verdict !== 'valid' && verdict.verdict !== 'invalid') this.#refused(verdict, this.#now());
  }

  get counters(): Counters {
    return {
      bcrypt: this.#bcrypt.comparisons,
      waiting: this.#prover.waiting,
      proofs: this.#prover.cached,
      moved: this.#rehash?.moved ?? 0,
      failedFlushes: (this.#use?.failures ?? 0) + (this.#rehash?.failures ?? 0),
    };
  }

  /** Writes the pending use and new hashes, and closes the store. Call it before the process ends. */
  async close(): Promise<void> {
    await this.#rehash?.flush();
    await this.#recorder.close();
    await this.#bcrypt.close();
    await this.#store.close();
  }
}
