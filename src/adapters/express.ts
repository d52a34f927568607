import type { Request, RequestHandler } from 'express';
import type { ApiKey } from '../domain/api-key.js';
import type { AddressOption, ProtectOptions as BaseOptions, KeyVerifier } from '../http/types.js';
import { gate, takeAddress } from './gate.js';
import { keySources } from './node-request.js';

export type { KeyVerifier, Problem, RefusedVerdict } from '../http/types.js';

/** Options of {@link protect}. */
export type ProtectOptions = BaseOptions & AddressOption<Request>;

declare global {
  namespace Express {
    interface Request {
      /** The API key of this request. Set only behind `protect`. */
      apiKey?: ApiKey;
    }
  }
}

/**
 * Express middleware (4 and 5). With a valid key it sets `req.apiKey` and the rate limit headers and calls `next()`; otherwise it sends a
 * {@link Problem} with status 400, 401, 403, 429 or 503. Put it before any middleware that reads the body.
 *
 * Throws `usage` for invalid options, and for a scope that is not well-formed. At run time it passes only what `onUnavailable` and `onRefused` throw on to Express.
 *
 * `address: (req) => req.ip` lets keys in that work from certain addresses only. `req.ip` is what Express makes of its setting `trust proxy`.
 *
 * @example
 * ```ts
 * app.get('/plans', protect(verifier, { scopes: ['plan:read'] }), (req, res) => {
 *   res.json({ for: req.apiKey?.id });
 * });
 * ```
 */
export function protect(verifier: KeyVerifier, options?: ProtectOptions): RequestHandler {
  const { addressOf, others } = takeAddress(options);
  const pass = gate(verifier, others);
  return (req, res, next) => {
    pass(req, keySources(req), () => addressOf(req)).then((response) => {
      if (res.headersSent) return;
      for (const [name, value] of Object.entries(response.headers)) res.setHeader(name, value);
      if (response.ok) {
        req.apiKey = response.key;
        next();
      } else {
        res.statusCode = response.status;
        res.end(JSON.stringify(response.body));
      }
    }, next);
  };
}
