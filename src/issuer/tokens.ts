import { createHash } from 'node:crypto';
import { decodeJwt, errors, type JWTPayload, jwtVerify } from 'jose';
import { namesOnce } from '../domain/json-names.js';
import { redactKeyStrings } from '../domain/key-string.js';
import { safeText } from '../domain/text.js';
import type { FetchOptions } from './fetch-json.js';
import type { IssueRule } from './rules.js';
import { ProviderUnavailable, SigningKeys } from './signing-keys.js';

/** Only signatures that need a private key: never HMAC, with which a public key could be taken for a secret, and never `none`. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512'];
/** By how much clocks may differ, in seconds. */
const TOLERANCE_S = 30;
const MAX_AGE_S = 86_400;
const MAX_LENGTH = 16_384;
const MAX_SUBJECT = 512;

/** A token that its provider signed, for this server, and that is in force. */
export interface VerifiedToken {
  readonly issuer: string;
  readonly subject: string;
  readonly audiences: readonly string[];
  readonly claims: Readonly<Record<string, unknown>>;
  /** What no two tokens have in common, as SHA-256. */
  readonly digest: string;
  readonly issued: Date;
  /** From then on, nobody accepts it. */
  readonly ends: Date;
}

/** Why a token is not accepted. `detail` never repeats the token. */
export interface TokenProblem {
  readonly code: 'token_invalid' | 'token_expired' | 'provider_unavailable';
  readonly detail: string;
  readonly retryAfterMs?: number;
}

/** A value of a token, for people. */
export function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'missing');
  const safe = safeText(redactKeyStrings(text.slice(0, 1000)));
  return safe.length > 100 ? `${safe.slice(0, 100)}…` : safe;
}

/** Verifies ID tokens against the providers that the rules name. */
export class Tokens {
  readonly #now: () => Date;
  readonly #options: FetchOptions;
  readonly #clock: (() => number) | undefined;
  #rules: readonly IssueRule[] = [];
  #providers = new Map<string, SigningKeys>();

  /** `clock` is a monotonic clock in milliseconds. */
  constructor(now: () => Date, options: FetchOptions = {}, clock?: () => number) {
    this.#now = now;
    this.#options = options;
    this.#clock = clock;
  }

  /** Trusts the providers of these rules, and no others. Keys that are known stay known. */
  trust(rules: readonly IssueRule[]): void {
    const before = this.#providers;
    this.#rules = rules;
    this.#providers = new Map(
      rules.map(({ issuer }) => [issuer, before.get(issuer) ?? new SigningKeys(issuer, this.#options, this.#clock)]),
    );
  }

  /** How often providers were asked for their keys, and how often that failed. */
  get counts(): { asked: number; failed: number } {
    const all = [...this.#providers.values()].map(({ counts }) => counts);
    const sum = (of: 'asked' | 'failed') => all.reduce((total, each) => total + each[of], 0);
    return { asked: sum('asked'), failed: sum('failed') };
  }

  async verify(token: string): Promise<VerifiedToken | TokenProblem> {
    const issuer = issuerOf(token);
    if (issuer === null) return invalid('this is not an ID token');
    const keys = this.#providers.get(issuer);
    if (!keys) return invalid(`iss is ${shown(issuer)}, which no rule names`);
    const audience = [...new Set(this.#rules.filter((rule) => rule.issuer === issuer).map((rule) => rule.audience))];
    try {
      const { payload, protectedHeader } = await jwtVerify(token, keys.find, {
        issuer,
        audience,
        algorithms: ALGORITHMS,
        clockTolerance: TOLERANCE_S,
        maxTokenAge: MAX_AGE_S,
        requiredClaims: ['exp', 'sub', 'aud'],
        currentDate: this.#now(),
      });
      const { typ = 'JWT' } = protectedHeader;
      if (String(typ).toUpperCase() !== 'JWT') return invalid(`typ of the token is ${shown(typ)}, not JWT`);
      return verified(token, issuer, payload);
    } catch (error) {
      return problemOf(error, audience);
    }
  }
}

/** What the token says of its issuer, unproven; null for a text that is not a token. */
function issuerOf(token: string): string | null {
  if (token.length > MAX_LENGTH) return null;
  try {
    return decodeJwt(token).iss ?? null;
  } catch {
    return null;
  }
}

/** A number that JavaScript reads like its neighbours: two jobs, or two repositories, would be taken for one. */
function isInexact(value: unknown): boolean {
  return typeof value === 'number' && Math.abs(value) > Number.MAX_SAFE_INTEGER;
}

function verified(token: string, issuer: string, payload: JWTPayload): VerifiedToken | TokenProblem {
  const { sub, jti, iat, exp, aud } = payload;
  if (typeof sub !== 'string' || sub === '' || sub.length > MAX_SUBJECT)
    return invalid(`sub is empty or longer than ${MAX_SUBJECT} characters`);
  const [inexact] = Object.entries(payload).find(([, value]) => isInexact(value)) ?? [];
  if (inexact !== undefined) return invalid(`${shown(inexact)} is a number that is too large to be read exactly`);
  const [, text = ''] = token.split('.');
  if (!namesOnce(Buffer.from(text, 'base64url').toString(), payload)) return invalid('the token has a claim twice');
  const end = Math.ceil(((exp as number) + TOLERANCE_S) * 1000);
  if (!Number.isSafeInteger(end)) return invalid('exp of the token is not a time');
  const tooOld = (Math.floor(iat as number) + MAX_AGE_S + TOLERANCE_S + 1) * 1000; // jose counts whole seconds
  // The signature does not belong to what is remembered: another one that fits can be made from some of them.
  const single = typeof jti === 'string' && jti !== '' ? ['jti', issuer, jti] : ['text', token.replace(/\.[^.]*$/, '')];
  return {
    issuer,
    subject: sub,
    audiences: typeof aud === 'string' ? [aud] : (aud ?? []),
    claims: payload,
    digest: createHash('sha256').update(JSON.stringify(single)).digest('hex'),
    issued: new Date((iat as number) * 1000),
    ends: new Date(Math.min(end, tooOld)),
  };
}

function invalid(detail: string): TokenProblem {
  return { code: 'token_invalid', detail };
}

function problemOf(error: unknown, audience: readonly string[]): TokenProblem {
  if (error instanceof ProviderUnavailable)
    return { code: 'provider_unavailable', detail: error.message, retryAfterMs: error.retryAfterMs };
  if (error instanceof errors.JWTExpired) return { code: 'token_expired', detail: 'the token has expired' };
  if (error instanceof errors.JWTClaimValidationFailed) return invalid(claimProblem(error, audience));
  if (error instanceof errors.JOSEAlgNotAllowed || error instanceof errors.JOSENotSupported)
    return invalid('the token is not signed with an algorithm that is accepted here (RS256, ES256 and their variants)');
  if (error instanceof errors.JWKSMultipleMatchingKeys)
    return invalid('the token does not say which of the keys of its issuer it is signed with');
  if (error instanceof errors.JOSEError) return invalid('the signature of the token is not that of its issuer');
  return invalid('the signature of the token cannot be checked with the key of its issuer'); // a key that is too short, or none
}

function claimProblem(
  { claim, reason, payload }: errors.JWTClaimValidationFailed,
  audience: readonly string[],
): string {
  if (reason === 'missing') return `${claim} is missing in the token`;
  if (claim === 'aud') return `aud is ${shown(payload.aud)}, and this server is ${audience.map(shown).join(' or ')}`;
  if (claim === 'nbf' || claim === 'iat') return `${claim} of the token is in the future: compare the clocks`;
  return `${claim} of the token is not what it must be`;
}
