import type { IncomingMessage } from 'node:http';
import { isKeysError } from '../domain/errors.js';
import { assertScopeForm } from '../domain/scopes.js';
import type { Verdict } from '../domain/verdict.js';
import { problem } from '../http/problem.js';
import type { Refusal } from '../http/types.js';
import { isStringList, readJsonBody } from '../http-server/json-body.js';

/** The body of `POST /verify`. */
export interface VerifyRequest {
  readonly key: string;
  readonly scopes: readonly string[];
  /** Of the request that the key came with. A server with rules needs both. */
  readonly method?: string | undefined;
  /** With the query, if it has one. */
  readonly path?: string | undefined;
  /** The IP address that the request came from. */
  readonly address?: string | undefined;
}

const FORM = '{"key": "unlk_…", "scopes": ["checkin:read"]}';

function invalid(detail: string): Refusal {
  return problem(400, 'invalid_request', `${detail}; expected ${FORM}`);
}

function isOptionalString(value: unknown): value is string | undefined {
  return value === undefined || typeof value === 'string';
}

/** Reads the body of `POST /verify`, or refuses it. Stops reading when the body is too large. */
export async function readVerifyRequest(request: IncomingMessage): Promise<VerifyRequest | Refusal> {
  const body = await readJsonBody(request, invalid);
  return 'ok' in body ? body : verifyRequestFrom(body.object);
}

function verifyRequestFrom(body: Record<string, unknown>): VerifyRequest | Refusal {
  const { key, scopes = [], method, path, address, ...others } = body;
  if (Object.keys(others).length > 0) return invalid('the body has unknown properties');
  if (typeof key !== 'string') return invalid('key is missing or not a string');
  if (!isStringList(scopes)) return invalid('scopes is not a list of strings');
  if (!isOptionalString(method)) return invalid('method is not a string');
  if (!isOptionalString(path)) return invalid('path is not a string');
  if (!isOptionalString(address)) return invalid('address is not a string');
  try {
    for (const scope of scopes) assertScopeForm(scope);
  } catch (error) {
    if (isKeysError(error)) return invalid('a scope is not of the form category:action');
    throw error;
  }
  return { key, scopes, method, path, address };
}

/** A verdict as JSON. It describes the key only when the secret was proven. */
export function verdictJson(verdict: Verdict): Record<string, unknown> {
  if (verdict.verdict === 'invalid') return { verdict: 'invalid' };
  const { id, name, mode, scopes, labels, expiresAt } = verdict.key;
  return {
    verdict: verdict.verdict,
    key: { id, name, mode, scopes, labels, expiresAt: expiresAt?.toISOString() ?? null },
    ...('rate' in verdict && verdict.rate && { rate: verdict.rate }),
    ...(verdict.verdict === 'rate_limited' && { retryAfterMs: verdict.retryAfterMs }),
    ...(verdict.verdict === 'missing_scope' && { missingScopes: verdict.missingScopes }),
    ...(verdict.verdict === 'wrong_address' && { address: verdict.address }),
    ...(verdict.verdict === 'wrong_environment' && { environment: verdict.environment }),
  };
}
