import type { KeyVerifier, ProtectOptions } from '../http/types.js';
import { type WebResult, webGate } from './web-gate.js';

export type { KeyVerifier, Problem, ProtectOptions, RefusedVerdict } from '../http/types.js';
export type { WebResult } from './web-gate.js';

/**
 * Guards a handler of the Fetch standard's `Request` and `Response`. With a valid key it resolves to the key and to headers (the state of the
 * rate limit) for your response; otherwise to a response to return as it is: a {@link Problem} with status 400, 401, 403, 429 or 503.
 *
 * Throws `usage` for invalid options, and for a scope that is not well-formed. At run time it rejects only with what `onUnavailable` or `onRefused` throws.
 *
 * The function that it returns takes the IP address of the client as well, if your server knows it: keys that work from certain addresses only are
 * refused without it.
 *
 * @example
 * ```ts
 * const readPlans = protect(verifier, { scopes: ['plan:read'] });
 *
 * async function plans(request: Request): Promise<Response> {
 *   const result = await readPlans(request);
 *   if (!result.ok) return result.response;
 *   return Response.json({ for: result.key.id }, { headers: result.headers });
 * }
 * ```
 */
export function protect(
  verifier: KeyVerifier,
  options?: ProtectOptions,
): (request: Request, address?: string | null | undefined) => Promise<WebResult> {
  const pass = webGate(verifier, options);
  return (request, address) => pass(request, () => address);
}
