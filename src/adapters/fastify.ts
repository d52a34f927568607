import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ApiKey } from '../domain/api-key.js';
import type { AddressOption, ProtectOptions as BaseOptions, KeyVerifier } from '../http/types.js';
import { gate, takeAddress } from './gate.js';
import { keySources } from './node-request.js';

export type { KeyVerifier, Problem, RefusedVerdict } from '../http/types.js';

/** Options of {@link protect}. */
export type ProtectOptions = BaseOptions & AddressOption<FastifyRequest>;

declare module 'fastify' {
  interface FastifyRequest {
    /** The API key of this request. Set only behind `protect`. */
    apiKey?: ApiKey;
  }
}

/**
 * A Fastify 5 hook for `onRequest`, of one route or of a whole instance; it runs before the body is read. With a valid key it sets
 * `request.apiKey` and the rate limit headers; otherwise it sends a {@link Problem} with status 400, 401, 403, 429 or 503.
 *
 * Throws `usage` for invalid options, and for a scope that is not well-formed. At run time it rejects only with what `onUnavailable` or `onRefused` throws.
 *
 * `address: (request) => request.ip` lets keys in that work from certain addresses only. `request.ip` is what Fastify makes of its option `trustProxy`.
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
  const { addressOf, others } = takeAddress(options);
  const pass = gate(verifier, others);
  return async (request, reply) => {
    const response = await pass(request.raw, keySources(request.raw), () => addressOf(request));
    reply.headers(response.headers);
    if (!response.ok) {
      // As bytes: to a string Fastify adds a charset, which application/problem+json does not have.
      return reply.code(response.status).send(Buffer.from(JSON.stringify(response.body)));
    }
    request.apiKey = response.key;
    return undefined;
  };
}
