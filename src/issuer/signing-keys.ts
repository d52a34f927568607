import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import { type FetchOptions, fetchJson } from './fetch-json.js';

/** The keys of a provider are asked for at most once in this time, whatever comes in. */
const REST_MS = 30_000;
/** Keys of this age are asked for again, while they serve on. */
const FRESH_MS = 300_000;
/** Keys of this age are no longer used: what a provider withdrew must end. */
const MAX_AGE_MS = 600_000;

/** The keys of a provider cannot be had, or not the one that is needed. */
export class ProviderUnavailable extends Error {
  readonly retryAfterMs: number;
  constructor(message: string, retryAfterMs: number) {
    super(message);
    this.retryAfterMs = retryAfterMs;
  }
}

/** The keys with which a provider signs its tokens: found by OpenID Connect Discovery, kept for minutes, and never used after that. */
export class SigningKeys {
  readonly #issuer: string;
  readonly #now: () => number;
  readonly #options: FetchOptions;
  #keys: { readonly at: number; readonly find: JWTVerifyGetKey } | undefined;
  #asking: Promise<void> | undefined;
  #askedAt = Number.NEGATIVE_INFINITY;
  #problem = '';
  /** How often the provider was asked, and how often that failed. */
  readonly counts = { asked: 0, failed: 0 };

  /** `now` is a monotonic clock in milliseconds. */
  constructor(issuer: string, options: FetchOptions = {}, now = () => performance.now()) {
    this.#issuer = issuer;
    this.#options = options;
    this.#now = now;
  }

  /** Finds the key that a token names, for jose. Throws {@link ProviderUnavailable}, and what jose throws for a token that names none. */
  readonly find: JWTVerifyGetKey = async (header, token) => {
    const known = await this.#usable();
    try {
      return await known.find(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
    }
    // The provider may have begun to use another key.
    await this.#ask();
    const newer = await this.#usable();
    if (newer === known)
      throw new ProviderUnavailable(
        `the keys of ${this.#issuer} that are known here do not contain that of this token`,
        Math.max(0, this.#restMs()),
      );
    return newer.find(header, token);
  };

  #restMs(): number {
    return this.#askedAt + REST_MS - this.#now();
  }

  #age(): number {
    return this.#keys ? this.#now() - this.#keys.at : Number.POSITIVE_INFINITY;
  }

  async #usable(): Promise<{ readonly at: number; readonly find: JWTVerifyGetKey }> {
    if (this.#age() > MAX_AGE_MS) await this.#ask();
    else if (this.#age() > FRESH_MS) void this.#ask();
    if (this.#keys && this.#age() <= MAX_AGE_MS) return this.#keys;
    throw new ProviderUnavailable(this.#problem, Math.max(0, this.#restMs()));
  }

  /** Asks for the keys, unless that was done a moment ago. Never rejects. */
  async #ask(): Promise<void> {
    if (this.#asking) return this.#asking;
    if (this.#restMs() > 0) return;
    this.#askedAt = this.#now();
    this.#asking = this.#read(this.#askedAt).finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #read(at: number): Promise<void> {
    this.counts.asked += 1;
    try {
      const base = this.#issuer.replace(/\/$/, '');
      const discovery = `${base}/.well-known/openid-configuration`;
      const { issuer, jwks_uri: place } = (await this.#fetch(discovery)) as Record<string, unknown>;
      if (issuer !== this.#issuer) throw new Error(`${discovery} is about another issuer`);
      if (typeof place !== 'string' || !URL.canParse(place) || new URL(place).protocol !== 'https:')
        throw new Error(`${discovery} names no https address of keys`);
      const found = await this.#fetch(place);
      const keys = { at, find: createLocalJWKSet(found as JSONWebKeySet) };
      this.#keys = keys;
    } catch (error) {
      this.counts.failed += 1;
      this.#problem =
        error instanceof errors.JOSEError
          ? `the keys of ${this.#issuer} are not a JSON Web Key Set`
          : (error as Error).message;
    }
  }

  async #fetch(url: string): Promise<object> {
    try {
      return await fetchJson(new URL(url), this.#options);
    } catch (error) {
      throw new Error(`${url} ${(error as Error).message}`);
    }
  }
}
