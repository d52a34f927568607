import { readName } from '../domain/key-name.js';
import { parseKeyString } from '../domain/key-parts.js';
import { isKeyId } from '../domain/key-string.js';
import type { HttpResponse } from '../http/transport.js';

/** A key that a server made for this job. */
export interface IssuedKey {
  readonly id: string;
  readonly name: string;
  readonly keyString: string;
  readonly scopes: readonly string[];
  readonly expiresAt: Date;
}

/** What a job asks for. */
export interface KeyRequest {
  readonly scopes: readonly string[];
  /** A duration such as `1h`; undefined: what the server gives without being asked. */
  readonly ttl: string | undefined;
}

/** By how much the clocks of the two machines may differ. */
const SKEW_MS = 3_600_000;

/** An answer of 201 that is not what was asked for. */
export class WrongAnswer extends Error {
  /** The keys that it names, to be deleted. */
  readonly ids: readonly string[];
  /** `message` follows a colon. */
  constructor(message: string, ids: readonly string[] = []) {
    super(message);
    this.ids = ids;
  }
}

function objectIn({ text }: HttpResponse): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

/** Whether all of an answer came, as far as that can be told. */
export function holdsObject(response: HttpResponse): boolean {
  return objectIn(response) !== null;
}

function isName(value: unknown): value is string {
  try {
    return typeof value === 'string' && readName(value) === value;
  } catch {
    return false;
  }
}

function isSameSet(value: unknown, asked: readonly string[]): boolean {
  if (!Array.isArray(value)) return false;
  const given = new Set(value);
  return value.length === given.size && given.size === new Set(asked).size && asked.every((scope) => given.has(scope));
}

/** The time that a text of ISO 8601 in UTC says; null for anything else. */
function instant(value: unknown): Date | null {
  if (typeof value !== 'string' || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?Z$/.test(value)) return null;
  const at = new Date(value);
  return Number.isNaN(at.getTime()) ? null : at;
}

/** The time of the server, or 0: the clock of this machine may be far behind. */
function servedAt({ headers }: HttpResponse): number {
  return Date.parse(headers.date ?? '') || 0;
}

/**
 * The key in an answer of 201. Throws {@link WrongAnswer} unless it is the key that was asked for: a test key, with these scopes and no
 * others, that ends. `longestMs`: how long it may live. The message repeats no secret.
 */
export function readIssuedKey(
  response: HttpResponse,
  { scopes }: KeyRequest,
  { now, longestMs }: { readonly now: Date; readonly longestMs: number },
): IssuedKey {
  const answer = objectIn(response) ?? {};
  const key = parseKeyString(answer.key);
  const ids = [...new Set([answer.id, key.ok ? key.id : null])].filter(
    (id): id is string => typeof id === 'string' && isKeyId(id),
  );
  const expiresAt = instant(answer.expiresAt);
  const wrong = (): string | null => {
    if (!key.ok) return 'it holds no key string';
    if (key.mode !== 'test' || answer.mode !== 'test') return 'its key is not a test key';
    if (answer.id !== key.id) return 'its id is not that of its key string';
    if (!isName(answer.name)) return 'its name is not the name of a key';
    if (!isSameSet(answer.scopes, scopes)) return 'its key has other scopes';
    if (expiresAt === null) return 'its key does not expire';
    if (expiresAt.getTime() <= (servedAt(response) || now.getTime() - SKEW_MS)) return 'its key has expired already';
    if (expiresAt.getTime() > Math.max(now.getTime(), servedAt(response)) + longestMs + SKEW_MS)
      return 'its key lives longer than was asked for';
    return null;
  };
  const problem = wrong();
  if (problem !== null || !key.ok || expiresAt === null) throw new WrongAnswer(problem ?? '', ids);
  const { id, name, key: keyString } = answer as { id: string; name: string; key: string };
  return { id, name, keyString, scopes: answer.scopes as string[], expiresAt };
}

/** The problem details of a refusal (RFC 9457), as far as they are there. */
export function readProblem(response: HttpResponse): {
  code: string | null;
  detail: string | null;
  keyId: string | null;
} {
  const body = /json/i.test(response.headers['content-type'] ?? '') ? objectIn(response) : null;
  const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : null);
  const keyId = text(body?.keyId);
  return { code: text(body?.code), detail: text(body?.detail), keyId: keyId !== null && isKeyId(keyId) ? keyId : null };
}
