import type { IncomingMessage } from 'node:http';
import { durationMs } from '../domain/expiry.js';
import { problem } from '../http/problem.js';
import type { Refusal } from '../http/types.js';
import { isStringList, readJsonBody } from '../http-server/json-body.js';

/** The body of `POST /keys`. */
export interface IssueRequest {
  readonly scopes: readonly string[];
  /** Milliseconds; null for the default. */
  readonly ttl: number | null;
}

/** As long as a key lives for which nobody asks for less, or a rule allows no more. */
export const DEFAULT_TTL_MS = 3_600_000;

const FORM = '{"scopes": ["checkin:read"], "ttl": "1h"}';
const SCOPE = /^[a-z][a-z0-9-]{0,30}:(?:\*|[a-z][a-z0-9-]{0,30})$/;
const MAX_SCOPES = 100;

function invalid(detail: string): Refusal {
  return problem(400, 'bad_request', `${detail}; expected ${FORM}`);
}

/** Reads the body of `POST /keys`, or refuses it. */
export async function readIssueRequest(request: IncomingMessage): Promise<IssueRequest | Refusal> {
  const body = await readJsonBody(request, invalid);
  if ('ok' in body) return body;
  const { scopes, ttl, ...others } = body.object;
  if (Object.keys(others).length > 0) return invalid('the body has unknown properties');
  if (!isStringList(scopes) || scopes.length === 0 || scopes.length > MAX_SCOPES)
    return invalid(`scopes is not a list of 1 to ${MAX_SCOPES} strings`);
  if (!scopes.every((scope) => SCOPE.test(scope))) return invalid('a scope is not of the form category:action');
  if (ttl === undefined) return { scopes, ttl: null };
  const ms = typeof ttl === 'string' ? durationMs(ttl) : null;
  if (ms === null) return invalid('ttl is not a duration such as 15m or 1h');
  return { scopes, ttl: ms };
}
