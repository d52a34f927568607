import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ApiKey } from '../domain/api-key.js';
import { counted } from '../domain/counted.js';
import { isKeysError } from '../domain/errors.js';
import { isKeyId } from '../domain/key-string.js';
import { resolveScopes } from '../domain/scopes.js';
import { safeText } from '../domain/text.js';
import { extractKey } from '../http/authorization.js';
import { problem } from '../http/problem.js';
import type { Refusal } from '../http/types.js';
import { HttpServer, type Limits } from '../http-server/http-server.js';
import type { Listen } from '../http-server/listen.js';
import type { Log } from '../http-server/log.js';
import type { Metrics } from '../http-server/metrics.js';
import type { Issued, Issuing, ProvenJob } from '../keyring/issuing.js';
import type { Keyring } from '../keyring/keyring.js';
import { admit } from './admission.js';
import { handOver, isGone } from './hand-over.js';
import { DEFAULT_TTL_MS, type IssueRequest, readIssueRequest } from './issue-request.js';
import { type Job, jobOf } from './jobs.js';
import { type Endpoint, issueMetrics } from './metrics.js';
import {
  exchangeRefused,
  noSuchKey,
  notAllowed,
  scopeNotAllowed,
  storeRefused,
  tokenMalformed,
  tokenMissing,
  tokenRefused,
  ttlTooLong,
} from './refusals.js';
import type { IssueRule } from './rules.js';
import type { Tokens, VerifiedToken } from './tokens.js';

/** Which answers are logged. */
export type Logged = 'all' | 'refused' | 'none';

export interface IssueServerOptions {
  readonly keyring: Keyring;
  readonly issuing: Issuing;
  readonly rules: readonly IssueRule[];
  readonly tokens: Tokens;
  readonly log: Log;
  readonly logged: Logged;
  readonly limits?: Partial<Limits> | undefined;
}

type LogFields = Readonly<Record<string, string | undefined>>;

/** What was answered: a refusal, or what was done. `fields`: what the log says besides. */
interface Outcome {
  readonly answer: Refusal | 'issued' | 'ended' | 'undelivered' | 'gone';
  readonly fields: LogFields;
}

