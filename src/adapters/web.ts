import type { ApiKey } from '../domain/api-key.js';
import { gate } from './gate.js';
import type { KeyVerifier, ProtectOptions } from './types.js';

export type { KeyVerifier, Problem, ProtectOptions } from './types.js';

export type WebAnswer =
  | { readonly ok: true; readonly key: ApiKey; readonly headers: Readonly<Record<string, string>> }
  | { readonly ok: false; readonly response: Response };

/**
 * Guards a route of anything that speaks the Fetch standard's `Request` and `Response`: hand `response` back as it is, or set
 * `headers` on a response of your own. Throws `usage` for a scope that no key could hold.
 *
 * @example
 * ```ts
 * const readPlans = protect(verifier, { scopes: ['plan:read'] });
 *
 * async function plans(request: Request): Promise<Response> {
 *   const answer = await readPlans(request);
 *   if (!answer.ok) return answer.response;
 *   return Response.json({ for: answer.key.id }, { headers: answer.headers });
 * }
 * ```
 */
export function protect(verifier: KeyVerifier, options?: ProtectOptions): (request: Request) => Promise<WebAnswer> {
  const pass = gate(verifier, options);
  return async (request) => {
    const { headers, url } = request;
    const authorization = headers.get('authorization');
    const answer = await pass(request, { authorization, xApiKey: headers.get('x-api-key'), url });
    if (answer.ok) return { ok: true, key: answer.key, headers: answer.headers };
    const { status, body } = answer;
    return { ok: false, response: new Response(JSON.stringify(body), { status, headers: answer.headers }) };
  };
}
