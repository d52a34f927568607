import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ApiKey } from '../domain/api-key.js';
import { gate } from './gate.js';
import { placesIn } from './node-request.js';
import type { KeyVerifier, ProtectOptions } from './types.js';

export type { KeyVerifier, Problem, ProtectOptions } from './types.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** The key that this request was let in with; there behind `protect` only. */
    apiKey?: ApiKey;
  }
}

/**
 * A Fastify 5 hook for `onRequest`, which runs before the body is read, of a route or of a whole instance: lets a request on with
 * `request.apiKey` set, or answers it. Throws `usage` for a scope that no key could hold. (The answer is sent as bytes, because Fastify
 * adds a `charset` to the type of text, which `application/problem+json` does not have.)
 *
 * @example
 * ```ts
 * app.get('/plans', { onRequest: protect(verifier, { scopes: ['plan:read'] }) }, async (request) => ({ for: request.apiKey?.id }));
 * ```
 */
export function protect(
  verifier: KeyVerifier,
  options?: ProtectOptions,
): (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply | undefined> {
  const pass = gate(verifier, options);
  return async (request, reply) => {
    const answer = await pass(request.raw, placesIn(request.raw));
    reply.headers(answer.headers);
    if (!answer.ok) return reply.code(answer.status).send(Buffer.from(JSON.stringify(answer.body)));
    request.apiKey = answer.key;
    return undefined;
  };
}
