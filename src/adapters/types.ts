import type { ApiKey } from '../domain/api-key.js';
import type { Verdict } from '../domain/verdict.js';

/** The part of a `Verifier` that an adapter needs. It rejects only when no verdict can be had. */
export interface KeyVerifier {
  verify(keyString: unknown, needs?: { readonly scopes?: readonly string[] | undefined }): Promise<Verdict>;
}

export interface ProtectOptions {
  /** Scopes that the key must hold, all of them, exactly as written. Left out: any valid key of this environment will do. */
  readonly scopes?: readonly string[] | undefined;
  /** Told why a request was answered with 503: the caller is not, and nothing else logs it. */
  readonly onUnavailable?: ((error: unknown) => void) | undefined;
}

/** The body of a refusal: problem details (RFC 9457), where `code` is the word that programs may rely on. */
export interface Problem {
  readonly type: 'about:blank';
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
}

export interface Admission {
  readonly ok: true;
  readonly key: ApiKey;
  /** What the response should carry besides: the state of the rate limit. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface Refusal {
  readonly ok: false;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Problem;
}

/** What becomes of a request, in the terms of no framework. */
export type Answer = Admission | Refusal;