const KEY_PATH = /^\/keys\/([^/?#]+)$/;

/** Test keys for jobs that prove who they are, over HTTP. */
export class IssueServer {
  readonly #keyring: Keyring;
  readonly #issuing: Issuing;
  readonly #tokens: Tokens;
  readonly #log: Log;
  readonly #logged: Logged;
  readonly #metrics: Metrics<Endpoint>;
  readonly #server: HttpServer;
  /** Requests under way: the store must not be closed before a key that nobody got is taken back. */
  readonly #running = new Set<Promise<void>>();
  #rules: readonly IssueRule[] = [];
  #undelivered = 0;

  constructor({ keyring, issuing, rules, tokens, log, logged, limits }: IssueServerOptions) {
    this.#keyring = keyring;
    this.#issuing = issuing;
    this.#tokens = tokens;
    this.#log = log;
    this.#logged = logged;
    this.#metrics = issueMetrics(
      () => ({ ...tokens.counts, undelivered: this.#undelivered }),
      () => this.#server.connections,
    );
    const service = {
      serve: (request: IncomingMessage, reply: ServerResponse) => this.#track(this.#route(request, reply)),
      refused: (code: string, status: number) => this.#note('other', code, status, {}, 0),
      failed: (error: unknown) => this.#log.line('error', 'request failed', describeError(error)),
    };
    const ping = async () => {
      await keyring.scopes();
    };
    this.#server = new HttpServer({ service, ping, limits });
    this.require(rules);
  }

  /** Resolves to the address, as text, once the server accepts requests. Throws `listen_failed` when the address is not available. */
  listen(where: Listen): Promise<string> {
    return this.#server.listen(where);
  }

  /** Applies to the requests that come after this call. */
  require(rules: readonly IssueRule[]): void {
    this.#rules = rules;
    this.#tokens.trust(rules);
  }

  /** Accepts no more connections, and answers the requests in progress. */
  async stop(): Promise<void> {
    await this.#server.stop();
    await Promise.allSettled(this.#running);
  }

  async #track(work: Promise<void>): Promise<void> {
    this.#running.add(work);
    try {
      await work;
    } finally {
      this.#running.delete(work);
    }
  }

  async #route(request: IncomingMessage, reply: ServerResponse): Promise<void> {
    const path = request.url?.split('?', 1)[0] ?? '';
    const id = KEY_PATH.exec(path)?.[1];
    if (id !== undefined)
      return this.#server.only(request, reply, ['DELETE'], () =>
        this.#answer('key', request, reply, () => this.#end(request, reply, id)),
      );
    switch (path) {
      case '/keys':
        return this.#server.only(request, reply, ['POST'], () =>
          this.#answer('keys', request, reply, () => this.#issue(request, reply)),
        );
      case '/healthz':
        return this.#server.healthz(request, reply);
      case '/metrics':
        return this.#server.metrics(request, reply, this.#metrics);
      default:
        this.#server.refuse(reply, problem(404, 'not_found', 'the paths are /keys, /keys/ID, /healthz and /metrics'));
    }
  }

  /** Has a request answered, notes the answer, and says what the store failed at. */
  async #answer(
    endpoint: Endpoint,
    request: IncomingMessage,
    reply: ServerResponse,
    work: () => Promise<Outcome>,
  ): Promise<void> {
    const start = performance.now();
    let outcome: Outcome;
    try {
      outcome = await work();
    } catch (error) {
      const answer = storeRefused(error);
      if (!answer) throw error;
      if (answer.status === 503) this.#log.line('error', 'the store failed', describeError(error));
      outcome = { answer, fields: {} };
    }
    const { answer, fields } = outcome;
    if (typeof answer === 'object' && !(request.destroyed && !request.complete))
      this.#server.replies.refusal(reply, answer);
    const code = typeof answer === 'object' ? answer.body.code : answer;
    const detail = typeof answer === 'object' ? { detail: answer.body.detail } : {};
    this.#note(
      endpoint,
      code,
      typeof answer === 'object' ? answer.status : reply.statusCode,
      { ...fields, ...detail },
      performance.now() - start,
    );
  }

  #note(endpoint: Endpoint, answer: string, status: number, fields: LogFields, ms: number): void {
    this.#metrics.answered(endpoint, answer, ms / 1000);
    const isDone = answer === 'issued' || answer === 'ended';
    if (this.#logged === 'none' || (this.#logged === 'refused' && isDone)) return;
    this.#log.line('info', 'request', { endpoint, status, answer, ...fields, ms: Math.round(ms * 1000) / 1000 });
  }

  /** The token of a request, verified; or why not. */
  async #token(request: IncomingMessage): Promise<VerifiedToken | Refusal> {
    const found = extractKey({
      authorization: request.headersDistinct.authorization,
      xApiKey: undefined,
      url: request.url,
    });
    if (!found.ok) return found.problem === 'missing' ? tokenMissing() : tokenMalformed();
    const token = await this.#tokens.verify(found.keyString);
    return 'code' in token ? tokenRefused(token) : token;
  }

  async #issue(request: IncomingMessage, reply: ServerResponse): Promise<Outcome> {
    const asked = await readIssueRequest(request);
    if ('ok' in asked) return { answer: asked, fields: {} };
    const token = await this.#token(request);
    if ('ok' in token) return { answer: token, fields: {} };
    const own = this.#rules.filter(
      ({ issuer, audience }) => issuer === token.issuer && token.audiences.includes(audience),
    );
    const admission = admit(own, token);
    const { actor } = admission.rule ? admission.job : jobOf(token, null);
    if (!admission.rule) {
      const { claim, detail } = admission.mismatch;
      return { answer: notAllowed(claim, detail), fields: { actor, claim } };
    }
    const { rule, job } = admission;
    const fields = { actor, rule: rule.name };
    if (isGone(reply)) return { answer: 'gone', fields };
    const made = await this.#make(asked, rule, job, token);
    if ('ok' in made) return { answer: made, fields };
    if (made.refused !== null) return { answer: exchangeRefused(made, rule), fields };
    return this.#deliver(reply, made, job, { ...fields, keyId: made.key.id });
  }

  async #make(asked: IssueRequest, rule: IssueRule, job: Job, token: VerifiedToken): Promise<Issued | Refusal> {
    const scopes = asked.scopes.some((scope) => scope.endsWith(':*'))
      ? resolveScopes(asked.scopes, await this.#keyring.scopes())
      : [...new Set(asked.scopes)];
    const more = scopes.filter((scope) => !rule.scopes.includes(scope));
    if (more.length > 0) return scopeNotAllowed(more, rule);
    const ttlMs = asked.ttl ?? Math.min(DEFAULT_TTL_MS, rule.maxTtl);
    if (ttlMs > rule.maxTtl)
      return ttlTooLong(`the rule ${rule.name} lets keys live ${counted(rule.maxTtl / 60_000, 'minute')} at most`);
    const { name, labels } = job;
    const { rateLimit, maxAlive, maxIssued: pace } = rule;
    return this.#issuing.issue(
      { name, scopes, rateLimit, ttlMs, asked: asked.ttl !== null, labels },
      { token: token.digest, tokenIssued: token.issued, tokenEnds: token.ends, rule: rule.name, maxAlive, pace },
      job,
    );
  }

  /** Hands a new key over. One whose answer could not be written is removed at once. */
  async #deliver(
    reply: ServerResponse,
    { key, keyString }: { readonly key: ApiKey; readonly keyString: string },
    job: ProvenJob,
    fields: LogFields,
  ): Promise<Outcome> {
    const { id, name, mode, scopes, expiresAt } = key;
    const body = { id, name, key: keyString, mode, scopes, expiresAt: expiresAt?.toISOString() ?? null };
    const isOver = await handOver(reply, () =>
      this.#server.replies.json(reply, 201, body, { 'Cache-Control': 'no-store' }),
    );
    if (isOver) return { answer: 'issued', fields };
    this.#undelivered += 1;
    try {
      await this.#issuing.takeBack(key, job);
      this.#log.line('warn', 'the job was gone before it had its key, so the key was deleted', fields);
    } catch (error) {
      const until = expiresAt?.toISOString();
      const more = { ...fields, until, ...describeError(error) };
      this.#log.line('error', 'the job was gone before it had its key, and the key could NOT be deleted', more);
    }
    return { answer: 'undelivered', fields };
  }

  async #end(request: IncomingMessage, reply: ServerResponse, id: string): Promise<Outcome> {
    const token = await this.#token(request);
    if ('ok' in token) return { answer: token, fields: {} };
    const job = jobOf(token, null);
    const fields = { actor: job.actor, keyId: isKeyId(id) ? id : undefined };
    if (!isKeyId(id) || !(await this.#issuing.end(id, job))) return { answer: noSuchKey(), fields };
    this.#server.replies.empty(reply, 204, []);
    return { answer: 'ended', fields };
  }
}

/** Messages of other errors can contain anything, so only their name is logged. */
function describeError(error: unknown): { readonly error: string; readonly code?: string } {
  if (isKeysError(error)) return { error: safeText(error.message), code: error.code };
  return { error: error instanceof Error ? error.name : 'unknown' };
}
