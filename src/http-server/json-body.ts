import type { IncomingMessage } from 'node:http';
import { namesOnce } from '../domain/json-names.js';
import { problem } from '../http/problem.js';
import type { Refusal } from '../http/types.js';

/** Enough for a key string and many scopes. */
export const MAX_BODY_BYTES = 8192;

/**
 * Reads the body of a request as a JSON object, or refuses it; `invalid` makes the refusal for a body that is not one. Stops reading when
 * it is too large.
 */
export async function readJsonBody(
  request: IncomingMessage,
  invalid: (detail: string) => Refusal,
): Promise<{ readonly object: Record<string, unknown> } | Refusal> {
  const type = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  if (type !== 'application/json') return problem(415, 'unsupported_media_type', 'send the body as application/json');
  const tooLarge = problem(413, 'too_large', `the body is larger than ${MAX_BODY_BYTES} bytes`, {
    Connection: 'close',
  });
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) return tooLarge;
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > MAX_BODY_BYTES) return tooLarge;
    parts.push(part);
  }
  let text: string;
  let body: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(parts));
    body = JSON.parse(text);
  } catch {
    return invalid('the body is not JSON');
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return invalid('the body is not an object');
  if (Object.hasOwn(body, '__proto__')) return invalid('the body has unknown properties');
  // A program that puts a key string into a text without escaping it would let its sender name another path.
  if (!namesOnce(text, body)) return invalid('the body has a property twice');
  return { object: body as Record<string, unknown> };
}

export function isStringList(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}
