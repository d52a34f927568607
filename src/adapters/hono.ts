import type { MiddlewareHandler } from 'hono';
import type { ApiKey } from '../domain/api-key.js';
import type { KeyVerifier, ProtectOptions } from './types.js';
import { protect as protectWeb } from './web.js';

export type { KeyVerifier, Problem, ProtectOptions } from './types.js';

/**
 * Hono middleware: lets a request on with `c.get('apiKey')` set, or answers it. Throws `usage` for a scope that no key could hold.
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
  const pass = protectWeb(verifier, options);
  return async (c, next) => {
    const answer = await pass(c.req.raw);
    if (!answer.ok) return answer.response;
    c.set('apiKey', answer.key);
    await next();
    for (const [name, value] of Object.entries(answer.headers)) c.header(name, value);
    return undefined;
  };
}
