import type { IncomingMessage } from 'node:http';
import { extractKey } from '../http/authorization.js';
import { problem } from '../http/problem.js';
import { type RequestVerdict, responseFor } from '../http/response.js';
import type { Admission, Refusal } from '../http/types.js';
import type { Verifier } from '../verifier/verifier.js';
import { forwardedFor } from './client-address.js';
import { type Rule, scopesFor } from './rules.js';
import { METHOD, namesOtherMethod, readTarget } from './target.js';
import type { VerifyRequest } from './verify-request.js';

/** Which scopes a request needs: those of the first matching rule, or the same for all requests. */
export type Requirements =
  | { readonly by: 'rules'; readonly rules: readonly Rule[] }
  | { readonly by: 'scopes'; readonly scopes: readonly string[] };

/** The response to a request, and what logs and metrics say about it. */
export interface Decision {
  readonly verdict: string;
  readonly response: Admission | Refusal;
  /** Set when the secret was proven. */
  readonly keyId?: string | undefined;
  /** As the proxy forwarded it. */
  readonly method?: string | undefined;
  /** As the proxy forwarded it. */
  readonly uri?: string | undefined;
  /** Where the request came from, if it was refused because of that; null where that is not known. */
  readonly address?: string | null | undefined;
  /** Why there is no verdict. */
  readonly error?: unknown;
}

/** All values of the headers that matter. Of several fields with one name, Node silently keeps the first or joins them. */
interface SentHeaders {
  authorization: readonly string[];
  xApiKey: readonly string[];
  method: readonly string[];
  uri: readonly string[];
  /** The method that some frameworks take instead of the request's own. */
  override: readonly string[];
  forwardedFor: readonly string[];
  upgrade: readonly string[];
  /** With underscores, which CGI, WSGI and others cannot tell from hyphens: the server behind would take them for ours. */
  disguised: readonly string[];
}

const NOTHING: readonly string[] = [];

/** This runs for every request, so it reads the headers once and compares the lengths of the names first. */
function readHeaders({ rawHeaders }: IncomingMessage): SentHeaders {
  const sent: SentHeaders = {
    authorization: NOTHING,
    xApiKey: NOTHING,
    method: NOTHING,
    uri: NOTHING,
    override: NOTHING,
    forwardedFor: NOTHING,
    upgrade: NOTHING,
    disguised: NOTHING,
  };
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const into = fieldOf(rawHeaders[i] as string);
    if (into === null) continue;
    const value = rawHeaders[i + 1] as string;
    sent[into] = sent[into] === NOTHING ? [value] : [...sent[into], value];
  }
  return sent;
}

const OVERRIDE = /^x[-_](?:http[-_])?method(?:[-_]override)?$/i;
const DISGUISED = /^x[-_]api[-_]key[-_](?:id|name|mode|scopes)$/i;

function fieldOf(name: string): keyof SentHeaders | null {
  switch (name.length) {
    case 7:
      return name.toLowerCase() === 'upgrade' ? 'upgrade' : null;
    case 9:
      return name.toLowerCase() === 'x-api-key' ? 'xApiKey' : null;
    case 12:
    case 14:
    case 16:
      return name.includes('_') && DISGUISED.test(name) ? 'disguised' : null;
    case 13:
      if (name.toLowerCase() === 'authorization') return 'authorization';
      return OVERRIDE.test(name) ? 'override' : null;
    case 15:
      if (name.toLowerCase() === 'x-forwarded-uri') return 'uri';
      return name.toLowerCase() === 'x-forwarded-for' ? 'forwardedFor' : null;
    case 17:
    case 22:
      return OVERRIDE.test(name) ? 'override' : null;
    case 18:
      return name.toLowerCase() === 'x-forwarded-method' ? 'method' : null;
    default:
      return null;
  }
}

/** A request as a proxy describes it: by headers, or by the request itself (Envoy). */
export interface Described {
  readonly method: string | undefined;
  readonly uri: string | undefined;
}

/**
 * Decides on the request that a proxy asks about. Without `described`, the proxy describes it by X-Forwarded-Method and X-Forwarded-Uri.
 * `hops`: the place of the client's address in X-Forwarded-For; undefined where that is not trusted. Without a promise where there is nothing to
 * wait for. Never throws or rejects, and lets no request through without a verdict.
 */
