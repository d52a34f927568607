import type { Context, MiddlewareHandler } from 'hono';
import type { ApiKey } from '../domain/api-key.js';
import type { AddressOption, ProtectOptions as BaseOptions, KeyVerifier } from '../http/types.js';
import { takeAddress } from './gate.js';
import { webGate } from './web-gate.js';

export type { KeyVerifier, Problem, RefusedVerdict } from '../http/types.js';

/** Options of {@link protect}. */
export type ProtectOptions = BaseOptions & AddressOption<Context>;

/**
 * Hono middleware. With a valid key it sets `c.get('apiKey')` and the rate limit headers and calls `next()`; otherwise it returns a
 * {@link Problem} with status 400, 401, 403, 429 or 503.
 *
 * Throws `usage` for invalid options, and for a scope that is not well-formed. At run time it rejects only with what `onUnavailable`, `onRefused` or a later handler throws.
 *
 * `address: (c) => getConnInfo(c).remote.address` (of your runtime's `conninfo`) lets keys in that work from certain addresses only.
 *
 * @example
 * ```ts
 * app.get('/plans', protect(verifier, { scopes: ['plan:read'] }), (c) => c.json({ for: c.get('apiKey').id }));
 * ```
 */
export function protect(
  verifier: KeyVerifier,
  options?: ProtectOptions,
): MiddlewareHandler<{ Variables: { apiKey: ApiKey } }> {
  const { addressOf, others } = takeAddress(options);
  const pass = webGate(verifier, others);
  return async (c, next) => {
    const result = await pass(c.req.raw, () => addressOf(c));
    if (!result.ok) return result.response;
    c.set('apiKey', result.key);
    await next();
    for (const [name, value] of Object.entries(result.headers)) c.header(name, value);
    return undefined;
  };
}
