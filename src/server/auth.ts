import type { IncomingMessage } from 'node:http';
import { answer, type Outcome } from '../adapters/answer.js';
import { extractKey } from '../adapters/authorization.js';
import type { KeyVerifier, Refusal } from '../adapters/types.js';
import type { ApiKey } from '../domain/api-key.js';
import { problem } from './problem.js';
import { type Rule, scopesFor } from './rules.js';
import { readTarget } from './target.js';

/** What every request needs: by a list of rules, or the same scopes for all. */
export type Requirements =
  | { readonly by: 'rules'; readonly rules: readonly Rule[] }
  | { readonly by: 'scopes'; readonly scopes: readonly string[] };

/** What became of a request: what to answer, and what to say of it in logs and metrics. */
export interface Decision {
  readonly verdict: string;
  readonly answer:
    | { readonly ok: true; readonly key: ApiKey; readonly headers: Readonly<Record<string, string>> }
    | Refusal;
  /** Known once the secret was proven. */
  readonly keyId?: string | undefined;
  /** As they were forwarded. */
  readonly method?: string | undefined;
  readonly uri?: string | undefined;
  /** What kept the store from answering. */
  readonly trouble?: unknown;
}

/** The headers that decide, each as often as it was sent: Node keeps one of several, or joins them, without a word. */
interface Sent {
  readonly authorization: string[];
  readonly xApiKey: string[];
  readonly method: string[];
  readonly uri: string[];
}

/** One walk over all headers, for this is asked many thousand times a second; the length of a name is compared first. */
function sentIn({ rawHeaders }: IncomingMessage): Sent {
  const sent: Sent = { authorization: [], xApiKey: [], method: [], uri: [] };
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const into = fieldOf(rawHeaders[i] as string);
    if (into !== null) sent[into].push(rawHeaders[i + 1] as string);
  }
  return sent;
}

function fieldOf(name: string): keyof Sent | null {
  if (name.length === 13 && name.toLowerCase() === 'authorization') return 'authorization';
  if (name.length === 9 && name.toLowerCase() === 'x-api-key') return 'xApiKey';
  if (name.length === 18 && name.toLowerCase() === 'x-forwarded-method') return 'method';
  if (name.length === 15 && name.toLowerCase() === 'x-forwarded-uri') return 'uri';
  return null;
}

/** Decides on the request that a proxy asks about. It resolves whatever happens; nobody is let in without a verdict. */
export async function decide(
  request: IncomingMessage,
  requirements: Requirements,
  verifier: KeyVerifier,
): Promise<Decision> {
  const sent = sentIn(request);
  const method = sent.method.length === 1 ? sent.method[0] : undefined;
  const uri = sent.uri.length === 1 ? sent.uri[0] : undefined;
  const refuse = (status: 400 | 403, code: string, detail: string): Decision => ({
    verdict: code,
    answer: problem(status, code, detail),
    method,
    uri,
  });
  if (sent.method.length > 1 || sent.uri.length > 1)
    return refuse(400, 'invalid_request', 'X-Forwarded-Method and X-Forwarded-Uri must not be sent more than once');
  let scopes: readonly string[];
  if (requirements.by === 'scopes') scopes = requirements.scopes;
  else {
    if (method === undefined || uri === undefined)
      return refuse(400, 'invalid_request', 'X-Forwarded-Method and X-Forwarded-Uri must be sent by the proxy');
    const target = readTarget(method, uri);
    if (target === null)
      return refuse(400, 'ambiguous_path', 'the path of the request could be read in more than one way');
    const needed = scopesFor(requirements.rules, target);
    if (needed === null) return refuse(403, 'no_rule', 'no rule lets this request in');
    scopes = needed;
  }
  const found = extractKey({ authorization: sent.authorization, xApiKey: sent.xApiKey[0], url: uri ?? request.url });
  if (!found.ok) return { verdict: found.problem, answer: answer({ verdict: found.problem }), method, uri };
  let outcome: Outcome;
  let trouble: unknown;
  try {
    outcome = await verifier.verify(found.keyString, { scopes });
  } catch (error) {
    trouble = error;
    outcome = { verdict: 'unavailable' };
  }
  const keyId = 'key' in outcome ? outcome.key.id : undefined;
  return { verdict: outcome.verdict, answer: answer(outcome, scopes), keyId, method, uri, trouble };
}