export function decide(
  request: IncomingMessage,
  requirements: Requirements,
  verifier: Verifier,
  { described, hops }: { readonly described?: Described | undefined; readonly hops?: number | undefined } = {},
): Decision | Promise<Decision> {
  const sent = readHeaders(request);
  const { method, uri } = described ?? {
    method: sent.method.length === 1 ? sent.method[0] : undefined,
    uri: sent.uri.length === 1 ? sent.uri[0] : undefined,
  };
  const scopes = refusalOf(request, sent, requirements, described) ?? neededScopes(requirements, method, uri);
  if ('ok' in scopes) return { verdict: scopes.body.code, response: scopes, method, uri };
  const found = extractKey({ authorization: sent.authorization, xApiKey: sent.xApiKey[0], url: uri ?? request.url });
  if (!found.ok) {
    const verdict = found.problem;
    return { verdict, response: responseFor({ verdict }), method, uri };
  }
  const decided = (verdict: RequestVerdict, error?: unknown): Decision => {
    const keyId = 'key' in verdict ? verdict.key.id : undefined;
    const address = verdict.verdict === 'wrong_address' ? verdict.address : undefined;
    return { verdict: verdict.verdict, response: responseFor(verdict, scopes), keyId, method, uri, address, error };
  };
  const undecided = (error: unknown) => decided({ verdict: 'unavailable' }, error);
  try {
    const address = hops === undefined ? undefined : forwardedFor(sent.forwardedFor, hops);
    const verdict = verifier.verdict(found.keyString, { scopes, address });
    return verdict instanceof Promise ? verdict.then(decided, undecided) : decided(verdict);
  } catch (error) {
    return undecided(error);
  }
}

/**
 * Whether the proxy passes on that the client wants to go on in another protocol than HTTP/1.1 or WebSocket. In HTTP/2 without TLS (`h2c`),
 * it would send requests to the server behind that nobody asks us about.
 */
function leavesHttp({ headers }: IncomingMessage, { upgrade }: SentHeaders): boolean {
  if (upgrade === NOTHING || !/upgrade/i.test(headers.connection ?? '')) return false;
  return upgrade.some((each) => each.toLowerCase() !== 'websocket');
}

/** Headers that the server behind the proxy could read otherwise than this one does. */
function refusalOf(
  request: IncomingMessage,
  sent: SentHeaders,
  requirements: Requirements,
  described: Described | undefined,
): Refusal | null {
  if (leavesHttp(request, sent)) return problem(400, 'invalid_request', 'Upgrade must name websocket, or nothing');
  if (!described && (sent.method.length > 1 || sent.uri.length > 1))
    return problem(400, 'invalid_request', 'X-Forwarded-Method and X-Forwarded-Uri must not be sent more than once');
  if (sent.disguised.length > 0)
    return problem(400, 'invalid_request', 'X-Api-Key-… headers must not be sent with underscores');
  const method = described?.method ?? sent.method[0];
  if (requirements.by === 'rules' && sent.override.some((each) => each !== method))
    return problem(400, 'invalid_request', 'X-HTTP-Method-Override must not name another method');
  return null;
}

/** The scopes that a request needs, or its refusal. */
function neededScopes(
  requirements: Requirements,
  method: string | undefined,
  uri: string | undefined,
): readonly string[] | Refusal {
  if (requirements.by === 'scopes') return requirements.scopes;
  if (method === undefined || uri === undefined)
    return problem(400, 'invalid_request', 'the proxy must send X-Forwarded-Method and X-Forwarded-Uri');
  return scopesOf(requirements.rules, method, uri);
}

function scopesOf(rules: readonly Rule[], method: string, uri: string): readonly string[] | Refusal {
  if (!METHOD.test(method))
    return problem(400, 'invalid_request', 'the method must be of up to 20 capital letters, as in rules');
  if (namesOtherMethod(method, uri))
    return problem(400, 'invalid_request', '_method in the query must not name another method');
  const target = readTarget(method, uri);
  if (target === null) return problem(400, 'ambiguous_path', 'the path can be read in more than one way');
  return scopesFor(rules, target) ?? problem(403, 'no_rule', 'no rule allows this request');
}

/** The scopes that a program's question needs: those that it asks for, and those that this server requires of every request. */
export function neededToVerify(
  requirements: Requirements,
  { scopes, method, path }: VerifyRequest,
): readonly string[] | Refusal {
  if (requirements.by === 'scopes') return [...new Set([...requirements.scopes, ...scopes])];
  if (method === undefined || path === undefined)
    return problem(400, 'invalid_request', 'this server decides by rules: send "method" and "path" as well');
  const required = scopesOf(requirements.rules, method, path);
  return 'ok' in required ? required : [...new Set([...required, ...scopes])];
}
