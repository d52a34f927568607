import type { ApiKey } from '../domain/api-key.js';
import type { Verdict } from '../domain/verdict.js';

export type Headers = Readonly<Record<string, string>>;

/** The part of a `Verifier` that the adapters and the server use. Implement it to add logging or metrics around a verifier. */
export interface KeyVerifier {
  /**
   * Resolves to the verdict on `keyString`, as it came in the request. Rejects only when there is no verdict, for example because the store
   * does not answer; the request is then answered with 503.
   */
  verify(
    keyString: unknown,
    needs?: { readonly scopes?: readonly string[] | undefined; readonly address?: string | undefined },
  ): Promise<Verdict>;
  /** Told of a refusal by a later route of a request that was verified before. A `Verifier` counts it. */
  noteRefusal?(verdict: Verdict): void;
}

/** A verdict that let nobody in, or the reason why there was nothing to verify. */
export type RefusedVerdict =
  | Exclude<Verdict, { verdict: 'valid' }>
  | { readonly verdict: 'missing' | 'invalid_request' };

/** Options of every `protect` function. */
export interface ProtectOptions {
  /** Scopes that the key must have: all of them, exactly as written, without wildcards. Default: none, so any valid key is accepted. */
  readonly scopes?: readonly string[] | undefined;
  /**
   * Called with the reason when a request is answered with 503. Log it here: the response does not contain it. Default: `process.emitWarning`,
   * at most once a minute.
   */
  readonly onUnavailable?: ((error: unknown) => void) | undefined;
  /**
   * Called with the verdict when a request is refused: also where it has no key (`missing`) or several (`invalid_request`). Where the secret was proven,
   * it has the key. For a log or for metrics. Default: nothing.
   */
  readonly onRefused?: ((refusal: RefusedVerdict) => void) | undefined;
}

/** Where a framework's request comes from. */
export interface AddressOption<R> {
  /**
   * The IP address of the client, for keys that work from certain addresses only: without it they are refused. Name the one that your framework found,
   * not a header that a client can send. There is no default: behind a proxy, the address of the connection is that of the proxy.
   */
  readonly address?: ((request: R) => string | null | undefined) | undefined;
}

/** The body of a refusal: problem details (RFC 9457). */
export interface Problem {
  readonly type: 'about:blank';
  /** The standard phrase for the status, such as `Unauthorized`. */
  readonly title: string;
  /** The HTTP status. */
  readonly status: number;
  /** An explanation for people. Its wording can change. */
  readonly detail: string;
  /** The reason for programs, such as `expired` or `missing_scope`. It does not change. */
  readonly code: string;
}

/** A request that may continue. */
export interface Admission {
  readonly ok: true;
  readonly key: ApiKey;
  /** Headers to add to the response: the state of the rate limit. */
  readonly headers: Headers;
}

/** A request that is answered with an error. */
export interface Refusal {
  readonly ok: false;
  readonly status: number;
  readonly headers: Headers;
  readonly body: Problem;
}
