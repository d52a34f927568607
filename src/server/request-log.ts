import { isKeysError } from '../domain/errors.js';
import { safeText } from '../domain/text.js';
import type { Log } from '../http-server/log.js';
import type { Metrics } from '../http-server/metrics.js';
import type { Decision } from './auth.js';
import type { Endpoint } from './metrics.js';
import { loggedPath } from './target.js';

/** Which requests are logged. `refused`: every request without the verdict `valid`. */
export type Logged = 'all' | 'refused' | 'none';

/** Counts each answered request in the metrics, and logs it. */
export class RequestLog {
  readonly #log: Log;
  readonly #logged: Logged;
  readonly #metrics: Metrics<Endpoint>;

  constructor(log: Log, logged: Logged, metrics: Metrics<Endpoint>) {
    this.#log = log;
    this.#logged = logged;
    this.#metrics = metrics;
  }

  answered(endpoint: Endpoint, decision: Omit<Decision, 'response'>, status: number, ms: number): void {
    const { verdict, keyId, method, uri, address, error } = decision;
    this.#metrics.answered(endpoint, verdict, ms / 1000);
    if (error !== undefined) this.#log.line('error', 'no verdict', { endpoint, ...describeError(error) });
    if (this.#logged === 'none' || (this.#logged === 'refused' && verdict === 'valid')) return;
    this.#log.line('info', 'request', {
      endpoint,
      method: method?.slice(0, 20),
      path: uri === undefined ? undefined : loggedPath(uri),
      status,
      verdict,
      keyId,
      address,
      ms: Math.round(ms * 1000) / 1000,
    });
  }

  failed(error: unknown): void {
    this.#log.line('error', 'request failed', describeError(error));
  }
}

/** Messages of other errors can contain anything, so only their name is logged. */
function describeError(error: unknown): { readonly error: string; readonly code?: string } {
  if (isKeysError(error)) return { error: safeText(error.message), code: error.code };
  return { error: error instanceof Error ? error.name : 'unknown' };
}
