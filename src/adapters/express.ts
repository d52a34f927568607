import type { RequestHandler } from 'express';
import type { ApiKey } from '../domain/api-key.js';
import { gate } from './gate.js';
import { placesIn } from './node-request.js';
import type { KeyVerifier, ProtectOptions } from './types.js';

export type { KeyVerifier, Problem, ProtectOptions } from './types.js';

declare global {
  namespace Express {
    interface Request {
      /** The key that this request was let in with; there behind `protect` only. */
      apiKey?: ApiKey;
    }
  }
}

/**
 * Express middleware (4 and 5): lets a request on with `req.apiKey` set, or answers it. Put it before anything that reads the body.
 * Throws `usage` for a scope that no key could hold.
 *
 * @example
 * ```ts
 * app.get('/plans', protect(verifier, { scopes: ['plan:read'] }), (req, res) => {
 *   res.json({ for: req.apiKey?.id });
 * });
 * ```
 */
export function protect(verifier: KeyVerifier, options?: ProtectOptions): RequestHandler {
  const pass = gate(verifier, options);
  return (req, res, next) => {
    pass(req, placesIn(req)).then((answer) => {
      if (res.headersSent) return;
      for (const [name, value] of Object.entries(answer.headers)) res.setHeader(name, value);
      if (answer.ok) {
        req.apiKey = answer.key;
        next();
      } else {
        res.statusCode = answer.status;
        res.end(JSON.stringify(answer.body));
      }
    }, next);
  };
}
