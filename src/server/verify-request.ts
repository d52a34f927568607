import type { IncomingMessage } from 'node:http';
import type { Refusal } from '../adapters/types.js';
import { isKeysError } from '../domain/errors.js';
import { assertScopeForm } from '../domain/scopes.js';
import type { Verdict } from '../domain/verdict.js';
import { problem } from './problem.js';

/** A key string and some scopes; what `POST /verify` takes. */
export const MAX_BODY_BYTES = 8192;

export interface Question {
  readonly key: string;
  readonly scopes: readonly string[];
}

const FORM = '{"key": "unlk_…", "scopes": ["checkin:read"]}';

function invalid(detail: string): Refusal {
  return problem(400, 'invalid_request', `${detail}; the body is ${FORM}`);
}

function isTextList(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}

/** Reads the body as it comes; a refusal for what is no question, or too long to be one. */
export async function readQuestion(request: IncomingMessage): Promise<Question | Refusal> {
  const type = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  if (type !== 'application/json') return problem(415, 'unsupported_media_type', 'the body must be application/json');
  const tooLarge = problem(413, 'too_large', `the body has more than ${MAX_BODY_BYTES} bytes`, { Connection: 'close' });
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) return tooLarge;
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > MAX_BODY_BYTES) return tooLarge;
    parts.push(part);
  }
  let body: unknown;
  try {
    body = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(parts)));
  } catch {
    return invalid('the body is no JSON');
  }
  return questionOf(body);
}

function questionOf(body: unknown): Question | Refusal {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return invalid('the body is no object');
  const { key, scopes = [], ...others } = body as Record<string, unknown>;
  if (Object.keys(others).length > 0 || Object.hasOwn(body, '__proto__'))
    return invalid('the body has unknown properties');
  if (typeof key !== 'string') return invalid('key is missing, or no text');
  if (!isTextList(scopes)) return invalid('scopes is no list of texts');
  try {
    for (const scope of scopes) assertScopeForm(scope);
  } catch (error) {
    if (isKeysError(error)) return invalid('a scope is none that a key could hold');
    throw error;
  }
  return { key, scopes };
}

/** A verdict as JSON: what there is to know of the key once its secret was proven, and nothing before. */
export function verdictJson(verdict: Verdict): Record<string, unknown> {
  if (verdict.verdict === 'invalid') return { verdict: 'invalid' };
  const { id, name, mode, scopes, labels, expiresAt } = verdict.key;
  return {
    verdict: verdict.verdict,
    key: { id, name, mode, scopes, labels, expiresAt: expiresAt?.toISOString() ?? null },
    ...('rate' in verdict && verdict.rate && { rate: verdict.rate }),
    ...(verdict.verdict === 'rate_limited' && { retryAfterMs: verdict.retryAfterMs }),
    ...(verdict.verdict === 'missing_scope' && { missingScopes: verdict.missingScopes }),
    ...(verdict.verdict === 'wrong_environment' && { environment: verdict.environment }),
  };
}
