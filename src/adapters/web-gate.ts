import type { ApiKey } from '../domain/api-key.js';
import type { Headers, KeyVerifier, ProtectOptions } from '../http/types.js';
import { type FindAddress, gate } from './gate.js';

/** The key of a request that may continue, with headers to add to its response; or the response to return instead. */
export type WebResult =
  | { readonly ok: true; readonly key: ApiKey; readonly headers: Headers }
  | { readonly ok: false; readonly response: Response };

/** A gate for the Fetch standard's `Request` and `Response`, for `web.ts` and `hono.ts`. */
export function webGate(
  verifier: KeyVerifier,
  options?: ProtectOptions,
): (request: Request, find: FindAddress) => Promise<WebResult> {
  const pass = gate(verifier, options);
  return async (request, find) => {
    const { headers, url } = request;
    const sources = { authorization: headers.get('authorization'), xApiKey: headers.get('x-api-key'), url };
    const response = await pass(request, sources, find);
    if (response.ok) return { ok: true, key: response.key, headers: response.headers };
    const { status, body } = response;
    return { ok: false, response: new Response(JSON.stringify(body), { status, headers: response.headers }) };
  };
}
