import { randomUUID } from 'node:crypto';
import type { ApiKey } from '../domain/api-key.js';
import { type Authorship, canonicalJson, type Proof } from '../domain/audit.js';
import { type Change, UNDELIVERED } from '../domain/change.js';
import { isKeysError, KeysError } from '../domain/errors.js';
import type { Exchange, Exchanged } from '../domain/issue.js';
import type { KeyStore } from '../domain/key-store.js';
import type { Labels } from '../domain/labels.js';
import { withinLifetime } from '../domain/policy.js';
import type { RateLimit } from '../domain/rate-limit.js';
import { planCreation } from './creation.js';
import { type Mint, mintKeys } from './minting.js';

/** A job that has proven who it is. */
export interface ProvenJob {
  /** For people: `github:acme/app@refs/heads/main run 42 attempt 1`. */
  readonly actor: string;
  readonly proof: Proof;
}

/** A key for a job. Its mode is test, whatever anybody says. */
export interface IssueInput {
  readonly name: string;
  readonly scopes: readonly string[];
  readonly rateLimit: RateLimit;
  /** How long the key lives, and whether the job asked for that: then a policy that allows less is a refusal. */
  readonly ttlMs: number;
  readonly asked: boolean;
  readonly labels: Labels;
}

/** What was made for a job, or why nothing was. */
export type Issued = Exclude<Exchanged, { refused: null }> | { refused: null; key: ApiKey; keyString: string };

/** What an {@link Issuing} works with. */
export interface IssuingParts {
  readonly store: KeyStore;
  readonly mint: Mint;
  readonly by: () => Authorship;
  readonly now: () => Date;
}

/** So many keys are made at once. Those who wait are refused without hashing a secret, once a limit is reached meanwhile. */
const AT_ONCE = 4;
/** 60-bit ids hardly ever collide; two processes may race for a token. */
const ATTEMPTS = 3;

/** Test keys for jobs that prove who they are by an ID token: made once for each token, and ended by the same job only. */
export class Issuing {
  readonly #store: KeyStore;
  readonly #mint: Mint;
  readonly #by: () => Authorship;
  readonly #now: () => Date;
  #making = 0;
  readonly #waiting: (() => void)[] = [];

  constructor({ store, mint, by, now }: IssuingParts) {
    this.#store = store;
    this.#mint = mint;
    this.#by = by;
    this.#now = now;
  }

  #change(job: ProvenJob, reason: string | null = null): Change {
    return {
      by: { ...this.#by(), actor: job.actor, proven: job.proof },
      at: this.#now(),
      op: randomUUID(),
      reason,
    };
  }

  /**
   * Makes a key for a token. A refusal is a value. Throws `usage` for scopes that no key can have, `guarded` for a life that the store's
   * policy does not allow, and the `store_…` codes.
   */
  async issue(input: IssueInput, exchange: Exchange, job: ProvenJob): Promise<Issued> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#inTurn(() => this.#make(input, exchange, job));
      } catch (error) {
        if (!isKeysError(error, 'conflict', 'name_taken') || attempt === ATTEMPTS) throw error;
      }
    }
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#making === AT_ONCE) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#making += 1;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift(); // takes the place that is left
      if (next) next();
      else this.#making -= 1;
    }
  }

  async #make(input: IssueInput, exchange: Exchange, job: ProvenJob): Promise<Issued> {
    const refusal = await this.#store.exchangeRefusal(exchange); // before a secret is hashed, which takes time
    if (refusal) return refusal;
    const { name, scopes, rateLimit, ttlMs, asked, labels } = input;
    const now = this.#now();
    const wanted = new Date(now.getTime() + ttlMs);
    const expiresAt = asked ? wanted : withinLifetime(await this.#store.settings.policy(), 'test', wanted, now);
    const key = { name, mode: 'test', scopes, rateLimit, labels, expiresAt } as const;
    const { inputs, scheme } = await planCreation(this.#store, [key], {}, now);
    const [minted] = await mintKeys(inputs, scheme, this.#mint);
    if (!minted) throw new KeysError('internal', 'no key was made');
    try {
      const made = await this.#store.exchange(minted.row, exchange, this.#change(job));
      return made.refused === null ? { ...made, keyString: minted.keyString } : made;
    } catch (error) {
      if (isKeysError(error, 'outcome_unknown')) await this.#takeBackIfMade(minted.row.id, job);
      throw error;
    }
  }

  /** Removes a key whose key string reached nobody; its token may be exchanged again. */
  async takeBack({ id }: Pick<ApiKey, 'id'>, job: ProvenJob): Promise<void> {
    await this.#store.takeBack(id, this.#change(job, UNDELIVERED));
  }

  /** After a write of which nobody knows how it ended. If the store stays away, the key ends by itself. */
  async #takeBackIfMade(id: string, job: ProvenJob): Promise<void> {
    try {
      await this.takeBack({ id }, job);
    } catch {
      // it was not made, or the store does not answer
    }
  }

  /** Ends a key that this very job was given. False when it was given none with this id. True also when the key is gone by now. */
  async end(id: string, job: ProvenJob): Promise<boolean> {
    const events = await this.#store.audit.events({ keyId: id, action: 'key.create' });
    const isOwn = ({ proven }: { proven?: Proof | undefined }) => canonicalJson(proven) === canonicalJson(job.proof);
    if (!events.some((event) => event.proven && isOwn(event))) return false;
    try {
      await this.#store.delete(id, this.#change(job, 'its job ended it'), undefined, { purge: true });
    } catch (error) {
      if (!isKeysError(error, 'not_found')) throw error;
    }
    return true;
  }
}
